// What gradio's parts leave out for the keyboard and for screen readers, set whenever they are redrawn.
(() => {
  const each = (selector, set) => document.querySelectorAll(selector).forEach(set);
  const attribute = (element, name, value) => element.getAttribute(name) !== value && element.setAttribute(name, value);

  const tidy = () => {
    // A step's heading is a button; the arrow inside it is a second one without a name.
    each("#chat .title[role=button] button", (button) => attribute(button, "inert", ""));
    each("#chat .title[role=button]", (title) =>
      attribute(title, "aria-expanded", String(Boolean(title.parentElement.querySelector(".step")))));
    each("#chat .examples[role=list]", (list) => attribute(list, "role", "group"));
    each("#dock [role=tabpanel]", (panel) => attribute(panel, "tabindex", "0"));
    each("#chat [aria-label=''], #chat button:not([aria-label])", (button) => {
      const name = button.title || button.textContent.trim();
      if (name) attribute(button, "aria-label", name);
    });
  };
  let due = false;
  new MutationObserver(() => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; tidy(); });
  }).observe(document, { childList: true, subtree: true });
})();

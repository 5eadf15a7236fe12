// Citations, tabs, panels' buttons, and films dropped anywhere on the page. Listens on the document, whatever gradio redraws.
(() => {
  const hilum = (window.hilum = window.hilum || {});
  const input = () => document.querySelector("#films-side input[type=file]:not([webkitdirectory])");

  // Open a tab under the viewer by its name.
  hilum.tab = (name) => {
    const tab = [...document.querySelectorAll("#dock [role=tab]")].find((each) => each.textContent.trim().startsWith(name));
    if (tab && tab.getAttribute("aria-selected") !== "true") tab.click();
  };

  const cite = (link) => {
    const id = (link.getAttribute("href") || "").slice(1);
    if (!/^E\d+$/.test(id)) return;
    hilum.cite(id);
    document.querySelectorAll("a.cite.shown").forEach((other) => other.classList.remove("shown"));
    link.classList.add("shown");
    const box = document.querySelector("#viewer").getBoundingClientRect();
    if (box.bottom < 80 || box.top > window.innerHeight - 80) {
      document.querySelector("#viewer").scrollIntoView({ behavior: "smooth", block: "start" });
    }
  };
  const copy = async (link) => {
    const text = link.closest(".answer").querySelector(".prose-answer").innerText;
    await navigator.clipboard.writeText(text);
    link.textContent = "Copied";
    setTimeout(() => (link.textContent = "Copy"), 1500);
  };

  // Helpful or not, with a note if one likes.
  const rate = (link) => {
    const [good, turn] = link.getAttribute("href").slice(1).split("-");
    const line = link.closest(".actions");
    line.querySelector("form")?.remove();
    const form = document.createElement("form");
    form.innerHTML = '<input maxlength="1000" aria-label="A note on this answer, if you like" placeholder="A note, if you like"><button>Send</button>';
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      hilum.send({ do: "rate", turn: Number(turn), good: good === "good", note: form.querySelector("input").value });
      form.remove();
      line.querySelectorAll("a.rate").forEach((each) => each.classList.toggle("given", each === link));
    });
    line.append(form);
    form.querySelector("input").focus();
  };

  // Rename and delete ask in place; nothing is sent before the user has said so.
  const ask = (item, html, done) => {
    const form = document.createElement("form");
    form.innerHTML = html;
    item.append(form);
    item.classList.add("asking");
    const close = () => { form.remove(); item.classList.remove("asking"); };
    form.addEventListener("submit", (event) => { event.preventDefault(); done(form); close(); });
    form.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
    form.querySelector("[type=button]").addEventListener("click", close);
    form.querySelector("input, [type=submit]").focus();
  };
  const rename = (button) => {
    const item = button.closest("li");
    ask(item, '<input maxlength="80" aria-label="New name"><button>Save</button><button type="button">Cancel</button>',
      (form) => hilum.send({ do: "rename", session: button.dataset.rename, title: form.querySelector("input").value }));
    const field = item.querySelector("input");
    field.value = item.querySelector(".open strong").textContent;
    field.select();
  };
  const remove = (button) =>
    ask(button.closest("li"), '<span>Delete for good?</span><button type="submit">Delete</button><button type="button">Keep</button>',
      () => hilum.send({ do: "delete", session: button.dataset.delete }));

  document.addEventListener("click", (event) => {
    const at = (selector) => event.target.closest && event.target.closest(selector);
    const link = at("a.cite");
    if (link) { event.preventDefault(); cite(link); return; }
    if (at("a.again")) { event.preventDefault(); hilum.send({ do: "again", turn: Number(at("a.again").getAttribute("href").split("-")[1]) }); return; }
    if (at("a.rate")) { event.preventDefault(); rate(at("a.rate")); return; }
    if (at("a.copy")) { event.preventDefault(); copy(at("a.copy")); return; }
    const tab = at("#dock [role=tab]");
    if (tab) document.querySelector("#film-side").dataset.tab = tab.textContent.trim();
    const button = at("button");
    if (!button) return;
    if (button.dataset.do) hilum.send(JSON.parse(button.dataset.do));
    else if (button.dataset.rename) rename(button);
    else if (button.dataset.delete) remove(button);
    else if ("theme" in button.dataset) theme(!document.body.classList.contains("dark"));
  });

  // Citations and the like are announced as buttons: the space bar presses them too.
  document.addEventListener("keydown", (event) => {
    const link = event.key === " " && event.target.closest && event.target.closest("a.cite, a.copy, a.again, a.rate");
    if (!link) return;
    event.preventDefault();
    link.click();
  });

  document.addEventListener("submit", (event) => {
    const form = event.target.closest && event.target.closest("form[data-find]");
    if (!form) return;
    event.preventDefault();
    hilum.send({ do: "find", ...Object.fromEntries(new FormData(form)) });
  });

  const theme = (dark) => {
    document.body.classList.toggle("dark", dark);
    localStorage.setItem("hilum-theme", dark ? "dark" : "light");
  };
  const chosen = localStorage.getItem("hilum-theme");
  if (chosen) document.addEventListener("DOMContentLoaded", () => setTimeout(() => theme(chosen === "dark"), 0));

  document.addEventListener("hilum:choose", () => input() && input().click());

  const carriesFiles = (event) => event.dataTransfer && Array.from(event.dataTransfer.types).includes("Files");
  let depth = 0;
  const mark = (on) => document.body.classList.toggle("dropping", on);

  document.addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    depth += 1;
    mark(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!carriesFiles(event)) return;
    depth = Math.max(0, depth - 1);
    if (depth === 0) mark(false);
  });
  document.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    mark(false);
    const target = input();
    if (!target) return;
    target.files = event.dataTransfer.files;
    target.dispatchEvent(new Event("change", { bubbles: true }));
  }, true);
})();

// Citations, and films dropped anywhere on the page. Listens on the document, whatever gradio draws and redraws.
(() => {
  const viewer = () => document.querySelector("#viewer [data-viewer]");
  const input = () => document.querySelector("#chat-side input[type=file]:not([webkitdirectory])");

  const cite = (link) => {
    const id = (link.getAttribute("href") || "").slice(1);
    const place = viewer();
    if (!place || !/^E\d+$/.test(id)) return;
    place.dispatchEvent(new CustomEvent("hilum:cite", { detail: id, bubbles: true }));
    document.querySelectorAll("a.cite.shown").forEach((other) => other.classList.remove("shown"));
    link.classList.add("shown");
    const box = document.querySelector("#viewer").getBoundingClientRect();
    if (box.bottom < 80 || box.top > window.innerHeight - 80) {
      document.querySelector("#viewer").scrollIntoView({ behavior: "smooth", block: "start" });
    }
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a.cite");
    if (!link) return;
    event.preventDefault();
    cite(link);
  });

  // A citation is announced as a button: the space bar presses it too.
  document.addEventListener("keydown", (event) => {
    const link = event.key === " " && event.target.closest && event.target.closest("a.cite");
    if (!link) return;
    event.preventDefault();
    cite(link);
  });

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

// Films on their way to the server: what is too large stays, and of the rest a bar tells how much has arrived.
(() => {
  let opening = "Opening …";

  // Files that are too large are refused before they travel; the server refuses them too.
  const told = (words, problem) => {
    const place = document.querySelector("#upload-told p");
    place.textContent = words;
    place.className = problem ? "problem" : "";
  };
  document.addEventListener("change", (event) => {
    if (!event.target.closest("#films-side") || event.target.type !== "file") return;
    const files = [...event.target.files];
    const large = files.filter((file) => file.size > hilum.uploadMb * 1e6);
    opening = files.length > 1 ? `Opening ${files.length} files …` : "Opening …";
    if (!large.length) { told(opening, false); return; }
    event.stopImmediatePropagation();
    event.target.value = "";
    const size = Math.round(large[0].size / 1e6);
    told(`${large[0].name} was not taken: it has ${size} MB, and a file may have ${hilum.uploadMb} MB. Add the films one by one, or in smaller archives.`, true);
  }, true);
  document.addEventListener("hilum:scene", () => document.querySelector("#upload-told p:not(.problem)") && told("", false));

  // How much has arrived is told by XMLHttpRequest alone, so gradio's upload, which it sends by fetch, goes through one.
  const bar = () => document.querySelector("#upload-told progress");
  const sent = (address, given) => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const ended = () => { bar().hidden = true; };
    request.open("POST", address);
    new Headers(given.headers).forEach((value, name) => request.setRequestHeader(name, value));
    request.upload.addEventListener("progress", (event) => {
      bar().hidden = !event.lengthComputable;
      bar().max = event.total;
      bar().value = event.loaded;
      told(event.loaded < event.total ? `Sending ${(event.total / 1e6).toFixed(1)} MB …` : opening, false);
    });
    request.addEventListener("load", () => { ended(); resolve(new Response(request.response, { status: request.status, statusText: request.statusText })); });
    request.addEventListener("error", () => { ended(); reject(new TypeError("The upload was cut off.")); });
    request.addEventListener("abort", () => { ended(); reject(new DOMException("The upload was given up.", "AbortError")); });
    if (given.signal) given.signal.addEventListener("abort", () => request.abort());
    request.send(given.body);
  });
  const fetched = window.fetch;
  window.fetch = (address, given) =>
    given && given.method === "POST" && given.body instanceof FormData && /\/upload(\?|$)/.test(String(address))
      ? sent(address, given) : fetched(address, given);
})();

// The report panel: change a sentence in place, sign, save an export. Decisions themselves are plain buttons (page.js).
(() => {
  const hilum = (window.hilum = window.hilum || {});

  const change = (button) => {
    const item = button.closest("li");
    const text = item.querySelector(".text");
    if (item.querySelector("form")) return;
    const form = document.createElement("form");
    form.className = "changing";
    form.innerHTML = '<textarea maxlength="2000" rows="2" aria-label="The sentence as it should read"></textarea>'
      + '<button class="plain">Save</button><button type="button" class="plain">Cancel</button>';
    const field = form.querySelector("textarea");
    field.value = text.firstChild ? text.firstChild.textContent : "";
    const close = () => { form.remove(); item.classList.remove("open"); button.focus(); };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      hilum.send({ do: "change", sentence: button.dataset.change, version: Number(button.dataset.version), text: field.value });
      close();
    });
    form.querySelector("[type=button]").addEventListener("click", close);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
      if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); form.requestSubmit(); }
    });
    item.classList.add("open");
    item.append(form);
    field.focus();
  };

  const base64 = (file) =>
    new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
      reader.onerror = reject;
      reader.readAsDataURL(file);
    });

  const save = async (button, format, files = []) => {
    const told = button.closest(".exports").querySelector(".told");
    told.textContent = "Writing …";
    const made = await hilum.exported([hilum.scene.token, format, files]);
    if (made.refused) { told.textContent = made.refused; return; }
    const bytes = Uint8Array.from(atob(made.data), (letter) => letter.charCodeAt(0));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes]));
    link.download = made.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    told.textContent = `Saved ${made.name}. ${made.left || ""}`;
  };
  // Ask for the films' DICOM files, then go on with them.
  const choose = (place, done) => {
    const input = place.querySelector("input[type=file]");
    input.onchange = async () => {
      const files = await Promise.all([...input.files].map(base64));
      input.value = "";
      if (files.length) done(files);
    };
    input.click();
  };

  // To a PACS: what became of it is told here; a panel drawn anew keeps what was sent.
  const send = async (form, files = []) => {
    const told = form.querySelector(".told");
    const button = form.querySelector("button");
    const wanted = { pacs: form.elements.pacs.value, version: Number(form.dataset.send),
      formats: [...form.querySelectorAll("[name=format]:checked")].map((each) => each.value) };
    button.disabled = true;
    told.textContent = "Sending …";
    let done;
    try { done = await hilum.sent([hilum.scene.token, wanted, files]); }
    catch { done = { refused: "Not sent: Hilum made a mistake of its own, which its log tells." }; }
    button.disabled = false;
    told.className = done.sent ? "told" : "told problem";
    told.textContent = done.sent || done.refused;
    if (done.sent) hilum.send({ do: "look" });
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("#report button");
    if (!button) return;
    if (button.dataset.change) change(button);
    else if (button.dataset.export === "dicom") choose(button.closest(".exports"), (files) => save(button, "dicom", files));
    else if (button.dataset.export) save(button, button.dataset.export);
  });
  document.addEventListener("submit", (event) => {
    const sending = event.target.closest && event.target.closest("form[data-send]");
    if (sending) {
      event.preventDefault();
      if (sending.querySelector("button").dataset.files) choose(sending, (files) => send(sending, files));
      else send(sending);
      return;
    }
    const form = event.target.closest && event.target.closest("form[data-sign]");
    if (!form) return;
    event.preventDefault();
    hilum.send({ do: "sign", version: Number(form.dataset.sign), name: form.elements.name.value });
  });
})();

// The viewer: which films are on the stage, what is lit on them, and how they are looked at. Keyboard and pointer.
(() => {
  const hilum = (window.hilum = window.hilum || {});
  const FULL = { low: 0, high: 1, invert: false };
  const NARROWEST = 0.02;
  const MARKING = new Set(["mark", "box"]);
  const state = {
    scene: null, film: null, left: null, side: false, lit: new Set(), chosen: null, mode: "pan", heat: 0.55, moved: -1,
    view: { zoom: 1, x: 0.5, y: 0.5 }, looks: new Map(), lines: new Map(), marks: new Map(), session: null,
  };
  let panes = [];

  const $ = (selector) => document.querySelector(`#viewer ${selector}`);
  const film = (id) => state.scene.films.find((each) => each.id === id);
  const record = (id) => state.scene.evidence.find((each) => each.id === id);
  const look = (id) => state.looks.get(id) || FULL;
  const of = (id, evidence) => evidence.films.includes(id) || id in evidence.drawn;

  // What stands left of the film: what a lit evidence laid beside it, else another film.
  const beside = () => {
    const laying = [...state.lit].map(record).find((each) => each && state.film in each.beside);
    if (laying) return { words: laying.beside[state.film], evidence: laying.id, film: film(state.film) };
    if (!state.side) return null;
    const left = film(state.left) || companion();
    return left ? { words: left.name + (left.place ? ` · ${left.place}` : ""), film: left } : null;
  };
  const companion = () => {
    const shown = film(state.film);
    const others = state.scene.films.filter((each) => each.id !== state.film);
    return film(shown.parent) || others.find((each) => each.place.includes("prior")) || others[others.length - 1];
  };

  const draw = async () => {
    const root = $("[data-viewer]");
    if (!root || !state.scene) return;
    const shown = film(state.film);
    root.classList.toggle("empty", !shown);
    markShelf();
    drawDetails();
    if (!shown) return;
    const left = beside();
    const stage = $(".stage");
    while (panes.length > (left ? 2 : 1)) panes.pop().root.remove();
    while (panes.length < (left ? 2 : 1)) panes.push(new hilum.Pane(stage));
    const lit = [...state.lit].map(record).filter((each) => each && state.film in each.drawn);
    const names = lit.map((each) => `, with ${each.id}: ${each.title}`).join("");
    const main = panes[panes.length - 1];
    main.title.textContent = shown.name + (shown.place ? ` · ${shown.place}` : "");
    $(".caption").innerHTML = `<strong></strong>${shown.facts}`;
    $(".caption strong").textContent = shown.name;
    $(".caption").title = $(".caption .facts")?.textContent || "";
    drawTools(lit, left);
    drawChoices();
    const jobs = [main.show(shown, `${shown.name}: chest radiograph${names}`, hilum.film(state.scene, shown), look(shown.id),
      () => hilum.whole(state.scene, shown))];
    if (left) {
      const fetching = left.evidence ? hilum.laid(state.scene, left.film, left.evidence) : hilum.film(state.scene, left.film);
      panes[0].title.textContent = left.words;
      panes[0].reading.textContent = "";
      const closer = left.evidence ? null : () => hilum.whole(state.scene, left.film);
      jobs.push(panes[0].show(left.film, `${left.words}`, fetching, look(left.film.id), closer));
    }
    arrange();
    await Promise.all(jobs);
    arrange();
    await main.light(state.scene, lit, state.heat);
    if (left && !left.evidence) {
      const also = [...state.lit].map(record).filter((each) => each && left.film.id in each.drawn);
      await panes[0].light(state.scene, also, state.heat);
    }
    stage.dataset.drawn = `${state.film} ${[...state.lit].join(" ")}`.trim();
  };

  const arrange = () => {
    for (const pane of panes) {
      pane.place(state.view);
      if (!pane.film) continue;
      pane.measure(state.lines.get(pane.film.id) || []);
      hilum.drawMarks(pane.lines, state.marks.get(pane.film.id) || []);
    }
    const { low, high } = look(state.film);
    const words = `W ${(high - low).toFixed(2)} L ${((high + low) / 2).toFixed(2)} · ${Math.round(state.view.zoom * 100)} %`;
    if (panes.length) panes[panes.length - 1].reading.textContent = words;
  };
  const repaint = () => panes.forEach((pane) => pane.film && pane.paint(look(pane.film.id)));

  const drawTools = (lit, left) => {
    const several = state.scene.films.length > 1;
    $("[data-act=side]").hidden = !several;
    $("[data-act=side]").setAttribute("aria-pressed", Boolean(left));
    $("[data-act=invert]").setAttribute("aria-pressed", look(state.film).invert);
    $(".heat").hidden = !lit.some((each) => each.drawn[state.film].kinds.includes("heat"));
    document.querySelectorAll("#viewer button[data-mode]").forEach((each) =>
      each.setAttribute("aria-pressed", each.dataset.mode === state.mode));
    $(".stage").dataset.mode = state.mode;
    const outline = $(".structure");
    outline.hidden = !MARKING.has(state.mode);
    if (!outline.length) outline.append(...state.scene.structures.map((name) => new Option(name)));
    const select = $(".left-film");
    select.hidden = !(left && !left.evidence && state.scene.films.length > 2);
    select.replaceChildren(...state.scene.films.filter((each) => each.id !== state.film).map((each) =>
      new Option(`Left: ${each.name}`, each.id, false, left && left.film.id === each.id)));
  };

  const drawChoices = () => {
    const box = $(".choices");
    const records = state.scene.evidence.filter((each) => of(state.film, each));
    const button = (id, words, pressed, bare) => {
      const made = document.createElement("button");
      made.type = "button";
      made.dataset.evidence = id;
      made.className = bare ? "bare" : "";
      made.textContent = words;
      made.setAttribute("aria-pressed", pressed);
      return made;
    };
    const focused = document.activeElement && document.activeElement.dataset.evidence;
    const inside = box.contains(document.activeElement);
    box.replaceChildren(
      ...(records.length ? [button("", "Film only", !state.lit.size, false)] : []),
      ...records.map((each) => button(each.id, `${each.id} ${each.title}`, state.lit.has(each.id),
        !(state.film in each.drawn || state.film in each.beside))));
    const lit = box.querySelector("[data-evidence^=E][aria-pressed=true]");
    if (lit) box.scrollTop = lit.offsetTop - box.offsetTop - 2;
    if (inside && focused !== undefined) box.querySelector(`[data-evidence="${focused}"]`)?.focus({ preventScroll: true });
  };

  const drawDetails = () => {
    const place = document.querySelector("#details .details");
    if (!place) return;
    const chosen = state.chosen && record(state.chosen);
    const none = state.scene.evidence.length
      ? "Press a number such as E1 in an answer, or a button above, to see what that evidence says."
      : "What the tools found appears here, piece by piece.";
    const html = chosen ? chosen.html : `<p class="muted none">${none}</p>`;
    if (place.dataset.shown !== html) place.innerHTML = place.dataset.shown = html;
  };

  const markShelf = () =>
    document.querySelectorAll("#films-list [data-film]").forEach((each) =>
      each.setAttribute("aria-pressed", each.dataset.film === state.film));

  const fit = () => Object.assign(state.view, { zoom: 1, x: 0.5, y: 0.5 });
  const choose = (id) => {
    if (!film(id) || id === state.film) return;
    state.film = id;
    state.lit = new Set([...state.lit].filter((each) => record(each) && of(id, record(each))));
    draw();
  };

  // Light one evidence alone, on a film that it draws on.
  hilum.cite = (id) => {
    const cited = state.scene && record(id);
    if (!cited) return;
    const places = [...Object.keys(cited.drawn), ...Object.keys(cited.beside), ...cited.films];
    if (places.length && !places.includes(state.film)) state.film = places[0];
    state.lit = new Set([id]);
    state.chosen = id;
    hilum.tab("Evidence");
    draw();
  };

  const zoom = (factor, [x, y] = [state.view.x, state.view.y]) => {
    const before = state.view.zoom;
    state.view.zoom = Math.min(16, Math.max(1, before * factor));
    const kept = before / state.view.zoom;
    move(x + (state.view.x - x) * kept, y + (state.view.y - y) * kept);
  };
  const move = (x, y) => {
    const [across, down] = state.view.zoom > 1 ? [x, y] : [0.5, 0.5];
    state.view.x = Math.min(1, Math.max(0, across));
    state.view.y = Math.min(1, Math.max(0, down));
    arrange();
  };
  const rewindow = (widen, shift) => {
    const now = look(state.film);
    const width = Math.min(2, Math.max(NARROWEST, (now.high - now.low) * (1 + widen)));
    const centre = Math.min(1, Math.max(0, (now.high + now.low) / 2 + shift));
    for (const pane of panes) state.looks.set(pane.film.id, { ...look(pane.film.id), low: centre - width / 2, high: centre + width / 2 });
    repaint();
    arrange();
  };

  const acts = {
    in: () => zoom(1.25),
    out: () => zoom(0.8),
    fit: () => { fit(); arrange(); },
    invert: () => {
      const invert = !look(state.film).invert;
      panes.forEach((pane) => state.looks.set(pane.film.id, { ...look(pane.film.id), invert }));
      draw();
    },
    side: () => {
      const on = Boolean(beside());
      if (on) [...state.lit].filter((id) => state.film in record(id).beside).forEach((id) => state.lit.delete(id));
      state.side = !on;
      draw();
    },
    reset: () => {
      fit();
      panes.forEach((pane) => { state.looks.delete(pane.film.id); state.lines.delete(pane.film.id); state.marks.delete(pane.film.id); });
      draw();
    },
  };
  const keys = {
    "+": acts.in, "=": acts.in, "-": acts.out, "0": acts.reset, i: acts.invert,
    ArrowLeft: () => move(state.view.x - 0.05 / state.view.zoom, state.view.y),
    ArrowRight: () => move(state.view.x + 0.05 / state.view.zoom, state.view.y),
    ArrowUp: () => move(state.view.x, state.view.y - 0.05 / state.view.zoom),
    ArrowDown: () => move(state.view.x, state.view.y + 0.05 / state.view.zoom),
    "[": () => rewindow(-0.1, 0), "]": () => rewindow(0.1, 0), "{": () => rewindow(0, -0.03), "}": () => rewindow(0, 0.03),
  };

  // Pointers: one drags (pan, window, measure or mark; the right button always windows), two pinch.
  const pointers = new Map();
  let drag = null;
  const paneOf = (event) => panes.find((pane) => pane.root.contains(event.target));
  const down = (event) => {
    const pane = paneOf(event);
    if (!pane || !pane.film || event.target.closest("button, select")) return;
    event.preventDefault();
    $(".stage").focus({ preventScroll: true });
    pointers.set(event.pointerId, event);
    const mode = event.button === 2 || event.shiftKey ? "window" : state.mode;
    drag = { pane, mode, x: event.clientX, y: event.clientY, line: null, mark: null };
    if (MARKING.has(mode)) {
      drag.mark = { kind: mode, stroke: [pane.at(event)], outside: mode === "mark" && (event.ctrlKey || event.metaKey) };
      state.marks.set(pane.film.id, [...(state.marks.get(pane.film.id) || []), drag.mark]);
      arrange();
    }
    pane.root.setPointerCapture(event.pointerId);
  };
  const dragged = (event) => {
    if (!drag || !pointers.has(event.pointerId)) return;
    if (pointers.size === 2) return pinch(event);
    const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
    if (drag.mode === "pan") move(state.view.x - dx / drag.pane.width, state.view.y - dy / drag.pane.height);
    if (drag.mode === "window") rewindow(dx / 300, -dy / 500);
    if (drag.mode === "measure") {
      const lines = state.lines.get(drag.pane.film.id) || [];
      if (!drag.line) lines.push((drag.line = [drag.pane.at(pointers.get(event.pointerId)), [0, 0]]));
      drag.line[1] = drag.pane.at(event);
      state.lines.set(drag.pane.film.id, lines);
      arrange();
    }
    if (drag.mark) {
      drag.mark.stroke.splice(drag.mode === "box" ? 1 : drag.mark.stroke.length, 1, drag.pane.at(event));
      arrange();
    }
    Object.assign(drag, { x: event.clientX, y: event.clientY });
  };
  const marked = ({ pane, mark }) => {
    if (mark.kind === "box" && mark.stroke.length < 2) state.marks.get(pane.film.id).pop();
    else hilum.marked(pane.film, $(".structure").value, mark);
    arrange();
  };
  const pinch = (event) => {
    const other = [...pointers.entries()].find(([id]) => id !== event.pointerId)[1];
    const before = pointers.get(event.pointerId);
    const apart = (one, two) => Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY) || 1;
    const factor = apart(event, other) / apart(before, other);
    pointers.set(event.pointerId, event);
    zoom(factor, drag.pane.at({ clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 }));
  };
  const up = (event) => {
    pointers.delete(event.pointerId);
    if (pointers.size) return;
    if (drag?.mark) marked(drag);
    drag = null;
  };
  const hover = (event) => {
    const pane = paneOf(event);
    for (const each of panes) {
      each.cursor.hidden = !(panes.length > 1 && pane && each !== pane);
      if (each.cursor.hidden) continue;
      const [x, y] = pane.at(event);
      each.cursor.style.cssText = `left:${x * 100}%;top:${y * 100}%`;
    }
  };

  const listen = () => {
    const root = $("[data-viewer]");
    if (!root || root.dataset.listening) return;
    root.dataset.listening = "yes";
    const stage = $(".stage");
    stage.addEventListener("pointerdown", down);
    stage.addEventListener("pointermove", (event) => { dragged(event); hover(event); });
    ["pointerup", "pointercancel"].forEach((kind) => stage.addEventListener(kind, up));
    stage.addEventListener("pointerleave", () => panes.forEach((pane) => (pane.cursor.hidden = true)));
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    stage.addEventListener("dblclick", acts.fit);
    stage.addEventListener("wheel", (event) => {
      const pane = paneOf(event);
      if (!pane || !pane.film) return;
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, pane.at(event));
    }, { passive: false });
    stage.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
      event.preventDefault();
      keys[event.key]();
    });
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      if ("act" in button.dataset) acts[button.dataset.act]();
      if ("mode" in button.dataset) { state.mode = button.dataset.mode; draw(); }
      if ("choose" in button.dataset) document.dispatchEvent(new CustomEvent("hilum:choose"));
      if ("evidence" in button.dataset) pressed(button.dataset.evidence);
    });
    $(".heat input").addEventListener("input", (event) => {
      state.heat = event.target.value / 100;
      document.querySelectorAll("#viewer img.heat").forEach((each) => (each.style.opacity = state.heat));
    });
    $(".left-film").addEventListener("change", (event) => { state.left = event.target.value; draw(); });
    new ResizeObserver(arrange).observe(stage);
  };
  const pressed = (id) => {
    if (!id) state.lit.clear();
    else if (state.lit.has(id)) state.lit.delete(id);
    else state.lit.add(id);
    state.chosen = id && state.lit.has(id) ? id : [...state.lit].pop() || null;
    if (state.chosen) hilum.tab("Evidence");
    draw();
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("#films-list [data-film]");
    if (button) choose(button.dataset.film);
  });
  document.addEventListener("hilum:scene", ({ detail }) => {
    const other = state.session !== detail.session && state.session !== null && state.session !== "";
    Object.assign(state, { scene: detail, session: detail.session });
    if (other) Object.assign(state, { lit: new Set(), chosen: null, left: null, side: false, film: null, moved: -1 });
    const drafts = (scene) => scene.evidence.filter((each) => each.tool === "report").length;
    if (state.reports !== undefined && !other && drafts(detail) > state.reports) hilum.tab("Report");
    state.reports = drafts(detail);
    if (state.moved !== detail.moved || !film(state.film)) {
      const [focus, evidence] = detail.focus;
      Object.assign(state, { moved: detail.moved, film: focus, lit: new Set(evidence ? [evidence] : []), chosen: evidence });
      state.marks.clear();
      fit();
    }
    listen();
    draw();
  });
  // Thumbnails come a moment after the scene.
  new MutationObserver(() => state.scene && markShelf()).observe(document, { childList: true, subtree: true });
})();

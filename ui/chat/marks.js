// Marks that correct an outline: what is drawn on a film becomes words in the question box, seen and editable before they are sent.
// agent/planner/marks.py reads them.
(() => {
  const hilum = (window.hilum = window.hilum || {});
  const TOLD_MOST = 40; // places of a stroke, evenly along it
  const SVG = "http://www.w3.org/2000/svg";

  const place = (film, [x, y]) => `${Math.round(y * film.rows)} ${Math.round(x * film.columns)}`;
  const thinned = (stroke) => {
    const step = Math.ceil(stroke.length / TOLD_MOST);
    return stroke.filter((_, n) => n % step === 0 || n === stroke.length - 1);
  };
  const words = (film, { kind, stroke, outside }) => {
    if (kind === "box") {
      const [[ax, ay], [bx, by]] = stroke;
      return `box ${place(film, [Math.min(ax, bx), Math.min(ay, by)])} ${place(film, [Math.max(ax, bx), Math.max(ay, by)])}`;
    }
    const places = thinned(stroke).map((each) => place(film, each));
    return `${outside ? "outside " : ""}${places.length > 1 ? "scribble" : "point"} ${places.join(", ")}`;
  };

  // Put a mark into the question box, behind those of the same outline.
  hilum.marked = (film, name, mark) => {
    const field = document.querySelector("#question textarea");
    const lead = `Correct the ${name} on ${film.name.toLowerCase()}:`;
    const before = field.value.startsWith(lead) ? field.value.trim() : lead;
    field.value = `${before} ${words(film, mark)}`;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };

  // Draw the marks of a film into an element that lies over it.
  hilum.drawMarks = (over, marks) => {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 1 1");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("class", "marks");
    for (const { kind, stroke, outside } of marks) {
      const [[ax, ay], [bx, by]] = [stroke[0], stroke[stroke.length - 1]];
      const line = document.createElementNS(SVG, kind === "box" ? "rect" : "polyline");
      const look = kind === "box"
        ? { x: Math.min(ax, bx), y: Math.min(ay, by), width: Math.abs(bx - ax), height: Math.abs(by - ay) }
        : { points: [...stroke, stroke[stroke.length - 1]].map((each) => each.join(",")).join(" ") };
      Object.entries(look).forEach(([name, value]) => line.setAttribute(name, value));
      line.setAttribute("class", outside ? "outside" : "");
      svg.append(line);
    }
    over.append(svg);
  };
})();

// One film on the stage: its picture in 12 bits, windowed here; layers over it, measuring lines, legend and scale.
// Everything is placed in shares of the film (0 to 1), so that two panes with the same view show the same place.
(() => {
  const hilum = (window.hilum = window.hilum || {});
  const TOP = 4095;
  const BARS_MM = [200, 100, 50, 20, 10, 5];
  const kept = new Map(); // what was fetched, the latest last
  const KEPT_MOST = 24;

  const fetched = (key, ask) => {
    if (!kept.has(key)) kept.set(key, ask().catch(() => null));
    const found = kept.get(key);
    kept.delete(key);
    kept.set(key, found);
    if (kept.size > KEPT_MOST) kept.delete(kept.keys().next().value);
    return found;
  };

  const loaded = (uri) =>
    new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = reject;
      image.src = uri;
    });

  // Values 0 to 4095 of a picture; `deep`: packed by imaging.render.deep, else an 8-bit grey one.
  const values = async (uri, deep) => {
    const image = await loaded(uri);
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const rgba = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const grey = new Uint16Array(canvas.width * canvas.height);
    for (let i = 0, j = 0; i < grey.length; i += 1, j += 4) grey[i] = deep ? rgba[j] * 16 + rgba[j + 1] / 16 : rgba[j] * 16.06;
    return { width: canvas.width, height: canvas.height, grey };
  };

  hilum.film = (scene, film) =>
    fetched(film.id, async () => values(await hilum.picture([scene.token, film.id]), true));
  // All pixels of a film, for who looks closely; not kept, for it may be large.
  hilum.whole = async (scene, film) => values(await hilum.picture([scene.token, film.id, "whole"]), true);
  hilum.laid = (scene, film, evidence) =>
    fetched(`${scene.session} ${evidence} ${film.id} beside`, async () =>
      values(await hilum.picture([scene.token, film.id, evidence, "beside"]), false));
  hilum.layer = (scene, film, evidence, kind) =>
    fetched(`${scene.session} ${evidence} ${film.id} ${kind}`, () => hilum.picture([scene.token, film.id, evidence, kind]));

  const make = (tag, name, parent) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (parent) parent.append(element);
    return element;
  };

  class Pane {
    constructor(stage) {
      this.root = make("div", "pane", stage);
      this.plane = make("div", "plane", this.root);
      this.canvas = make("canvas", "", this.plane);
      this.canvas.setAttribute("role", "img");
      this.layers = make("div", "layers", this.plane);
      this.lines = make("div", "lines", this.plane);
      this.cursor = make("div", "cursor", this.plane);
      this.cursor.hidden = true;
      this.title = make("div", "title", this.root);
      this.reading = make("div", "reading", this.root);
      this.legend = make("ul", "legend", this.root);
      this.legend.setAttribute("aria-label", "Colours");
      this.bar = make("div", "bar", this.root);
      make("span", "", this.bar);
      this.busy = make("div", "loading", this.root);
      this.busy.textContent = "Loading …";
      this.film = null;
      this.picture = null;
      this.whole = null; // { id, picture } of the film that was last looked at closely
      this.closer = null;
    }

    // Show a film; resolves when its picture is drawn. `closer` asks for all its pixels, once it is zoomed in so far.
    async show(film, name, fetching, look, closer = null) {
      this.film = film;
      this.closer = closer;
      this.canvas.setAttribute("aria-label", name);
      this.busy.hidden = false;
      const picture = await fetching;
      if (this.film !== film) return;
      this.busy.hidden = true;
      this.picture = picture && closer && this.whole?.id === film.id && this.whole.picture ? this.whole.picture : picture;
      if (!picture) {
        this.busy.hidden = false;
        this.busy.textContent = "The picture could not be loaded. Reload the page.";
        return;
      }
      this.lay(look);
    }

    lay(look) {
      this.canvas.width = this.picture.width;
      this.canvas.height = this.picture.height;
      this.paint(look);
    }

    async sharpen() {
      const film = this.film;
      if (!this.closer || !this.picture || this.whole?.id === film.id) return;
      if (this.picture.width >= film.columns || this.width * window.devicePixelRatio <= this.picture.width) return;
      this.whole = { id: film.id, picture: null };
      const picture = await this.closer().catch(() => null);
      if (picture && this.whole.id === film.id) this.whole.picture = picture;
      if (!picture || this.film?.id !== film.id || !this.closer) return;
      this.picture = picture;
      this.lay(this.look);
    }

    // Window and inversion: look = { low, high, invert } in 0 to 1.
    paint(look) {
      if (!this.picture) return;
      this.look = look;
      const { width, height, grey } = this.picture;
      const table = new Uint32Array(TOP + 1);
      const span = Math.max(1e-3, look.high - look.low);
      for (let value = 0; value <= TOP; value += 1) {
        let level = Math.min(1, Math.max(0, (value / TOP - look.low) / span));
        if (look.invert) level = 1 - level;
        const byte = Math.round(level * 255);
        table[value] = (255 << 24) | (byte << 16) | (byte << 8) | byte;
      }
      const context = this.canvas.getContext("2d");
      const data = context.createImageData(width, height);
      const out = new Uint32Array(data.data.buffer);
      for (let i = 0; i < grey.length; i += 1) out[i] = table[grey[i]];
      context.putImageData(data, 0, 0);
    }

    // Where the film lies: view = { zoom, x, y }, zoom 1 fits, (x, y) is the share of the film at the pane's centre.
    place(view) {
      if (!this.film) return;
      const box = this.root.getBoundingClientRect();
      const tall = this.film.mm ? this.film.mm[0] / this.film.mm[1] : 1;
      const rows = this.film.rows * tall;
      this.scale = Math.min(box.width / this.film.columns, box.height / rows) * view.zoom;
      this.width = this.film.columns * this.scale;
      this.height = rows * this.scale;
      const style = this.plane.style;
      style.width = `${this.width}px`;
      style.height = `${this.height}px`;
      style.left = `${box.width / 2 - view.x * this.width}px`;
      style.top = `${box.height / 2 - view.y * this.height}px`;
      this.plane.classList.toggle("crisp", this.picture && this.width > 4 * this.picture.width);
      this.measureBar(box.width);
      this.sharpen();
    }

    measureBar(room) {
      const mm = this.film.mm;
      const fits = mm && BARS_MM.find((length) => (length / mm[1]) * this.scale <= room / 4);
      this.bar.hidden = !fits;
      if (!fits) return;
      this.bar.style.width = `${(fits / mm[1]) * this.scale}px`;
      this.bar.firstChild.textContent = (fits >= 10 ? `${fits / 10} cm` : `${fits} mm`) + this.film.at;
    }

    // The share of the film under a point of the window.
    at(event) {
      const box = this.plane.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    }

    async light(scene, records, heat) {
      const asked = records.flatMap((record) =>
        record.drawn[this.film.id].kinds.map((kind) => [record.id, kind, hilum.layer(scene, this.film, record.id, kind)]));
      const film = this.film;
      const ready = await Promise.all(asked.map(async ([id, kind, uri]) => [id, kind, await uri]));
      if (this.film !== film) return;
      this.layers.replaceChildren();
      for (const [id, kind, uri] of ready) {
        if (!uri) continue;
        const image = make("img", kind, this.layers);
        image.src = uri;
        image.alt = "";
        image.dataset.layer = id;
        if (kind === "heat") image.style.opacity = heat;
      }
      const labels = new Map(records.flatMap((record) => record.drawn[film.id].legend).map((each) => [each[0] + each[1], each]));
      this.legend.replaceChildren();
      for (const [label, colour, kind, dashed] of labels.values()) {
        const item = make("li", dashed ? "dashed" : kind, this.legend);
        make("span", "swatch", item).style.setProperty("--ink", colour);
        item.append(label);
      }
    }

    measure(lines) {
      this.lines.replaceChildren();
      for (const line of lines) {
        const [[ax, ay], [bx, by]] = line;
        const [dx, dy] = [(bx - ax) * this.width, (by - ay) * this.height];
        const mark = make("div", "ruler", this.lines);
        mark.style.cssText = `left:${ax * 100}%;top:${ay * 100}%;width:${Math.hypot(dx, dy)}px;transform:rotate(${Math.atan2(dy, dx)}rad)`;
        const words = make("span", "length", this.lines);
        words.style.cssText = `left:${bx * 100}%;top:${by * 100}%`;
        words.textContent = this.length(line);
      }
    }

    length([[ax, ay], [bx, by]]) {
      const [columns, rows] = [(bx - ax) * this.film.columns, (by - ay) * this.film.rows];
      const mm = this.film.mm;
      if (!mm) return `${Math.hypot(columns, rows).toFixed(0)} px`;
      return `${Math.hypot(columns * mm[1], rows * mm[0]).toFixed(0)} mm${this.film.at}`;
    }
  }

  hilum.Pane = Pane;
})();

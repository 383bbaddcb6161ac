// The architecture as SVG. Blocks unfold and fold; the colour of a box shows its share.
const HEATS = [["macs", "macs"], ["params", "params"], ["access", "memory access"], ["seconds", "measured time"]];
const OPEN_AT_FIRST = 36; // boxes
const HINT = "Point at a box to see its full name and all its numbers.";

class Drawing {
  constructor(net) {
    this.net = net;
    this.open = new Set();
    this.heat = net.overlay ? "overlay" : "macs";
    const painted = Object.values(net.overlay?.values ?? {});
    this.ends = net.overlay?.span ?? [Math.min(...painted), Math.max(...painted)];
    this.zoom = 1;
    this.found = new Set(); // names of layers and blocks that a search has found
    this.told = make("p", { class: "muted small told", role: "status" }, HINT);
    this.place = make("div", { class: "drawing", tabindex: 0, role: "region", "aria-label": `drawing of ${net.name}` });
    for (const name of ["click", "pointerover", "focusin"]) this.place.addEventListener(name, (event) => this.tell(event.target));
    this.start();
    this.show();
  }

  // What a box is, with its full name, below the drawing.
  tell(target) {
    const told = target.closest?.("g[data-name]")?.querySelector("title")?.textContent;
    if (told) this.told.textContent = told.replace(/\n/g, " \u00b7 ");
  }

  // What the colours mean.
  explain() {
    const [low, high] = this.heat === "overlay" ? this.ends.map((value) => this.painted(value)) : ["0 %", "100 % of the network"];
    this.legend.replaceChildren(low, make("i", { class: this.heat === "overlay" ? "even" : null }), this.heat === "overlay" ? `${high} ${this.net.overlay.title}; without colour: no value` : high);
  }

  painted(value) {
    return `${Number(value.toPrecision(4))} ${this.net.overlay.unit}`.trim();
  }

  // The value of a box; that of a block without its own is the mean of what is inside.
  own(item) {
    const value = this.net.overlay?.values[item.name];
    if (value !== undefined) return value;
    const inside = (item.children ?? []).map((child) => this.own(child)).filter(known);
    return inside.length ? inside.reduce((sum, one) => sum + one, 0) / inside.length : null;
  }

  // How warm a box is, from 0 to 1; a share by its square root, as most shares are small.
  warmth(item) {
    if (this.heat !== "overlay") return Math.sqrt(this.net.total[this.heat] ? this.sum(item, this.heat) / this.net.total[this.heat] : 0);
    const [value, [low, high]] = [this.own(item), this.ends];
    return value === null ? 0 : 0.2 + 0.8 * (high > low ? (value - low) / (high - low) : 1);
  }

  scale(factor) {
    this.zoom = Math.min(4, Math.max(0.1, factor === null ? this.place.clientWidth / this.size[0] : this.zoom * factor));
    const svg = this.place.querySelector("svg");
    svg.setAttribute("width", this.size[0] * this.zoom);
    svg.setAttribute("height", this.size[1] * this.zoom);
    this.place.scrollLeft = (this.place.scrollWidth - this.place.clientWidth) / 2;
  }

  // Light up layers by a part of their name or their operator; the blocks around them are opened.
  search(text) {
    const word = text.trim().toLowerCase();
    const layers = word ? this.net.layers.filter((layer) => layer.name.toLowerCase().includes(word) || layer.op.toLowerCase() === word) : [];
    this.found = new Set(layers.map((layer) => layer.name));
    const around = (item) => {
      if (!item.children) return this.found.has(item.name);
      const inside = item.children.map(around).some(Boolean);
      if (inside && item.name) this.open.add(item.name);
      return inside;
    };
    if (layers.length && layers.length <= OPEN_AT_FIRST) around(this.net.root);
    this.show();
    this.told.textContent = !word ? HINT : layers.length ? `${layers.length} of ${this.net.layers.length} layers: ${layers.slice(0, 8).map((layer) => layer.name).join(", ")}${layers.length > 8 ? " ..." : ""}` : `No layer's name has "${text.trim()}", and no operator is called so.`;
    const first = this.place.querySelector(".found");
    if (first) {
      const [box, frame] = [first.getBoundingClientRect(), this.place.getBoundingClientRect()];
      this.place.scrollTop += box.top - frame.top - frame.height / 3;
      this.place.scrollLeft += box.left - frame.left - (frame.width - box.width) / 2;
    }
  }

  // Open blocks from the outside in while there are few boxes.
  start() {
    let level = [this.net.root];
    let boxes = this.net.root.children.length;
    while (level.length) {
      const blocks = level.flatMap((item) => item.children).filter((item) => item.children);
      boxes += blocks.reduce((sum, item) => sum + item.children.length - 1, 0);
      if (boxes > OPEN_AT_FIRST) return;
      for (const item of blocks) this.open.add(item.name);
      level = blocks;
    }
  }

  tools() {
    this.legend = make("span", { class: "scale" });
    this.explain();
    const own = this.net.overlay ? [make("option", { value: "overlay" }, this.net.overlay.title)] : [];
    const select = make("select", { onchange: (event) => { this.heat = event.target.value; this.explain(); this.show(); } }, ...own,
      ...HEATS.filter(([key]) => key !== "seconds" || this.net.total.seconds).map(([value, text]) => make("option", { value }, text)));
    return make("div", { class: "tools" },
      make("label", {}, this.net.overlay ? "Colour by " : "Colour by share of ", select),
      make("button", { type: "button", onclick: () => this.all(true) }, "Open all"),
      make("button", { type: "button", onclick: () => this.all(false) }, "Fold all"),
      make("button", { type: "button", "aria-label": "zoom out", onclick: () => this.scale(0.8) }, "\u2212"),
      make("button", { type: "button", "aria-label": "zoom in", onclick: () => this.scale(1.25) }, "+"),
      make("button", { type: "button", onclick: () => this.scale(null) }, "Fit"),
      make("label", {}, "Find ", make("input", { type: "search", placeholder: "a name or an operator", autocomplete: "off", spellcheck: "false", oninput: (event) => this.search(event.target.value) })),
      this.legend);
  }

  all(on) {
    this.open.clear();
    const walk = (item) => { if (item.children) { this.open.add(item.name); item.children.forEach(walk); } };
    if (on) walk(this.net.root);
    this.show();
  }

  toggle(item) {
    if (!this.open.delete(item.name)) this.open.add(item.name);
    this.show();
    this.place.querySelector(`[data-name="${CSS.escape(item.name)}"][role]`)?.focus({ preventScroll: true });
  }

  show() {
    const whole = lay(this.net.root, 0, (item) => this.open.has(item.name));
    const [blocks, edges, boxes] = [[], [], []];
    this.titles = []; // of open blocks, written over the edges
    const collect = (laid, x, y, top) => {
      if (!top) (laid.inside.length ? blocks : boxes).push(this.box(laid, x, y));
      for (const points of laid.edges) edges.push(make("svg:path", { class: "wire", d: wayOf(points, x, y) }));
      for (const [child, middle, above] of laid.inside) collect(child, x + middle - child.width / 2, y + above, false);
    };
    collect(whole, 0, 0, true);
    const scroll = this.place.scrollTop;
    this.size = [whole.width, whole.height];
    this.place.replaceChildren(make("svg:svg", { width: whole.width * this.zoom, height: whole.height * this.zoom, viewBox: `0 0 ${whole.width} ${whole.height}`, role: "group", "aria-label": `architecture of ${this.net.name}` },
      ...blocks, ...edges, ...this.titles, ...boxes));
    const middle = () => { this.place.scrollLeft = (this.place.scrollWidth - this.place.clientWidth) / 2; };
    if (this.place.isConnected) middle(); else requestAnimationFrame(middle);
    this.place.scrollTop = scroll;
  }

  sum(item, fact) {
    return item.layers.reduce((sum, place) => sum + (this.net.layers[place][fact] ?? 0), 0);
  }

  isFound(item) {
    return this.found.size > 0 && item.layers.some((place) => this.found.has(this.net.layers[place].name));
  }

  box(laid, x, y) {
    const { item, width, height } = laid;
    const shut = !laid.inside.length;
    const last = this.net.layers[item.layers[item.layers.length - 1]];
    const [macs, params, access] = ["macs", "params", "access"].map((fact) => this.sum(item, fact));
    const kind = item.children ? `${item.layers.length} layers` : last.op;
    const first = this.net.layers[item.layers[0]];
    const ins = first.inputs.map((place) => shape(this.net.layers[place].out)).join(", ");
    const given = !item.children && last.attributes ? `\n${last.attributes}` : "";
    const told = `${item.name}: ${kind}${given}\n${ins ? `${ins} -> ` : ""}${shape(last.out)}\n${macs.toLocaleString("en-US")} macs, ${params.toLocaleString("en-US")} params, ${bytes(access)} memory access${this.net.total.seconds ? `, ${written(this.sum(item, "seconds"), "seconds")} measured` : ""}`;
    const own = this.own(item);
    const all = own === null ? told : `${told}\n${this.net.overlay.title}: ${this.painted(own)}`;
    const attributes = { "data-name": item.name, class: `${shut ? "box" : "open"}${shut && this.isFound(item) ? " found" : ""}` };
    if (item.children) {
      Object.assign(attributes, { role: "button", tabindex: 0, "aria-expanded": String(!shut), "aria-label": `${shut ? "open" : "fold"} ${item.name}, ${kind}`,
        onclick: (event) => { event.stopPropagation(); this.toggle(item); },
        onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.toggle(item); } } });
    }
    const fill = `color-mix(in srgb, var(--heat) ${(100 * this.warmth(item)).toFixed(1)}%, var(--box))`;
    const painted = this.heat === "overlay" && known(this.net.overlay.values[item.name]); // of a block itself
    const rect = { x, y, width, height, rx: 5 };
    if (!shut) {
      this.titles.push(make("svg:text", { class: "title", x: x + 8, y: y + BOX.heading - 8 }, `\u2212 ${cut(item.label, 11 + Math.trunc((width - BOX.width) / 16))}${painted ? ` \u00b7 ${this.painted(own)}` : ""}`));
      return make("svg:g", attributes, make("svg:title", {}, all), make("svg:rect", { ...rect, class: "block", style: painted ? `fill:${fill}` : null }));
    }
    const work = this.heat === "overlay" ? (own === null ? "" : ` \u00b7 ${this.painted(own)}`) : macs ? ` \u00b7 ${count(macs)} macs` : params ? ` \u00b7 ${count(params)} params` : "";
    const size = (this.heat === "overlay" && this.net.overlay.sizes?.[last.name]) || shape(last.out);
    const window = !item.children && last.window ? ` ${last.window}` : "";
    const title = item.children ? `+ ${cut(`${item.label} (${item.layers.length})`, 22)}` : `${cut(item.label, 24 - window.length)}${window}`;
    return make("svg:g", attributes, make("svg:title", {}, all), make("svg:rect", { ...rect, style: `fill:${fill}` }),
      make("svg:text", { x: x + width / 2, y: y + 17, "text-anchor": "middle" }, title),
      make("svg:text", { class: "size", x: x + width / 2, y: y + 33, "text-anchor": "middle" }, cut(`${size}${work}`, 28)));
  }
}

function cut(text, letters) {
  if (text.length <= letters) return text;
  const front = Math.trunc((letters - 1) / 3);
  return `${text.slice(0, front)}\u2026${text.slice(text.length - (letters - 1 - front))}`;
}

function wayOf(points, left, top) {
  let [x, y] = [points[0][0] + left, points[0][1] + top];
  let way = `M${x} ${y}`;
  points.slice(1).forEach(([right, down], number) => {
    const [toX, toY] = [right + left, down + top];
    const middle = (y + toY) / 2;
    way += number % 2 === 0 || toX === x ? `V${toY}` : `C${x} ${middle} ${toX} ${middle} ${toX} ${toY}`;
    [x, y] = [toX, toY];
  });
  return way;
}

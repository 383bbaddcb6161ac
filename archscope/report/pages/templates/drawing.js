// The architecture as SVG. Blocks unfold and fold; the colour of a box shows its share.
const HEATS = [["macs", "macs"], ["params", "params"], ["access", "memory access"], ["seconds", "measured time"]];
const OPEN_AT_FIRST = 36; // boxes

class Drawing {
  constructor(net) {
    this.net = net;
    this.open = new Set();
    this.heat = "macs";
    this.place = make("div", { class: "drawing", tabindex: 0, role: "region", "aria-label": `drawing of ${net.name}` });
    this.start();
    this.show();
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
    const select = make("select", { onchange: (event) => { this.heat = event.target.value; this.show(); } },
      ...HEATS.filter(([key]) => key !== "seconds" || this.net.total.seconds).map(([value, text]) => make("option", { value }, text)));
    return make("div", { class: "tools" },
      make("label", {}, "Colour by share of ", select),
      make("button", { type: "button", onclick: () => this.all(true) }, "Open all"),
      make("button", { type: "button", onclick: () => this.all(false) }, "Fold all"),
      make("span", { class: "scale" }, "0 %", make("i"), "100 %"));
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
    const collect = (laid, x, y, top) => {
      if (!top) (laid.inside.length ? blocks : boxes).push(this.box(laid, x, y));
      for (const points of laid.edges) edges.push(make("svg:path", { class: "wire", d: wayOf(points, x, y) }));
      for (const [child, middle, above] of laid.inside) collect(child, x + middle - child.width / 2, y + above, false);
    };
    collect(whole, 0, 0, true);
    const scroll = this.place.scrollTop;
    this.place.replaceChildren(make("svg:svg", { width: whole.width, height: whole.height, role: "group", "aria-label": `architecture of ${this.net.name}` },
      ...blocks, ...edges, ...boxes));
    const middle = () => { this.place.scrollLeft = (this.place.scrollWidth - this.place.clientWidth) / 2; };
    if (this.place.isConnected) middle(); else requestAnimationFrame(middle);
    this.place.scrollTop = scroll;
  }

  sum(item, fact) {
    return item.layers.reduce((sum, place) => sum + (this.net.layers[place][fact] ?? 0), 0);
  }

  box(laid, x, y) {
    const { item, width, height } = laid;
    const shut = !laid.inside.length;
    const last = this.net.layers[item.layers[item.layers.length - 1]];
    const [macs, params, access] = ["macs", "params", "access"].map((fact) => this.sum(item, fact));
    const kind = item.children ? `${item.layers.length} layers` : last.op;
    const told = `${item.name}: ${kind}\n${shape(last.out)}\n${macs.toLocaleString("en-US")} macs, ${params.toLocaleString("en-US")} params, ${bytes(access)} memory access${this.net.total.seconds ? `, ${written(this.sum(item, "seconds"), "seconds")} measured` : ""}`;
    const attributes = { "data-name": item.name, class: shut ? "box" : "open" };
    if (item.children) {
      Object.assign(attributes, { role: "button", tabindex: 0, "aria-expanded": String(!shut), "aria-label": `${shut ? "open" : "fold"} ${item.name}, ${kind}`,
        onclick: (event) => { event.stopPropagation(); this.toggle(item); },
        onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.toggle(item); } } });
    }
    const rect = { x, y, width, height, rx: 5 };
    if (!shut) {
      return make("svg:g", attributes, make("svg:title", {}, told), make("svg:rect", { ...rect, class: "block" }),
        make("svg:text", { x: x + 8, y: y + BOX.heading - 8 }, `\u2212 ${cut(item.label, 11 + Math.trunc((width - BOX.width) / 16))}`));
    }
    const share = this.net.total[this.heat] ? this.sum(item, this.heat) / this.net.total[this.heat] : 0;
    const fill = `color-mix(in srgb, var(--heat) ${(100 * Math.sqrt(share)).toFixed(1)}%, var(--box))`;
    const work = macs ? ` \u00b7 ${count(macs)} macs` : params ? ` \u00b7 ${count(params)} params` : "";
    const title = item.children ? `+ ${cut(`${item.label} (${item.layers.length})`, 22)}` : cut(item.label, 24);
    return make("svg:g", attributes, make("svg:title", {}, told), make("svg:rect", { ...rect, style: `fill:${fill}` }),
      make("svg:text", { x: x + width / 2, y: y + 17, "text-anchor": "middle" }, title),
      make("svg:text", { class: "size", x: x + width / 2, y: y + 33, "text-anchor": "middle" }, cut(`${shape(last.out)}${work}`, 28)));
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

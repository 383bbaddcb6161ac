// The section on one network, built when it is opened.
const KEYS = ["op", "inputs", "out", "params", "macs", "access", "alive", "field", "stride", "seconds"];

function read(id) {
  const data = JSON.parse(find(`data-${id}`).textContent);
  const names = [];
  const root = itemOf(data.tree, "", names);
  const layers = data.layers.map((row, place) => {
    const layer = Object.fromEntries(KEYS.map((key, column) => [key, row[column]]));
    return { ...layer, op: data.ops[layer.op], attributes: data.texts[data.attributes[place]], window: data.windows[place], name: names[place], place };
  });
  const total = Object.fromEntries(["macs", "params", "access", "seconds"].map((key) => [key, layers.reduce((sum, layer) => sum + (layer[key] ?? 0), 0)]));
  return { ...networks.get(id), ...data, root, layers, total };
}

function openNetwork(details) {
  const body = details.querySelector(".body");
  if (body.childElementCount) return;
  const net = read(details.id.slice("network-".length));
  const drawing = new Drawing(net);
  const [stagesPlace, memoryPlace, fieldPlace, roofPlace] = ["Cost by stage", "Memory timeline", "Receptive field growth", "Roofline"]
    .map((label) => chartPlace(`${label} of ${net.name}`));
  body.append(...introduction(net),
    make("h4", {}, "Architecture"), drawing.tools(), drawing.place, drawing.told, ...beforeAndAfter(net),
    make("div", { class: "pair" },
      make("div", {}, make("h4", {}, "Cost by stage"), stagesPlace),
      make("div", {}, make("h4", {}, "Memory timeline"), memoryPlace, make("p", { class: "muted small" }, `The peak is ${bytes(net.peak_bytes)}, while ${net.peak} runs.`)),
      make("div", {}, make("h4", {}, "Receptive field growth"), fieldPlace, make("p", { class: "muted small" }, fieldNote(net))),
      make("div", {}, ...roofline(net, roofPlace))),
    stageTable(net), ...findings(net), make("h4", {}, "Layers"), layerTable(net),
    ...(net.yaml ? [make("h4", {}, "Spec"), make("pre", { tabindex: 0 }, net.yaml)] : []));
  chart(stagesPlace, () => stageBars(net));
  chart(memoryPlace, () => memoryLine(net));
  chart(fieldPlace, () => fieldLine(net));
}

// What the receptive field of a network is that of.
function fieldNote(net) {
  if (!net.layers.some((layer) => known(layer.field))) return "";
  if (!net.field) return "The last feature map sees the whole input.";
  const wide = net.layers.some((layer) => !known(layer.field) && layer.stride !== null && layer.out.length > 1 && Math.max(...layer.out.slice(1)) > 1);
  return `The receptive field ${wide && net.values.coverage < 1 ? "before the layers that may see the whole input" : "of the last feature map"} is ${net.field} (size / stride, in pixels).`;
}

// A value and its limit, which read differently if the value is over it.
function besideLimit(value, limit, kind, broken) {
  const [text, most] = [apart(value, limit, kind), written(limit, kind)];
  return broken ? `${text} breaks the guideline: over ${most}` : `${text} (limit ${most})`;
}

function introduction(net) {
  const link = /^https?:\/\//.test(net.paper) ? make("a", { href: net.paper, rel: "noopener noreferrer" }, net.paper) : net.paper;
  const facts = page.measures.filter((one) => known(net.values[one.key]) || one.key === "field").map((one) => {
    const broken = net.broken.includes(one.key);
    const text = one.key === "field" ? net.field || "-" : written(net.values[one.key], one.kind);
    const limit = net.scores.find((score) => score.code === one.key)?.limit;
    const exact = one.kind === "count" ? net.values[one.key].toLocaleString("en-US") : one.about;
    return make("div", { title: exact }, make("dt", {}, one.label), make("dd", { class: broken ? "broken" : null }, limit === undefined || limit === null ? text : besideLimit(net.values[one.key], limit, one.kind, broken)));
  });
  return [
    net.about || net.paper ? make("p", {}, net.about, net.about && net.paper ? " " : "", link || null) : null,
    ...net.accuracy.map((line) => make("p", {}, `${line}.`)),
    net.missing.length ? make("p", { class: "note" }, `Not known: ${net.missing.join("; ")}.`) : null,
    make("p", { class: "muted small" }, `${net.source}, input ${net.input}, batch ${net.batch}, ${net.dtype}${net.weights ? `, weights as in ${net.weights}` : ""}`),
    make("dl", { class: "facts" }, ...facts),
  ].filter(Boolean);
}

const stageLabel = ([key, size]) => (size ? `${stageName(key)} (${size})` : stageName(key));

function stageBars(net) {
  const kinds = [["macs", 5, "accent", ""], ["params", 4, "second", "/"], ["memory access", 6, "third", "."]];
  const traces = kinds.map(([name, column, colour, pattern]) => {
    const whole = net.stages.reduce((sum, stage) => sum + stage[column], 0);
    return { type: "bar", name, x: net.stages.map(([key]) => stageName(key)), y: net.stages.map((stage) => (whole ? stage[column] / whole : 0)),
      marker: { color: tone(colour), pattern: { shape: pattern, fillmode: "overlay", fgcolor: tone("page"), size: 6 } },
      hovertext: net.stages.map((stage) => `${stageLabel(stage)}: ${column === 6 ? bytes(stage[column]) : count(stage[column])} ${name}`), hoverinfo: "text" };
  });
  return [traces, { barmode: "group", showlegend: true, xaxis: axis("stage: map size / input size", { type: "category" }), yaxis: shares("share of the network", [0, ...traces.flatMap((trace) => trace.y)]) }];
}

const shortTick = (net) => whole("layer, in order of execution", [net.layers.length - 1], { rangemode: "tozero", range: [-0.5, net.layers.length - 0.5] });

function memoryLine(net) {
  const alive = net.layers.map((layer) => layer.alive);
  if (!alive.every(known)) return nothing("A saved analysis has no timeline.");
  const peak = alive.indexOf(Math.max(...alive));
  const room = Math.max(alive[peak], 1) * 1.2;
  const at = net.layers[peak];
  return [[{ type: "scatter", mode: "lines", fill: "tozeroy", line: { shape: "hvh", color: tone("accent"), width: 1.5 },
    x: alive.map((_, place) => place), y: alive,
    hovertext: net.layers.map((layer) => `${plain(layer.name)}<br>${bytes(layer.alive)} alive`), hoverinfo: "text" },
  { type: "scatter", mode: "markers", x: [peak], y: [at.alive], hoverinfo: "skip", marker: { color: tone("second"), size: 11, symbol: "diamond" } }],
  { xaxis: shortTick(net), yaxis: { ...scale("memory of feature maps", [0, room], "bytes"), range: [0, room] },
    annotations: [{ x: peak, y: at.alive, text: `peak ${bytes(at.alive)}`, showarrow: false, yshift: 15,
      xanchor: peak < net.layers.length / 3 ? "left" : peak > (2 * net.layers.length) / 3 ? "right" : "center" }] }];
}

function fieldLine(net) {
  const seen = net.layers.filter((layer) => known(layer.field));
  if (!seen.length) return nothing("No layer has a spatial extent.");
  const whole = Math.max(...net.layers[0].out.slice(1));
  const traces = [{ type: "scatter", mode: "lines", line: { shape: "hv", color: tone("accent"), width: 2 },
    x: seen.map((layer) => layer.place), y: seen.map((layer) => layer.field),
    hovertext: seen.map((layer) => `${plain(layer.name)}<br>sees ${layer.field}, stride ${layer.stride}`), hoverinfo: "text" }];
  const line = { type: "line", xref: "paper", x0: 0, x1: 1, y0: whole, y1: whole, line: { color: tone("second"), dash: "dash", width: 1.5 } };
  return [traces, { xaxis: shortTick(net), yaxis: axis("pixels of the input", { rangemode: "tozero" }), shapes: [line],
    annotations: [{ xref: "paper", x: 0.01, y: whole, xanchor: "left", yanchor: "bottom", text: `the input: ${whole}`, showarrow: false }] }];
}

// The roofline: each layer by its macs per byte, for a machine that the reader describes.
function roofline(net, place) {
  const compute = make("input", { type: "number", min: "0.001", step: "any", value: 1000 });
  const memory = make("input", { type: "number", min: "0.001", step: "any", value: 100 });
  const note = make("p", { class: "muted small", role: "status" });
  const show = () => {
    const [peak, band] = [Number(compute.value) * 1e9, Number(memory.value) * 1e9];
    if (!(peak > 0 && band > 0)) { note.textContent = "Both numbers must be above 0."; return; }
    chart(place, () => roofChart(net, peak, band, note));
  };
  for (const input of [compute, memory]) input.addEventListener("input", show);
  requestAnimationFrame(show);
  return [make("h4", {}, "Roofline"),
    make("div", { class: "tools small" }, make("label", {}, "A machine of ", compute, " Gmacs/s"), make("label", {}, "and ", memory, " GB/s")),
    place, note];
}

function roofChart(net, peak, band, note) {
  const points = net.layers.filter((layer) => layer.macs && layer.access).map((layer) => ({ ...layer, x: layer.macs / layer.access,
    bound: layer.macs / peak >= layer.access / band ? "compute" : "memory", seconds: Math.max(layer.macs / peak, layer.access / band) }));
  const others = net.layers.filter((layer) => !layer.macs).reduce((sum, layer) => sum + layer.access / band, 0);
  const least = points.reduce((sum, point) => sum + point.seconds, others);
  const held = points.filter((point) => point.bound === "memory").reduce((sum, point) => sum + point.seconds, others);
  note.textContent = least ? `At least ${scaled(least, "s")} for a forward pass, ${(100 * held / least).toFixed(0)} % of it bound by memory (for this example; enter the numbers of your machine).` : "";
  if (!points.length) return nothing("No layer has macs.");
  const reach = points.map((point) => point.x).concat(peak / band);
  const ends = [Math.min(...reach) / 2, peak / band, Math.max(...reach) * 2];
  const traces = [{ type: "scatter", mode: "lines", x: ends, y: ends.map((x) => Math.min(peak, x * band) / 1e9), line: { color: tone("wire"), width: 2 }, hoverinfo: "skip", showlegend: false }];
  for (const [bound, colour, symbol] of [["memory", "second", "triangle-up"], ["compute", "accent", "circle"]]) {
    const members = points.filter((point) => point.bound === bound);
    traces.push({ type: "scatter", mode: "markers", name: `bound by ${bound}`, x: members.map((point) => point.x), y: members.map((point) => Math.min(peak, point.x * band) / 1e9),
      hovertext: members.map((point) => `${plain(point.name)} (${point.op})<br>${point.x.toFixed(2)} macs/byte<br>${scaled(point.seconds, "s")} at least`), hoverinfo: "text",
      marker: { color: tone(colour), symbol, opacity: 0.75, size: members.map((point) => 6 + 34 * Math.sqrt(point.seconds / least)) } });
  }
  return [traces, { showlegend: true, xaxis: scale("macs per byte", ends, "number", true), yaxis: scale("Gmacs per second at best", ends.map((x) => Math.min(peak, x * band) / 1e9), "number", true) }];
}

function stageTable(net) {
  const rows = net.stages.map((stage) => [stageLabel(stage), [stage[2], String(stage[2])], [stage[3], String(stage[3])], [stage[5], count(stage[5])],
    [stage[4], count(stage[4])], [stage[6], bytes(stage[6])], [stage[7], stage[7] === null ? "-" : bytes(stage[7])]]);
  return table(`Stages of ${net.name}`, ["stage", "layers", "most channels", "macs", "params", "memory access", "peak memory"], rows, new Set([1, 2, 3, 4, 5, 6]));
}

function findings(net) {
  const told = (value) => (typeof value === "number" ? value.toLocaleString("en-US", { maximumSignificantDigits: Number.isInteger(value) ? 21 : 4 })
    : Array.isArray(value) ? value.map(told).join(" and ") : value && typeof value === "object" ? `(${listed(value)})` : String(value));
  const listed = (facts) => Object.entries(facts).map(([name, value]) => `${name.replace(/_/g, " ")} ${told(value)}`).join(", ");
  const list = net.findings.map((found) => {
    const evidence = listed(found.evidence ?? {});
    const where = [found.node, found.line ? `line ${found.line}` : "", found.others ? `and ${found.others.length} more` : ""].filter(Boolean).join(", ");
    return make("li", { class: found.severity }, make("span", { class: "code" }, found.code), `${found.rule ?? ""}: ${found.message}`,
      make("span", { class: "muted small" }, ` ${[where, evidence].filter(Boolean).join(" \u2014 ")}`),
      found.fix ? make("span", { class: "small" }, ` Fix: ${found.fix.about}.`) : null);
  });
  return [make("h4", {}, `Findings (${list.length})`), list.length ? make("ul", { class: "findings" }, ...list) : make("p", { class: "muted" }, "archscope lint finds nothing.")];
}

function layerTable(net) {
  const rows = net.layers.map((layer) => [[layer.place, layer.name], layer.op, layer.attributes, [layer.out.reduce((one, other) => one * other, 1), shape(layer.out)],
    [layer.params, layer.params ? count(layer.params) : ""], [layer.macs, layer.macs ? count(layer.macs) : ""],
    [net.total.macs ? layer.macs / net.total.macs : "", layer.macs ? written(layer.macs / net.total.macs, "share") : ""],
    [layer.access, layer.access ? bytes(layer.access) : ""], [layer.alive, layer.alive === null ? "-" : bytes(layer.alive)],
    [layer.field ?? "", layer.field === null ? (layer.stride === null ? "-" : "all") : `${layer.field} / ${layer.stride}`]]);
  return table(`Layers of ${net.name}`, ["layer", "op", "attributes", "out", "params", "macs", "% macs", "memory access", "alive", "field"], rows, new Set([3, 4, 5, 6, 7, 8, 9]));
}

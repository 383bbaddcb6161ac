// Networks by two measures: the Pareto front, the rest dimmed, and pinned networks.
const pinned = new Set();
const LABELLED = 24; // with more points, only some have a name
const MARGIN = { l: 70, r: 40, t: 38, b: 56 };

function startTradeoffs() {
  if (!find("scatter")) return;
  const axes = [find("axis-x"), find("axis-y")];
  for (const select of axes) {
    for (const one of page.measures) select.append(make("option", { value: one.key }, one.label));
  }
  axes[0].value = "macs";
  axes[1].value = page.judge;
  for (const control of [...axes, find("log-axes")]) control.addEventListener("change", showTradeoffs);
  document.addEventListener("filtered", showTradeoffs);
  for (const box of document.querySelectorAll(".pin")) {
    box.addEventListener("change", () => pin(box.closest("tr").dataset.id, box.checked));
  }
  showTradeoffs();
  showCosts();
}

const ACCURACIES = ["accuracy", "predicted_top1", "published_top1"];
const COSTS = ["params", "latency_seconds", "predicted_ms"];

// Accuracy against what else a network costs: macs are in the chart above.
function showCosts() {
  if (!ACCURACIES.includes(page.judge)) return;
  for (const key of COSTS) {
    const all = page.networks.filter((one) => known(one.values[key]) && known(one.values[page.judge]));
    if (all.length < 2) continue;
    const label = sentence(`${measures.get(page.judge).label} against ${measures.get(key).label}`);
    const place = chartPlace(label);
    find("costs").append(make("div", {}, make("h3", {}, label), place));
    const alike = comparable(all, page.judge);
    chart(place, () => scatter(place, all, alike, paretoFront(alike, key, page.judge), true, key, page.judge));
  }
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1);

function pin(id, on) {
  if (on) pinned.add(id); else pinned.delete(id);
  document.dispatchEvent(new Event("pinned"));
  find("table").querySelector(`tr[data-id="${CSS.escape(id)}"] .pin`).checked = on;
  showTradeoffs();
}

// Return the networks that no other dominates by both measures.
function paretoFront(all, x, y) {
  const cost = (one, key) => one.values[key] * (measures.get(key).better === "more" ? -1 : 1);
  return all.filter((one) => !all.some((other) =>
    cost(other, x) <= cost(one, x) && cost(other, y) <= cost(one, y) &&
    (cost(other, x) < cost(one, x) || cost(other, y) < cost(one, y))));
}

// Return the networks with the most frequent input, or accuracies on the most frequent images; others are not comparable.
function comparable(all, ...keys) {
  const groups = new Map();
  const kind = (one) => (keys.includes("accuracy") ? `${one.input}, ${one.measured?.on}` : one.input);
  for (const one of all) groups.set(kind(one), [...(groups.get(kind(one)) ?? []), one]);
  return [...groups.values()].reduce((most, group) => (group.length > most.length ? group : most), []);
}

function showTradeoffs() {
  const [x, y] = [find("axis-x").value, find("axis-y").value];
  const all = visible().filter((one) => known(one.values[x]) && known(one.values[y]));
  const alike = comparable(all, x, y);
  const front = paretoFront(alike, x, y);
  const comparableMeasures = measures.get(x).better && measures.get(y).better && x !== y;
  const empty = visible().length ? "No network has both measures." : "No network passes the filter.";
  chart(find("scatter"), () => (all.length ? scatter(find("scatter"), all, alike, front, comparableMeasures, x, y) : nothing(empty)),
    (point) => pin(point.customdata, !pinned.has(point.customdata)));
  const names = [...front].sort((one, other) => one.values[x] - other.values[x]).map((one) => one.name);
  const direction = (key) => `${measures.get(key).better === "more" ? "higher" : measures.get(key).kind === "count" ? "fewer" : "lower"} ${measures.get(key).label}`;
  const images = [x, y].includes("accuracy") && alike[0]?.measured ? ` and ${alike[0].measured.on}` : "";
  const rest = (alike.length < all.length ? ` Only ${alike.length > 1 ? `the ${alike.length} networks` : "the network"} with input ${alike[0].input}${images} ${alike.length > 1 ? "are" : "is"} compared.` : "")
    + (alike.some((one) => spreadOf(one, x) || spreadOf(one, y)) ? " Error bars show the standard deviation between seeds, or the interval of a prediction." : "");
  find("front").textContent = !all.length ? ""
    : comparableMeasures ? `Pareto-optimal for ${direction(x)} and ${direction(y)}: ${names.slice(0, 20).join(", ")}${names.length > 20 ? ` and ${names.length - 20} more` : ""}.${rest}`
    : "For at least one of these measures, neither less nor more is better, so no network is dominated.";
  find("pinned").replaceChildren(...[...pinned].map((id) => pinCard(networks.get(id))));
}

// A spec in brief: channels at each size, four to a line.
function stagesOf(one) {
  const parts = one.stages.filter(([key]) => key !== "vector").map(([, size, , channels]) => `${channels}x${size}`);
  return parts.map((part, place) => (place && place % 4 === 0 ? `<br>${part}` : part)).join(" \u2192 ");
}

// The spec is read from the network's data when it is opened.
function specOf(one) {
  const body = make("pre", { tabindex: 0, class: "small" });
  const details = make("details", { ontoggle: () => { body.textContent ||= JSON.parse(find(`data-${one.id}`).textContent).yaml ?? "not known"; } }, make("summary", {}, "spec"), body);
  return details;
}

function pinCard(one) {
  const keys = page.measures.filter((measure) => known(one.values[measure.key])).slice(0, 6);
  return make("li", { class: "card" },
    make("button", { type: "button", "aria-label": `unpin ${one.name}`, onclick: () => pin(one.id, false) }, "\u00d7"),
    make("a", { href: `#network-${one.id}` }, one.name),
    ...keys.map((measure) => make("span", { class: "label" }, `${measure.label} ${written(one.values[measure.key], measure.kind)}`)), specOf(one));
}

// How far a value may be off, below and above it.
function spreadOf(one, key) {
  if (key === "accuracy" && one.measured?.spread) return [one.measured.spread, one.measured.spread];
  if (key === "predicted_top1" && one.predicted) return [one.values[key] - one.predicted[0], one.predicted[1] - one.values[key]];
  return null;
}

// Names are written beside their points, where no other name, point or error bar is; a name without room is left out.
const NAME = { letter: 6.3, height: 14, gap: 7, most: 28 };
const SIDES = [["top center", 0, -1], ["bottom center", 0, 1], ["top right", 1, -1], ["top left", -1, -1],
  ["middle right", 1, 0], ["middle left", -1, 0], ["bottom right", 1, 1], ["bottom left", -1, 1]];

function namesOf(named, all, [x, y], [across, up], place) {
  const [width, height] = [place.clientWidth - MARGIN.l - MARGIN.r, place.clientHeight - MARGIN.t - MARGIN.b];
  const share = (value, { type, range: [low, high] }) => ((type === "log" ? Math.log10(value) : value) - low) / (high - low);
  const [column, row] = [(value) => share(value, across) * width, (value) => (1 - share(value, up)) * height];
  const taken = all.flatMap((one) => {
    const [left, top] = [column(one.values[x]), row(one.values[y])];
    const [wide, tall] = [spreadOf(one, x), spreadOf(one, y)];
    return [[left - 5, top - 5, left + 5, top + 5],
      ...(wide ? [[column(one.values[x] - wide[0]), top - 4, column(one.values[x] + wide[1]), top + 4]] : []),
      ...(tall ? [[left - 4, row(one.values[y] + tall[1]), left + 4, row(one.values[y] - tall[0])]] : [])];
  });
  const inside = ([left, top, right, bottom]) => left >= 0 && right <= width + MARGIN.r && top >= -MARGIN.t / 4 && bottom <= height;
  const free = (box) => inside(box) && taken.every((other) => box[2] <= other[0] || box[0] >= other[2] || box[3] <= other[1] || box[1] >= other[3]);
  const written = new Map();
  for (const one of named) {
    const name = one.name.length <= NAME.most ? one.name : `${one.name.slice(0, NAME.most / 2 - 2)}\u2026${one.name.slice(1 - NAME.most / 2)}`;
    const length = NAME.letter * name.length;
    const [left, top] = [column(one.values[x]), row(one.values[y])];
    const boxOf = (right, below) => {
      const [start, above] = [left + (right - 1) * length / 2 + right * NAME.gap, top + (below - 1) * NAME.height / 2 + below * NAME.gap];
      return [start, above, start + length, above + NAME.height];
    };
    const side = SIDES.find(([, right, below]) => free(boxOf(right, below)));
    if (!side) continue;
    taken.push(boxOf(side[1], side[2]));
    written.set(one.id, [plain(name), side[0]]);
  }
  return written;
}

function errorBars(members, key) {
  const spreads = members.map((one) => spreadOf(one, key) ?? [0, 0]);
  return { type: "data", symmetric: false, arrayminus: spreads.map(([low]) => low), array: spreads.map(([, high]) => high), thickness: 1.2, width: 4,
    visible: spreads.some(([low, high]) => low || high), color: tone("soft") };
}

function scatter(place, all, alike, front, comparableMeasures, x, y) {
  const others = new Set(all.filter((one) => !alike.includes(one)).map((one) => one.id));
  const best = new Set(front.map((one) => one.id));
  const groups = comparableMeasures
    ? [["not comparable", all.filter((one) => others.has(one.id)), "soft", "x-thin-open", 0.6],
       ["dominated", alike.filter((one) => !best.has(one.id)), "soft", "circle-open", 0.6],
       ["Pareto-optimal", front, "accent", "circle", 1]]
    : [["networks", all, "accent", "circle", 1]];
  const side = (key) => {
    const values = all.flatMap((one) => { const [low, high] = spreadOf(one, key) ?? [0, 0]; return [one.values[key] - low, one.values[key] + high]; });
    const [least, most] = [Math.min(...values), Math.max(...values)];
    // A logarithmic axis shows little of values that are close, and nothing of shares.
    const log = find("log-axes").checked && measures.get(key).kind !== "share" && least > 0 && most / least >= 4;
    return values.length ? scale(measures.get(key).label, values, measures.get(key).kind, log) : axis(measures.get(key).label);
  };
  const axes = [side(x), side(y)];
  const rank = (one) => (pinned.has(one.id) ? 0 : best.has(one.id) ? 1 : 2);
  const named = all.filter((one) => all.length <= LABELLED || pinned.has(one.id) || (best.has(one.id) && best.size <= LABELLED / 2));
  const names = all.length ? namesOf(named.sort((one, other) => rank(one) - rank(other)), all, [x, y], axes, place) : new Map();
  const tell = (one) => [`<b>${plain(one.name)}</b>`, plain(one.about).slice(0, 90), `input ${plain(one.input)}`, stagesOf(one),
    ...[...new Set([x, y, "params", "macs"])].map((key) => `${measures.get(key).label}: ${written(one.values[key], measures.get(key).kind)}${key === "accuracy" && one.measured ? ` of the ${plain(one.measured.on)}, ${one.measured.scores.length === 1 ? "1 seed" : `${one.measured.scores.length} seeds`}` : ""}`),
    one.broken.length ? `breaks ${one.broken.join(", ")}` : ""].filter(Boolean).join("<br>");
  const traces = groups.filter(([, members]) => members.length).map(([name, members, colour, symbol, opacity]) => ({
    type: "scatter", mode: "markers+text", name, opacity,
    x: members.map((one) => one.values[x]), y: members.map((one) => one.values[y]),
    customdata: members.map((one) => one.id), error_x: errorBars(members, x), error_y: errorBars(members, y),
    text: members.map((one) => names.get(one.id)?.[0] ?? ""), textposition: members.map((one) => names.get(one.id)?.[1] ?? "top center"), textfont: { size: 11 }, cliponaxis: false,
    hovertext: members.map(tell), hoverinfo: "text",
    marker: { color: members.map((one) => tone(pinned.has(one.id) ? "second" : colour)), size: members.map((one) => (pinned.has(one.id) ? 15 : 10)),
      symbol: members.map((one) => (pinned.has(one.id) ? "diamond" : symbol)), line: { width: 1.5 } },
  }));
  if (comparableMeasures && front.length > 1) {
    const ordered = [...front].sort((one, other) => one.values[x] - other.values[x]);
    const better = [x, y].map((key) => measures.get(key).better);
    traces.unshift({ type: "scatter", mode: "lines", hoverinfo: "skip", showlegend: false,
      x: ordered.map((one) => one.values[x]), y: ordered.map((one) => one.values[y]),
      line: { color: tone("accent"), width: 1.5, dash: "dot", shape: better[0] === "less" ? "hv" : "vh" } });
  }
  return [traces, { xaxis: axes[0], yaxis: axes[1], showlegend: comparableMeasures, margin: MARGIN }];
}

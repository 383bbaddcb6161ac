// Networks by two measures: the Pareto front, the rest dimmed, and pinned networks.
const pinned = new Set();
const LABELLED = 24; // with more points, names would overlap

function startTradeoffs() {
  if (!find("scatter")) return;
  const axes = [find("axis-x"), find("axis-y")];
  for (const select of axes) {
    for (const one of page.measures) select.append(make("option", { value: one.key }, one.label));
  }
  const judge = ["accuracy", "predicted_top1"].find((key) => page.networks.filter((one) => known(one.values[key])).length > 1);
  axes[0].value = "macs";
  axes[1].value = judge ?? "memory_access_bytes";
  for (const control of [...axes, find("log-axes")]) control.addEventListener("change", showTradeoffs);
  document.addEventListener("filtered", showTradeoffs);
  for (const box of document.querySelectorAll(".pin")) {
    box.addEventListener("change", () => pin(box.closest("tr").dataset.id, box.checked));
  }
  showTradeoffs();
}

function pin(id, on) {
  if (on) pinned.add(id); else pinned.delete(id);
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

// Return the networks with the most frequent input; costs for different inputs are not comparable.
function comparable(all) {
  const groups = new Map();
  for (const one of all) groups.set(one.input, [...(groups.get(one.input) ?? []), one]);
  return [...groups.values()].reduce((most, group) => (group.length > most.length ? group : most), []);
}

function showTradeoffs() {
  const [x, y] = [find("axis-x").value, find("axis-y").value];
  const all = visible().filter((one) => known(one.values[x]) && known(one.values[y]));
  const alike = comparable(all);
  const front = paretoFront(alike, x, y);
  const comparableMeasures = measures.get(x).better && measures.get(y).better && x !== y;
  chart(find("scatter"), () => scatter(all, alike, front, comparableMeasures, x, y),
    (point) => pin(point.customdata, !pinned.has(point.customdata)));
  const names = front.map((one) => one.name);
  const direction = (key) => `${measures.get(key).better === "more" ? "more" : "less"} ${measures.get(key).label}`;
  const rest = alike.length < all.length ? ` Compared ${alike.length > 1 ? `are the ${alike.length}` : "is the one"} with input ${alike[0].input}.` : "";
  find("front").textContent = !all.length ? "No network has both measures."
    : comparableMeasures ? `Pareto-optimal for ${direction(x)} and ${direction(y)}: ${names.slice(0, 20).join(", ")}${names.length > 20 ? ` and ${names.length - 20} more` : ""}.${rest}`
    : "At least one of these measures has no better direction, so no network is dominated.";
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

function scatter(all, alike, front, comparableMeasures, x, y) {
  const others = new Set(all.filter((one) => !alike.includes(one)).map((one) => one.id));
  const best = new Set(front.map((one) => one.id));
  const groups = comparableMeasures
    ? [["other input", all.filter((one) => others.has(one.id)), "soft", "x-thin-open", 0.6],
       ["dominated", alike.filter((one) => !best.has(one.id)), "soft", "circle-open", 0.6],
       ["Pareto-optimal", front, "accent", "circle", 1]]
    : [["networks", all, "accent", "circle", 1]];
  const tell = (one) => [`<b>${plain(one.name)}</b>`, plain(one.about).slice(0, 90), `input ${plain(one.input)}`, stagesOf(one),
    ...[...new Set([x, y, "params", "macs"])].map((key) => `${measures.get(key).label}: ${written(one.values[key], measures.get(key).kind)}`),
    one.broken.length ? `breaks ${one.broken.join(", ")}` : ""].filter(Boolean).join("<br>");
  const traces = groups.filter(([, members]) => members.length).map(([name, members, colour, symbol, opacity]) => ({
    type: "scatter", mode: "markers+text", name, opacity,
    x: members.map((one) => one.values[x]), y: members.map((one) => one.values[y]),
    customdata: members.map((one) => one.id),
    text: members.map((one) => (all.length <= LABELLED || pinned.has(one.id) ? plain(one.name) : "")),
    textposition: "top center", textfont: { size: 11 }, cliponaxis: false,
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
  const log = find("log-axes").checked;
  const scale = (key) => ({ type: log && all.every((one) => one.values[key] > 0) ? "log" : "linear", ...ticks(key, all) });
  return [traces, { xaxis: axis(measures.get(x).label, scale(x)), yaxis: axis(measures.get(y).label, scale(y)),
    showlegend: comparableMeasures, margin: { l: 70, r: 40, t: 30, b: 56 } }];
}

// Shares in percent, seconds and bytes with their units.
function ticks(key, all) {
  const kind = measures.get(key).kind;
  if (kind === "share") return { tickformat: PERCENT, nticks: 8 };
  if (kind !== "bytes" && kind !== "seconds") return { exponentformat: "SI" };
  const values = all.map((one) => one.values[key]).filter((value) => value > 0);
  if (!values.length) return {};
  const base = kind === "bytes" ? 2 : 10;
  const [low, high] = [Math.min(...values), Math.max(...values)].map((value) => Math.log(value) / Math.log(base));
  const step = Math.max(1, Math.ceil((high - low) / 6));
  const places = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); power += step) places.push(base ** power);
  return { tickvals: places, ticktext: places.map((value) => written(value, kind).replace(/\.?0+ /, " ")) };
}

// Several networks side by side, as a whole and stage by stage. The pinned networks are compared, and the first ones
// where none is pinned; a stage that is chosen is lit in the chart and in the table.
const COLUMNS = { macs: 5, params: 4, access: 6 };
const COMPARED = 3; // networks, while none is pinned
const TONES = ["accent", "second", "third", "soft", "link", "warn"];
const PATTERNS = ["", "/", ".", "x", "\\", "-"];
let stageChosen = null;

function startComparison() {
  if (!find("comparison")) return;
  for (const control of [find("baseline"), find("comparison-measure")]) control.addEventListener("change", showComparison);
  document.addEventListener("pinned", showComparison);
  showComparison();
}

function chosen() {
  if (pinned.size) return page.networks.filter((one) => pinned.has(one.id));
  const alike = comparable(page.networks);
  return (alike.length > 1 ? alike : page.networks).slice(0, COMPARED);
}

// What stages without a size relative to the input are called, in their order after those with one.
const UNSIZED = { sequence: "sequences", vector: "vectors" };
const stageName = (key) => UNSIZED[key] ?? key;

// The downsampling factor of a stage; sequences and vectors come last.
function pixels(key) {
  if (key in UNSIZED) return 1e9 * (1 + Object.keys(UNSIZED).indexOf(key));
  return key.endsWith("x") ? 1 / Number(key.slice(0, -1)) : Number(key.slice(2));
}

// How a value differs from that of the baseline: shares in points, all else by a factor.
function change(one, other, kind, better) {
  const points = fixed(Math.abs(Number(fixed(100 * other, 1)) - Number(fixed(100 * one, 1))), 1);
  if (one === other || (kind === "share" && points === "0.0")) return make("span", { class: "muted small" }, "same");
  const [less, more] = [Math.min(one, other), Math.max(one, other)];
  const factor = more / less;
  const times = less > 0 ? `${factor < 10 ? factor.toFixed(2) : count(Number(factor.toPrecision(3)))} times` : other > one ? "new" : "none";
  const look = better ? (other < one === (better === "less") ? "better" : "worse") : "muted";
  return make("span", { class: `${look} small` }, `${other < one ? "\u25BC" : "\u25B2"} ${kind === "share" ? `${points} points` : times}`);
}

const cell = (value, kind, base, better) => make("td", { class: "number" }, written(value, kind), known(value) && known(base) ? change(base, value, kind, better) : null);

function comparisonTable(label, heads, rows) {
  const whole = make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((text, place) => make("th", { scope: "col", class: place ? "number" : null }, text)))),
    make("tbody", {}, ...rows));
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, whole);
}

function showComparison() {
  const nets = chosen();
  const select = find("baseline");
  const before = select.value;
  select.replaceChildren(...nets.map((one) => make("option", { value: one.id }, one.name)));
  if (nets.some((one) => one.id === before)) select.value = before;
  const base = networks.get(select.value);
  const ordered = [base, ...nets.filter((one) => one !== base)];
  find("compared").textContent = pinned.size ? `The ${nets.length} pinned networks are compared.`
    : `The first ${nets.length} networks are compared; pin others in the overview or in the chart of trade-offs.`;
  const used = page.measures.filter((measure) => ordered.some((one) => known(one.values[measure.key])));
  const totals = used.map((measure) => make("tr", {}, make("th", { scope: "row", title: measure.about }, measure.label),
    ...ordered.map((one) => cell(one.values[measure.key], measure.kind, one === base ? undefined : base.values[measure.key], measure.better))));
  const place = chartPlace(`${find("comparison-measure").selectedOptions[0].text} of the compared networks by stage`);
  const stages = make("div");
  find("comparison-body").replaceChildren(comparisonTable("Compared networks", ["measure", ...ordered.map((one) => one.name)], totals), place, stages);
  const show = () => showStages(ordered, place, stages, (key) => { stageChosen = stageChosen === key ? null : key; show(); });
  show();
}

function showStages(nets, place, table, choose) {
  const measure = find("comparison-measure").value;
  const kind = measure === "access" ? "bytes" : "count";
  const stages = nets.map((net) => new Map(net.stages.map((stage) => [stage[0], stage])));
  const keys = [...new Set(stages.flatMap((each) => [...each.keys()]))].sort((a, b) => pixels(a) - pixels(b));
  const value = (side, key) => stages[side].get(key)?.[COLUMNS[measure]] ?? 0;
  if (!keys.includes(stageChosen)) stageChosen = null;
  const rows = keys.map((key) => make("tr", { class: key === stageChosen ? "chosen" : null },
    make("th", { scope: "row" }, make("button", { type: "button", class: "plain", "aria-pressed": String(key === stageChosen), onclick: () => choose(key) }, UNSIZED[key] ?? `${key} of the input`)),
    ...nets.map((_, side) => {
      const made = cell(value(side, key), kind, side ? value(0, key) : undefined, "less");
      const stage = stages[side].get(key);
      if (stage) made.append(make("span", { class: "muted small" }, `${stage[2]} ${stage[2] === 1 ? "layer" : "layers"}, ${stage[3]} ${stage[3] === 1 ? "channel" : "channels"}`));
      return made;
    })));
  const focused = table.contains(document.activeElement) ? [...table.querySelectorAll("button")].indexOf(document.activeElement) : -1;
  table.replaceChildren(comparisonTable("Stages of the compared networks", ["stage", ...nets.map((one) => one.name)], rows));
  if (focused >= 0) table.querySelectorAll("button")[focused]?.focus();
  const labels = keys.map(stageName);
  chart(place, () => [nets.map((net, side) => ({ type: "bar", name: plain(net.name), x: labels, y: keys.map((key) => value(side, key)), customdata: keys,
    marker: { color: tone(TONES[side % TONES.length]), opacity: keys.map((key) => (stageChosen && key !== stageChosen ? 0.3 : 1)), pattern: { shape: PATTERNS[side % PATTERNS.length], fillmode: "overlay", fgcolor: tone("page"), size: 6 } },
    hovertext: keys.map((key) => `${plain(net.name)}, ${key}: ${written(value(side, key), kind)} ${measure}`), hoverinfo: "text" })),
  { barmode: "group", showlegend: true, xaxis: axis("stage: map size / input size", { type: "category" }),
    yaxis: { ...scale(measure === "access" ? "memory access" : measure, [0, ...nets.flatMap((_, side) => keys.map((key) => value(side, key)))], kind), rangemode: "tozero", range: [0, 1.08 * Math.max(1, ...nets.flatMap((_, side) => keys.map((key) => value(side, key))))] } }],
  (point) => choose(point.customdata));
}

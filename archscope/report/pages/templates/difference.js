// Two networks side by side, stage by stage.
const COLUMNS = { params: 4, macs: 5, access: 6 };

function startDifference() {
  if (!find("difference")) return;
  const selects = [find("from"), find("to")];
  for (const select of selects) {
    for (const one of page.networks) select.append(make("option", { value: one.id }, one.name));
  }
  selects[1].selectedIndex = 1;
  for (const control of [...selects, find("difference-measure")]) control.addEventListener("change", showDifference);
  showDifference();
}

// The downsampling factor of a stage; vectors come last.
function pixels(key) {
  if (key === "vector") return Infinity;
  return key.endsWith("x") ? 1 / Number(key.slice(0, -1)) : Number(key.slice(2));
}

function change(one, other, kind, better = "less") {
  if (one === other) return make("span", { class: "muted" }, "same");
  const [less, more] = [Math.min(one, other), Math.max(one, other)];
  const ratio = less ? `${(more / less).toFixed(2)} times` : "all of it";
  return make("span", { class: other < one === (better === "less") ? "better" : "worse" }, `${other < one ? "\u25BC" : "\u25B2"} ${written(more - less, kind)} (${ratio})`);
}

function showDifference() {
  const [one, other] = [find("from"), find("to")].map((select) => networks.get(select.value));
  const stages = [one, other].map((net) => new Map(net.stages.map((stage) => [stage[0], stage])));
  const keys = [...new Set([...stages[0].keys(), ...stages[1].keys()])].sort((a, b) => pixels(a) - pixels(b));
  const value = (side, key, column) => stages[side].get(key)?.[column] ?? 0;
  const kinds = [[5, "count"], [4, "count"], [6, "bytes"]];
  const rows = keys.map((key) => [[pixels(key), key === "vector" ? "vectors" : `${key} of the input`],
    ...[2, 3].map((column) => [value(1, key, column) - value(0, key, column), `${value(0, key, column)} \u2192 ${value(1, key, column)}`]),
    ...kinds.flatMap(([column, kind]) => {
      const [before, after] = [value(0, key, column), value(1, key, column)];
      return [[after, `${written(before, kind)} \u2192 ${written(after, kind)}`], [after - before, change(before, after, kind)]];
    })]);
  const totals = page.measures.filter((measure) => known(one.values[measure.key]) && known(other.values[measure.key])).map((measure) => {
    const [before, after] = [one.values[measure.key], other.values[measure.key]];
    return make("div", {}, make("dt", {}, measure.label),
      make("dd", {}, `${written(before, measure.kind)} \u2192 ${written(after, measure.kind)} `, measure.better ? change(before, after, measure.kind, measure.better) : null));
  });
  const place = chartPlace(`Difference of ${one.name} and ${other.name} by stage`);
  find("difference-body").replaceChildren(make("dl", { class: "facts" }, ...totals), place,
    table(`Stages of ${one.name} and ${other.name}`, ["stage", "layers", "most channels", "macs", "change", "params", "change", "memory access", "change"], rows, new Set([1, 2, 3, 4, 5, 6, 7, 8])));
  const measure = find("difference-measure").value;
  const labels = keys.map((key) => (key === "vector" ? "vectors" : key));
  chart(place, () => [[one, other].map((net, side) => ({ type: "bar", name: plain(net.name), x: labels, y: keys.map((key) => value(side, key, COLUMNS[measure])),
    marker: { color: tone(side ? "second" : "accent"), pattern: { shape: side ? "/" : "", fillmode: "overlay", fgcolor: tone("page"), size: 6 } },
    hovertext: keys.map((key) => `${plain(net.name)}, ${key}: ${measure === "access" ? bytes(value(side, key, COLUMNS[measure])) : count(value(side, key, COLUMNS[measure]))}`), hoverinfo: "text" })),
  { barmode: "group", showlegend: true, xaxis: axis("stage", { type: "category" }), yaxis: axis(measure === "access" ? "bytes of memory access" : measure, { exponentformat: "SI" }) }]);
}

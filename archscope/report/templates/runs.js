// Trainings: curves by epoch and step, and which classes were taken for which.
function openRun(details) {
  const body = details.querySelector(".drawn");
  if (body.childElementCount) return;
  const run = JSON.parse(find("runs-data").textContent).find((one) => one.id === details.id);
  const pair = make("div", { class: "pair" });
  body.append(pair);
  const groups = new Map();
  for (const [axisName, curves] of [["epoch", run.epochs], ["step", run.steps]]) {
    for (const curve of curves) {
      const measure = curve.name.replace(/^(train|validation)_/, "");
      if (axisName === "step" && groups.has(`epoch ${measure}`)) continue;
      const key = `${axisName} ${measure}`;
      if (!groups.has(key)) groups.set(key, { axisName, measure, curves: [] });
      groups.get(key).curves.push(curve);
    }
  }
  for (const { axisName, measure, curves } of groups.values()) {
    const title = measure.replace(/_/g, " ");
    const place = chartPlace(`${title} of ${run.name} by ${axisName}`);
    pair.append(make("div", {}, make("h4", {}, title), place));
    chart(place, () => [curves.map((curve, number) => ({ type: "scatter", mode: "lines+markers", name: plain(curve.name.replace(/_/g, " ")), x: curve.x, y: curve.y,
      marker: { size: 6, symbol: number ? "diamond" : "circle" }, line: { color: tone(number ? "second" : "accent"), dash: number ? "dash" : "solid", width: 2 } })),
    { showlegend: curves.length > 1, xaxis: axis(axisName), yaxis: axis(title, /^(top|accuracy)/.test(measure) ? { tickformat: ".0%" } : {}) }]);
  }
  if (run.confusion) body.append(...confusion(run));
}

function confusion(run) {
  const { classes, counts } = run.confusion;
  const place = chartPlace(`confusion matrix of ${run.name}`, "tall");
  const shares = counts.map((row) => { const sum = row.reduce((one, other) => one + other, 0); return row.map((value) => (sum ? value / sum : 0)); });
  requestAnimationFrame(() => chart(place, () => [[{ type: "heatmap", z: shares, x: classes.map(plain), y: classes.map(plain), zmin: 0, zmax: 1,
    colorscale: [[0, tone("page")], [1, tone("accent")]], text: classes.length <= 20 ? counts.map((row) => row.map((value) => (value ? String(value) : ""))) : undefined,
    texttemplate: classes.length <= 20 ? "%{text}" : undefined, customdata: counts, hovertemplate: "%{y} taken for %{x}: %{customdata}<extra></extra>" }],
  { xaxis: axis("taken for", { type: "category" }), yaxis: axis("class", { type: "category", autorange: "reversed" }) }]));
  return [make("h4", {}, "Confusion"), place];
}

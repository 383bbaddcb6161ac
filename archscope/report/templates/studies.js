// Searches: the best so far of each arm, what decided, and all trials side by side.
function openStudy(details) {
  const body = details.querySelector(".drawn");
  if (body.childElementCount) return;
  const study = JSON.parse(find("studies-data").textContent).find((one) => one.id === details.id);
  const [bestPlace, importancePlace] = [chartPlace(`best so far of ${study.name}`), chartPlace(`importance of decisions of ${study.name}`)];
  const pair = make("div", { class: "pair" });
  body.append(pair);
  if (study.best.length) {
    pair.append(make("div", {}, make("h4", {}, "Best so far"), bestPlace));
    chart(bestPlace, () => [study.best.map((arm, number) => ({ type: "scatter", mode: "lines", name: plain(arm.name), x: arm.x, y: arm.y,
      line: { shape: "hv", width: 2, color: tone(number ? "second" : "accent"), dash: number ? "dash" : "solid" } })),
    { showlegend: true, xaxis: axis("trial"), yaxis: axis("value") }]);
  }
  if (study.importance.length) {
    pair.append(make("div", {}, make("h4", {}, "Importance of decisions"), importancePlace));
    const ordered = [...study.importance].sort((one, other) => one[1] - other[1]);
    chart(importancePlace, () => [[{ type: "bar", orientation: "h", y: ordered.map(([name]) => plain(name)), x: ordered.map(([, value]) => value), marker: { color: tone("accent") } }],
      { xaxis: axis("importance"), yaxis: axis("", { type: "category" }) }]);
  }
  if (study.trials.length) {
    const numbers = new Set(study.columns.map((_, place) => place).filter((place) => study.trials.every((trial) => trial[place] === null || typeof trial[place] === "number")));
    const rows = study.trials.map((trial) => trial.map((value) => [value ?? "", value === null ? "-" : String(value)]));
    body.append(make("h4", {}, "Trials"), table(`Trials of ${study.name}`, study.columns, rows, numbers));
  }
}

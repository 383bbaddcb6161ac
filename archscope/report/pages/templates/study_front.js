// What scores cost, and how sure those of the best are.
const POINTS = 1500; // of a chart of trials

// Every network by a cost and its score, with the Pareto front.
function costAndScore(study, pair) {
  const column = (name) => study.columns.indexOf(name);
  const score = column(study.score);
  const rated = study.trials.filter((trial) => known(trial[score]));
  const keys = Object.keys(study.costs).filter((key) => new Set(rated.map((trial) => trial[column(key)]).filter(known)).size > 1);
  if (!keys.length) return;
  const place = chartPlace(`score against cost of ${study.name}`);
  const [select, told] = [picker(keys, keys[0]), make("p", { class: "muted small" })];
  const best = new Set(study.finalists.map((one) => one.trial));
  const show = () => {
    const key = select.value;
    const kind = study.costs[key];
    const rows = rated.filter((trial) => known(trial[column(key)])).sort((one, other) => one[column(key)] - other[column(key)] || gain(study, other[score] - one[score]));
    const front = [];
    for (const trial of rows) if (!front.length || gain(study, trial[score] - front.at(-1)[score]) > 0) front.push(trial);
    const costs = rows.map((trial) => trial[column(key)]);
    const log = costs[0] > 0 && costs.at(-1) / costs[0] >= 4;
    const limits = study.budgets.filter((one) => one.cost === key && one.limit <= 2 * costs.at(-1));
    const drawn = evenly(rows, POINTS);
    told.textContent = `${frontInWords(study, front, column(key), key, log)}${drawn.length < rows.length ? ` ${count(drawn.length)} of ${count(rows.length)} networks are drawn.` : ""}`;
    const baseline = (trial) => ["baseline", "uniform"].includes(trial[column("origin")]);
    const points = (name, members, marker) => ({ type: "scatter", mode: "markers", name, x: members.map((trial) => trial[column(key)]), y: members.map((trial) => trial[score]), marker,
      hovertext: members.map((trial) => `trial ${trial[0]} (${plain(trial[column("origin")])})<br>${scored(study, trial[score])}<br>${plain(key)} ${written(trial[column(key)], kind)}`), hoverinfo: "text" });
    chart(place, () => [[
      points("search", drawn.filter((trial) => !baseline(trial)), { color: tone("accent"), size: 7, opacity: 0.55 }),
      points("baseline", drawn.filter(baseline), { color: tone("second"), size: 7, opacity: 0.7, symbol: "diamond" }),
      { type: "scatter", mode: "lines", name: "Pareto front", x: front.map((trial) => trial[column(key)]), y: front.map((trial) => trial[score]), line: { color: tone("ink"), width: 1.5, dash: "dot", shape: "hv" }, hoverinfo: "skip" },
      points("trained again", rows.filter((trial) => best.has(trial[0])), { color: tone("ink"), size: 14, symbol: "circle-open", line: { width: 2 } }),
    ].filter((trace) => trace.x.length),
    { showlegend: true, xaxis: scale(key, [...costs, ...limits.map((one) => one.limit)], kind, log), yaxis: scoreAxis(study, rows.map((trial) => trial[score])),
      shapes: limits.map((one) => ({ type: "line", x0: one.limit, x1: one.limit, yref: "paper", y0: 0, y1: 1, line: { color: tone("ink"), dash: "dash", width: 1.5 } })),
      annotations: limits.map((one) => ({ x: log ? Math.log10(one.limit) : one.limit, yref: "paper", y: 0, yanchor: "bottom", xanchor: "right", text: plain(one.budget), showarrow: false, font: { size: 11, color: tone("ink") } })) }]);
  };
  select.addEventListener("change", show);
  pair.append(make("div", {}, make("h4", {}, "Score against cost"), make("div", { class: "tools" }, make("label", {}, "Cost ", select)), place, told));
  show();
}

// How long the front is, and where it bends: at the point farthest above the line between its ends.
function frontInWords(study, front, cost, key, log) {
  const [kind, score] = [study.costs[key], study.columns.indexOf(study.score)];
  const [first, last] = [front[0], front.at(-1)];
  const tell = (trial) => `trial ${trial[0]} (${written(trial[cost], kind)} ${BARE.has(kind) ? key : `of ${key}`}, ${scored(study, trial[score])})`;
  if (front.length < 3) return `Pareto-optimal: ${front.map(tell).join(" and ")}.`;
  const [across, up] = [(trial) => (log ? Math.log(trial[cost] / first[cost]) / Math.log(last[cost] / first[cost]) : (trial[cost] - first[cost]) / (last[cost] - first[cost])), (trial) => (trial[score] - first[score]) / (last[score] - first[score])];
  const bend = front.reduce((one, other) => (up(other) - across(other) > up(one) - across(one) ? other : one));
  const more = Math.abs(last[score] - bend[score]);
  const bought = study.metric.kind === "share" ? `${fixed(100 * more, 1)} points` : `${scored(study, more)} of ${study.score}`;
  const rest = bend === last || up(bend) <= across(bend) ? `It does not bend: ${study.metric.direction === "minimize" ? "it falls" : "score rises"} evenly with cost.`
    : `It bends at ${tell(bend)}: beyond it, ${fixed(last[cost] / bend[cost], 2)} times the ${key} buy ${bought}.`;
  return `The front has ${front.length} networks, from ${tell(first)} to ${tell(last)}. ${rest} ${study.evaluator ? "Each network was evaluated once." : "Scores are of single trainings."}`;
}

const BARE = new Set(["count", "number"]); // kinds whose numbers stand before a noun

// The trainings of the best again, one point for each seed, and their scores in the search.
function finalists(study, pair) {
  const place = chartPlace(`scores of the best of ${study.name}, trained again`);
  const rows = [...study.finalists].reverse();
  const name = (one) => `trial ${one.trial}`;
  place.style.height = `${Math.max(220, 110 + 34 * rows.length)}px`;
  pair.append(make("div", {}, make("h4", {}, "The best, trained again: every seed"), place,
    make("p", { class: "muted small" }, "Trials were chosen because their scores in the search were high, in part by chance; those of the longer trainings are not chosen. Where intervals overlap, the order may be chance.")));
  const several = rows.filter((one) => known(one.low));
  chart(place, () => [[
    { type: "scatter", mode: "markers", name: "in the search", x: rows.map((one) => one.searched), y: rows.map(name), marker: { symbol: "diamond-open", size: 10, color: tone("second"), line: { width: 2 } }, hovertext: rows.map((one) => `${name(one)} in the search: ${scored(study, one.searched)}`), hoverinfo: "text" },
    { type: "scatter", mode: "markers", name: "mean, 95 % interval", x: several.map((one) => one.mean), y: several.map(name), marker: { symbol: "line-ns-open", size: 14, color: tone("ink"), line: { width: 2 } },
      error_x: { type: "data", symmetric: false, array: several.map((one) => one.high - one.mean), arrayminus: several.map((one) => one.mean - one.low), color: tone("ink"), thickness: 1.5, width: 5 }, hovertext: several.map((one) => `${name(one)}: ${scored(study, one.mean)}, ${scored(study, one.low)} to ${scored(study, one.high)}`), hoverinfo: "text" },
    { type: "scatter", mode: "markers", name: "one seed", x: rows.flatMap((one) => one.scores), y: rows.flatMap((one) => one.scores.map(() => name(one))), marker: { size: 8, color: tone("accent"), opacity: 0.7 }, hovertext: rows.flatMap((one) => one.scores.map((value) => `${name(one)}: ${scored(study, value)}`)), hoverinfo: "text" },
  ].filter((trace) => trace.x.length),
  { showlegend: true, xaxis: scoreAxis(study, rows.flatMap((one) => [one.searched, ...one.scores, ...[one.low, one.high].filter(known)])), yaxis: named("trial", rows.map(name)) }]);
}

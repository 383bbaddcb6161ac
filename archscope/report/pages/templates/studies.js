const ROWS = 500; // of the table of trials

const JOBS = 400; // that are drawn one by one

const scoreOf = (study) => (study.prior ? "predicted top-1" : study.score);

// Scores as text, as numbers of which more is better, and as an axis.
const scored = (study, value) => written(value, study.metric.kind);

const gain = (study, value) => (study.metric.direction === "minimize" ? -value : value);

const scoreAxis = (study, values) => (study.metric.kind === "share" ? shares(scoreOf(study), values) : scale(scoreOf(study), values.filter(known), study.metric.kind));

const trainedWord = (study) => (study.prior ? "predicted" : study.evaluator ? "evaluated" : "trained");

// Searches: the best so far, what it cost, which decisions matter, and all trials.
function openStudy(details) {
  const body = details.querySelector(".drawn");
  if (body.childElementCount) return;
  const study = JSON.parse(find("studies-data").textContent).find((one) => one.id === details.id);
  const bestPlace = chartPlace(`best so far of ${study.name}`);
  const pair = make("div", { class: "pair" });
  body.append(pair);
  if (study.best.length) {
    pair.append(make("div", {}, make("h4", {}, "Best so far"), bestPlace));
    const [low, high] = study.chance;
    const band = low ? [low, high].map((edge, top) => ({ type: "scatter", mode: "lines", name: "best of as many random networks, 95 %", showlegend: Boolean(top), hoverinfo: "skip", x: edge.x, y: edge.y,
      line: { width: 0, shape: "hv", color: tone("second") }, fill: top ? "tonexty" : "none", fillcolor: `${tone("second")}2e` })) : [];
    if (study.best.length > 1) bestPlace.after(make("p", { class: "muted small" }, low ? "Faint points are single networks. The band is the 95 % interval of the best of so many uniformly drawn networks, estimated from the baseline; it cannot be better than the best of the baseline."
      : "Faint points are single networks. The baseline has too few networks to estimate the band of random search."));
    chart(bestPlace, () => [[...band, ...study.best.flatMap((curve, number) => singles(study, curve, number)), ...study.best.map((curve, number) => ({ type: "scatter", mode: curve.x.length > LINES ? "lines" : "lines+markers", name: plain(curve.name), x: curve.x, y: curve.y,
      line: { shape: "hv", width: 2, color: tone(number ? "second" : "accent"), dash: number ? "dash" : "solid" } }))],
    { showlegend: true, xaxis: whole(`${trainedWord(study)} networks`, study.best.flatMap((curve) => curve.x), { rangemode: "tozero" }), yaxis: scoreAxis(study, [...study.best.flatMap((curve) => curve.y), ...scores(study)].concat(low ? [...low.y, ...high.y] : [])) }]);
  }
  costAndScore(study, pair);
  if (study.importance.length) importance(study, pair);
  if (study.finalists.some((one) => one.runs?.length)) finalists(study, pair);
  const bars = (title, pairs, label, about, more) => {
    const place = chartPlace(`${title} of ${study.name}`);
    place.style.height = `${Math.min(340, 130 + 40 * pairs.length)}px`;
    pair.append(make("div", {}, make("h4", {}, title), place, ...more));
    const ordered = [...pairs].reverse();
    chart(place, () => [[{ type: "bar", orientation: "h", y: ordered.map(([name]) => plain(name)), x: ordered.map(([, value]) => value), marker: { color: tone("accent") },
      width: 0.7, text: ordered.map(([, value]) => (Number.isInteger(value) ? count(value) : fixed(value, 2))), textposition: "auto", textangle: 0 }],
    { xaxis: about === "outcome" ? whole(label, pairs.map(([, value]) => value), { rangemode: "tozero" }) : axis(label, { range: [-1.05, 1.05], dtick: 0.5 }), yaxis: named(about, ordered.map(([name]) => name)) }]);
  };
  if (study.counts.length > 1) bars("Networks by outcome", study.counts, "networks", "outcome", []);
  if (study.proxies.length) bars("Proxies against the accuracy", study.proxies, "rank correlation (Spearman)", "proxy", [caveat(study, (count) => `correlations within \u00b1${(1.96 / Math.sqrt(count - 1)).toFixed(2)} may be chance`)]);
  if (study.agreement.length) agreement(study, pair);
  for (const one of study.budgets) budgetUse(study, one, pair);
  if (study.work.length) workers(study, pair);
  if (!study.trials.length) return;
  if (scores(study).some(known) && study.decisions.length) choices(study, body);
  body.append(make("h4", {}, "Trials"), ...trialTable(study));
}

function trialTable(study) {
  const score = study.columns.indexOf(study.score);
  const worth = (trial) => (known(trial[score]) ? gain(study, trial[score]) : -Number.MAX_VALUE);
  const shown = study.trials.length <= ROWS ? study.trials
    : [...study.trials].sort((one, other) => worth(other) - worth(one)).slice(0, ROWS);
  const part = shown.length < study.trials.length ? [make("p", { class: "muted small" }, `The ${count(shown.length)} with the ${study.metric.direction === "minimize" ? "lowest" : "highest"} ${study.metric.kind === "share" ? "score" : study.score} of ${count(study.trials.length)}; all are in trials.jsonl.`)] : [];
  const numbers = new Set(study.columns.map((_, place) => place).filter((place) => study.trials.every((trial) => trial[place] === null || typeof trial[place] === "number")));
  const told = (value, name) => (value === null ? "-" : name === study.score ? scored(study, value) : name in study.costs ? written(value, study.costs[name]) : String(value));
  const rows = shown.map((trial) => trial.map((value, place) => [value ?? "", told(value, study.columns[place])]));
  return [...part, make("div", { class: "trials" }, table(`Trials of ${study.name}`, study.columns, rows, numbers))];
}

const scores = (study) => study.trials.map((trial) => trial[study.columns.indexOf(study.score)]);

// The score of every training of a curve, as points below its best so far.
function singles(study, curve, number) {
  const [origin, outcome] = ["origin", "outcome"].map((name) => study.columns.indexOf(name));
  const own = study.trials.filter((trial) => ["trained", "pruned", "failed", "predicted"].includes(trial[outcome]) && ["baseline", "uniform"].includes(trial[origin]) === (curve.name === "baseline"));
  if (own.length !== curve.x.length) return []; // the trials are not all listed
  const score = study.columns.indexOf(study.score);
  const drawn = evenly(own.map((trial, place) => [curve.x[place], trial]), POINTS);
  return [{ type: "scatter", mode: "markers", showlegend: false, x: drawn.map(([step]) => step), y: drawn.map(([, trial]) => trial[score]), marker: { size: 6, color: tone(number ? "second" : "accent"), opacity: 0.45 },
    hovertext: drawn.map(([, trial]) => `trial ${trial[0]}: ${scored(study, trial[score])}`), hoverinfo: "text" }];
}

const FEW = 30; // trainings that say little of decisions and proxies

const trainedIn = (study) => study.trials.filter((trial) => known(trial[study.columns.indexOf(study.score)])).length;

// How many networks something was computed from, and what that means if they are few.
function caveat(study, words, more = "") {
  const count = trainedIn(study);
  const few = count > 2 && count < FEW ? `; from so few, ${typeof words === "string" ? words : words(count)}` : "";
  return make("p", { class: "muted small" }, `From ${count.toLocaleString("en-US")} networks with a score${few}.${more}`);
}

// What a prior expected of networks, against what their trainings gave.
function agreement(study, pair) {
  const place = chartPlace(`predicted and measured of ${study.name}`);
  pair.append(make("div", {}, make("h4", {}, "Predicted and measured"), place,
    make("p", { class: "muted small" }, "The prediction is for ImageNet, the score for the images trained on: only the order can agree.")));
  chart(place, () => [[{ type: "scatter", mode: "markers", x: study.agreement.map((one) => one.predicted), y: study.agreement.map((one) => one.measured), marker: { color: tone("accent"), size: 8 },
    hovertext: study.agreement.map((one) => `trial ${one.trial}<br>predicted ${written(one.predicted, "share")}<br>score ${written(one.measured, "share")}`), hoverinfo: "text" }],
  { xaxis: shares("predicted top-1 on ImageNet", study.agreement.map((one) => one.predicted)), yaxis: shares("score on the images trained on", study.agreement.map((one) => one.measured)) }]);
}

// How much of a budget the networks use; values over three times the budget are clipped.
function budgetUse(study, use, pair) {
  const place = chartPlace(`use of the budget ${use.budget} of ${study.name}`);
  pair.append(make("div", {}, make("h4", {}, `Use of the budget ${use.budget}`), place));
  const kinds = [["within", use.inside, "accent", ""], ["outside, not trained", use.beyond, "second", "/"]];
  const used = [...use.inside, ...use.beyond, use.least ?? 1].map((share) => Math.min(share, 3));
  const size = Math.max(...used) > 1.5 ? 0.1 : 0.05;
  chart(place, () => [kinds.filter(([, shares]) => shares.length).map(([name, shares, colour, pattern]) => ({ type: "histogram", name, x: shares.map((share) => Math.min(share, 3)),
    xbins: { start: 0, end: 3.1, size }, marker: { color: tone(colour), line: { color: tone("page"), width: 1 }, pattern: { shape: pattern, fillmode: "overlay", fgcolor: tone("page"), size: 6 } } })),
  { barmode: "stack", showlegend: true, xaxis: shares("share of the budget", [...used, 1], { range: [Math.min(...used, 1) - 1.2 * size, Math.max(...used, 1) + 1.2 * size] }), yaxis: whole("networks", [mostInBin([...use.inside, ...use.beyond], size)], { rangemode: "tozero" }),
    shapes: [1, use.least].filter(known).map((limit) => ({ type: "line", xref: "x", yref: "paper", x0: limit, x1: limit, y0: 0, y1: 1, line: { color: tone("ink"), dash: "dash", width: 1.5 } })) }]);
}

function mostInBin(shares, size) {
  const bins = new Map();
  for (const share of shares) {
    const bin = Math.floor(Math.min(share, 3) / size + 1e-9);
    bins.set(bin, (bins.get(bin) ?? 0) + 1);
  }
  return Math.max(...bins.values());
}

// Trainings of each worker over time; of very many, how many workers were busy.
function workers(study, pair) {
  const place = chartPlace(`workers of ${study.name}`);
  pair.append(make("div", {}, make("h4", {}, "Workers"), place));
  const end = Math.max(...study.work.map((one) => one.started + one.seconds));
  const [unit, length] = [["hours", 3600], ["minutes", 60], ["seconds", 1]].find(([, size]) => end >= 3 * size || size === 1);
  const time = { ...axis(`${unit} since the study began`), rangemode: "tozero" };
  if (study.work.length > JOBS) {
    const busy = busyWorkers(study.work, end);
    chart(place, () => [[{ type: "scatter", mode: "lines", x: busy.map((_, part) => (part * end) / busy.length / length), y: busy, fill: "tozeroy", line: { color: tone("accent"), width: 1.5, shape: "hv" }, hoverinfo: "y" }],
      { xaxis: time, yaxis: whole("busy workers", busy, { rangemode: "tozero" }) }]);
    return;
  }
  const kinds = [["trained", "accent", ""], ["pruned", "third", "."], ["failed", "second", "/"]];
  chart(place, () => [kinds.map(([outcome, colour, pattern]) => {
    const jobs = study.work.filter((one) => one.outcome === outcome);
    return { type: "bar", orientation: "h", name: outcome, y: jobs.map((one) => String(one.worker)), base: jobs.map((one) => one.started / length), x: jobs.map((one) => one.seconds / length),
      hovertext: jobs.map((one) => `trial ${one.trial}: ${one.outcome}, ${one.seconds.toFixed(1)} s`), hoverinfo: "text",
      marker: { color: tone(colour), line: { color: tone("page"), width: 1 }, pattern: { shape: pattern, fillmode: "overlay", fgcolor: tone("page"), size: 6 } } };
  }).filter((one) => one.y.length), { barmode: "overlay", showlegend: true, xaxis: time, yaxis: axis("worker", { type: "category" }) }]);
}

// The mean number of trainings in each of equal parts of the time.
function busyWorkers(work, end, parts = 200) {
  const busy = Array.from({ length: parts }, () => 0);
  for (const one of work) {
    const [from, to] = [(one.started / end) * parts, ((one.started + one.seconds) / end) * parts];
    for (let part = Math.trunc(from); part < to && part < parts; part += 1) busy[part] += Math.min(to, part + 1) - Math.max(from, part);
  }
  return busy;
}

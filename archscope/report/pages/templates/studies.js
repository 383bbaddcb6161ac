const BYTES = new Set(["weights", "access", "peak"]); // costs that are bytes

const LINES = 200; // of networks, in the chart of decisions

const VALUES = 8; // of a decision that are written beside its axis

const scoreOf = (study) => (study.prior ? "predicted top-1" : study.score);

// Searches: the best so far, the importance of decisions, and all trials as parallel coordinates.
function openStudy(details) {
  const body = details.querySelector(".drawn");
  if (body.childElementCount) return;
  const study = JSON.parse(find("studies-data").textContent).find((one) => one.id === details.id);
  const [bestPlace, importancePlace] = [chartPlace(`best so far of ${study.name}`), chartPlace(`importance of decisions of ${study.name}`)];
  const pair = make("div", { class: "pair" });
  body.append(pair);
  if (study.best.length) {
    pair.append(make("div", {}, make("h4", {}, "Best so far"), bestPlace));
    const [low, high] = study.chance;
    const band = low ? [low, high].map((edge, top) => ({ type: "scatter", mode: "lines", name: "best of as many random networks, 95 %", showlegend: Boolean(top), hoverinfo: "skip", x: edge.x, y: edge.y,
      line: { width: 0, shape: "hv", color: tone("second") }, fill: top ? "tonexty" : "none", fillcolor: `${tone("second")}2e` })) : [];
    if (study.best.length > 1) bestPlace.after(make("p", { class: "muted small" }, low ? "Faint points are single networks. The band is the 95 % interval of the best of so many uniformly drawn networks, estimated from the baseline; it cannot exceed the best of the baseline."
      : "Faint points are single networks. The baseline trained too few networks to estimate the band of random search."));
    chart(bestPlace, () => [[...band, ...study.best.flatMap((curve, number) => singles(study, curve, number)), ...study.best.map((curve, number) => ({ type: "scatter", mode: "lines+markers", name: plain(curve.name), x: curve.x, y: curve.y,
      line: { shape: "hv", width: 2, color: tone(number ? "second" : "accent"), dash: number ? "dash" : "solid" } }))],
    { showlegend: true, xaxis: whole(`${study.prior ? "predicted" : "trained"} networks`, study.best.flatMap((curve) => curve.x), { rangemode: "tozero" }), yaxis: shares(scoreOf(study), [...study.best.flatMap((curve) => curve.y), ...scores(study)].concat(low ? [...low.y, ...high.y] : [])) }]);
  }
  if (study.importance.length) {
    pair.append(make("div", {}, make("h4", {}, "Importance of decisions"), importancePlace));
    importancePlace.after(caveat(study, "the order of decisions may be chance"));
    importancePlace.style.height = `${Math.max(340, 80 + 18 * study.importance.length)}px`;
    const ordered = [...study.importance].sort((one, other) => one[1] - other[1]);
    chart(importancePlace, () => [[{ type: "bar", orientation: "h", y: ordered.map(([name]) => plain(name)), x: ordered.map(([, value]) => value), marker: { color: tone("accent") },
      text: ordered.map(([, value]) => written(value, "share")), textposition: "outside", cliponaxis: false, textfont: { size: 11 } }],
      { margin: { r: 52 }, xaxis: shares("importance (PED-ANOVA)", [0, ...ordered.map(([, value]) => value)]), yaxis: axis("decision", { type: "category", dtick: 1 }) }]);
  }
  const bars = (title, pairs, label, about, more) => {
    const place = chartPlace(`${title} of ${study.name}`);
    place.style.height = `${Math.min(340, 130 + 40 * pairs.length)}px`;
    pair.append(make("div", {}, make("h4", {}, title), place, ...more));
    const ordered = [...pairs].reverse();
    chart(place, () => [[{ type: "bar", orientation: "h", y: ordered.map(([name]) => plain(name)), x: ordered.map(([, value]) => value), marker: { color: tone("accent") },
      width: 0.7, text: ordered.map(([, value]) => (Number.isInteger(value) ? count(value) : fixed(value, 2))), textposition: "auto" }],
    { xaxis: about === "outcome" ? whole(label, pairs.map(([, value]) => value), { rangemode: "tozero" }) : axis(label, { range: [-1.05, 1.05], dtick: 0.5 }), yaxis: axis(about, { type: "category" }) }]);
  };
  if (study.counts.length) bars("Networks by outcome", study.counts, "networks", "outcome", []);
  if (study.proxies.length) bars("Proxies against the accuracy", study.proxies, "rank correlation (Spearman)", "proxy", [caveat(study, (count) => `correlations within \u00b1${(1.96 / Math.sqrt(count - 1)).toFixed(2)} may be chance`)]);
  if (study.agreement.length) agreement(study, pair);
  for (const one of study.budgets) budgetUse(study, one, pair);
  if (study.work.length) workers(study, pair);
  if (study.trials.length) {
    const scored = scores(study).some(known);
    if (scored && study.decisions.length > 1) decisions(study, body);
    if (scored && study.decisions.length) slice(study, body);
    const numbers = new Set(study.columns.map((_, place) => place).filter((place) => study.trials.every((trial) => trial[place] === null || typeof trial[place] === "number")));
    const told = (value, name) => (value === null ? "-" : name === study.score ? written(value, "share") : BYTES.has(name) ? bytes(value) : Number.isInteger(value) && value > 9999 ? count(value) : String(value));
    const rows = study.trials.map((trial) => trial.map((value, place) => [value ?? "", told(value, study.columns[place])]));
    body.append(make("h4", {}, "Trials"), table(`Trials of ${study.name}`, study.columns, rows, numbers));
  }
}

const scores = (study) => study.trials.map((trial) => trial[study.columns.indexOf(study.score)]);

// The score of every training of a curve, as points below its best so far.
function singles(study, curve, number) {
  const [origin, outcome] = ["origin", "outcome"].map((name) => study.columns.indexOf(name));
  const own = study.trials.filter((trial) => ["trained", "pruned", "failed", "predicted"].includes(trial[outcome]) && ["baseline", "uniform"].includes(trial[origin]) === (curve.name === "baseline"));
  if (own.length !== curve.x.length) return []; // the trials are not all listed
  const score = study.columns.indexOf(study.score);
  return [{ type: "scatter", mode: "markers", showlegend: false, x: curve.x, y: own.map((trial) => trial[score]), marker: { size: 6, color: tone(number ? "second" : "accent"), opacity: 0.45 },
    hovertext: own.map((trial) => `trial ${trial[0]}: ${written(trial[score], "share")}`), hoverinfo: "text" }];
}

// The scores of the networks with each choice of one decision.
function slice(study, body) {
  const place = chartPlace(`scores by choice of ${study.name}`);
  const ordered = [...study.importance].sort((one, other) => other[1] - one[1]).map(([name]) => name).filter((name) => study.decisions.includes(name));
  const select = make("select", {}, ...[...new Set([...ordered, ...study.decisions])].map((name) => make("option", { value: name }, name)));
  const show = () => chart(place, () => {
    const [column, score] = [select.value, study.score].map((name) => study.columns.indexOf(name));
    const rows = study.trials.filter((trial) => known(trial[score]) && trial[column] !== null).sort((one, other) => collator.compare(String(one[column]), String(other[column])));
    return [[{ type: "scatter", mode: "markers", x: rows.map((trial) => plain(trial[column])), y: rows.map((trial) => trial[score]), marker: { color: tone("accent"), size: 9, opacity: 0.6 },
      hovertext: rows.map((trial) => `trial ${trial[0]}: ${written(trial[score], "share")}`), hoverinfo: "text" }],
    { xaxis: axis(select.value, { type: "category" }), yaxis: shares(scoreOf(study), rows.map((trial) => trial[score])) }];
  });
  select.addEventListener("change", show);
  body.append(make("h4", {}, "Scores by choice"), make("div", { class: "tools" }, make("label", {}, "Decision ", select)), place);
  show();
}

const FEW = 30; // trainings that say little of decisions and proxies

const trainedIn = (study) => study.trials.filter((trial) => known(trial[study.columns.indexOf(study.score)])).length;

// How many networks something was computed from, and what that means if they are few.
function caveat(study, words) {
  const count = trainedIn(study);
  const few = count > 2 && count < FEW ? `; from so few, ${typeof words === "string" ? words : words(count)}` : "";
  return make("p", { class: "muted small" }, `From ${count} networks with a score${few}.`);
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
  const kinds = [["within", use.inside, "accent", ""], ["over, not trained", use.beyond, "second", "/"]];
  const used = [...use.inside, ...use.beyond].map((share) => Math.min(share, 3));
  const size = Math.max(...used) > 1.5 ? 0.1 : 0.05;
  chart(place, () => [kinds.filter(([, shares]) => shares.length).map(([name, shares, colour, pattern]) => ({ type: "histogram", name, x: shares.map((share) => Math.min(share, 3)),
    xbins: { start: 0, end: 3.1, size }, marker: { color: tone(colour), line: { color: tone("page"), width: 1 }, pattern: { shape: pattern, fillmode: "overlay", fgcolor: tone("page"), size: 6 } } })),
  { barmode: "stack", showlegend: true, xaxis: shares("share of the budget", [...used, 1], { range: [Math.min(...used, 1) - 1.2 * size, Math.max(...used, 1) + 1.2 * size] }), yaxis: whole("networks", [mostInBin([...use.inside, ...use.beyond], size)], { rangemode: "tozero" }),
    shapes: [{ type: "line", xref: "x", yref: "paper", x0: 1, x1: 1, y0: 0, y1: 1, line: { color: tone("ink"), dash: "dash", width: 1.5 } }] }]);
}

function mostInBin(shares, size) {
  const bins = new Map();
  for (const share of shares) {
    const bin = Math.floor(Math.min(share, 3) / size + 1e-9);
    bins.set(bin, (bins.get(bin) ?? 0) + 1);
  }
  return Math.max(...bins.values());
}

// Trainings of each worker over time.
function workers(study, pair) {
  const place = chartPlace(`workers of ${study.name}`);
  pair.append(make("div", {}, make("h4", {}, "Workers"), place));
  const kinds = [["trained", "accent", ""], ["pruned", "third", "."], ["failed", "second", "/"]];
  chart(place, () => [kinds.map(([outcome, colour, pattern]) => {
    const jobs = study.work.filter((one) => one.outcome === outcome);
    return { type: "bar", orientation: "h", name: outcome, y: jobs.map((one) => String(one.worker)), base: jobs.map((one) => one.started), x: jobs.map((one) => one.seconds),
      hovertext: jobs.map((one) => `trial ${one.trial}: ${one.outcome}, ${one.seconds.toFixed(1)} s`), hoverinfo: "text",
      marker: { color: tone(colour), line: { color: tone("page"), width: 1 }, pattern: { shape: pattern, fillmode: "overlay", fgcolor: tone("page"), size: 6 } } };
  }).filter((one) => one.y.length), { barmode: "overlay", showlegend: true, xaxis: axis("seconds since the study began"), yaxis: axis("worker", { type: "category" }) }]);
}

// Parallel coordinates: a line for each training, the best tenth in colour and in front.
// Plotly's own use code generated at run time, which the page's security policy forbids.
function decisions(study, body) {
  const place = chartPlace(`decisions of ${study.name}`, "tall");
  const told = make("p", { class: "muted small" });
  body.append(make("h4", {}, "Decisions"), told,
    make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `decisions of ${study.name}` }, place));
  const score = study.score;
  const names = [...study.decisions.slice(0, 28), score];
  place.style.minWidth = `${26 * names.length}px`; // names side by side need some room
  const column = (name) => study.columns.indexOf(name);
  const ranked = study.trials.filter((trial) => known(trial[column(score)])).sort((one, other) => other[column(score)] - one[column(score)]);
  const levels = new Map(names.map((name) => [name, [...new Set(ranked.map((trial) => trial[column(name)]).filter((value) => value !== null && value !== undefined))].sort(
    (one, other) => (typeof one === "number" && typeof other === "number" ? one - other : collator.compare(String(one), String(other))))]));
  const height = (trial, name) => {
    const [values, value] = [levels.get(name), trial[column(name)]];
    if (value === null || value === undefined) return null;
    if (name === score) return values.length > 1 ? (value - values[0]) / (values[values.length - 1] - values[0]) : 0.5;
    return values.length > 1 ? values.indexOf(value) / (values.length - 1) : 0.5;
  };
  const top = Math.max(1, Math.round(ranked.length / 10));
  const lines = (members, name, colour, opacity, width) => ({ type: "scatter", mode: "lines+markers", name, opacity, connectgaps: false,
    x: members.flatMap(() => [...names.map((_, place) => place), null]), y: members.flatMap((trial) => [...names.map((one) => height(trial, one)), null]),
    hovertext: members.flatMap((trial) => [...names.map((one) => `trial ${trial[0]}<br>${plain(one)}: ${plain(one === score ? written(trial[column(one)], "share") : trial[column(one)])}`), null]), hoverinfo: "text",
    marker: { size: 5, color: tone(colour) }, line: { color: tone(colour), width } });
  // Of very many lines, draw an even sample by accuracy.
  const some = (members, most) => (members.length <= most ? members : Array.from({ length: most }, (_, place) => members[Math.trunc(place * members.length / most)]));
  const [best, others] = [some(ranked.slice(0, top), LINES / 4), some(ranked.slice(top), LINES)];
  const part = best.length + others.length < ranked.length ? ` ${best.length + others.length} of ${ranked.length} are drawn, evenly by ${score}.` : "";
  const few = ranked.length < FEW ? ` With so few networks, this does not show which choices are good.` : "";
  told.textContent = `Each line is a network that was ${study.prior ? "predicted" : "trained"}; the best tenth (${best.length}) is coloured. The values of a decision are beside its axis.${part}${few}`;
  // The values of each decision beside its axis, and the ends of the score.
  const ends = (values) => (values.length > 1 ? [values[0], values[values.length - 1]] : values);
  const marks = () => names.flatMap((name, place) => {
    const values = levels.get(name);
    const shown = name === score || values.length > VALUES ? ends(values) : values;
    return shown.map((value) => ({ x: place, y: name === score ? (shown.length > 1 && value === shown[0] ? 0 : shown.length > 1 ? 1 : 0.5) : values.length > 1 ? values.indexOf(value) / (values.length - 1) : 0.5,
      text: plain(name === score ? written(value, "share") : value), showarrow: false, xanchor: "left", xshift: 4, bgcolor: tone("page"), opacity: 0.85, font: { size: 9, color: tone("ink") } }));
  });
  chart(place, () => [[lines(others, "others", "soft", 0.3, 1), lines(best, "best tenth", "second", 1, 2)],
    { annotations: marks(), showlegend: true, yaxis: axis("choice, from low to high", { showticklabels: false, range: [-0.05, 1.05] }), xaxis: axis("decision, and the score", { tickvals: names.map((_, place) => place), ticktext: names.map(plain), tickangle: -60 }) }]);
}

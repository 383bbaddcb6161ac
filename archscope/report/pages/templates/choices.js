// Which choices matter: their importance, the scores of each, of pairs, and of all together.
const LINES = 200; // of networks, in the chart of decisions

const VALUES = 8; // of a decision that are written beside its axis

const CELLS = 80; // of the chart of two decisions that have a text

const SURE = 0.05; // the p-value below which a decision matters

// Every distinct value of a column, from low to high.
function levelsOf(trials, column) {
  const values = new Set(trials.map((trial) => trial[column]).filter((value) => value !== null && value !== undefined));
  return [...values].sort((one, other) => (typeof one === "number" && typeof other === "number" ? one - other : collator.compare(String(one), String(other))));
}

// At most so many members, evenly spread.
const evenly = (members, most) => (members.length <= most ? members : Array.from({ length: most }, (_, place) => members[Math.trunc(place * members.length / most)]));

function choices(study, body) {
  const ordered = [...study.importance].sort((one, other) => other[1] - one[1]).map(([name]) => name).filter((name) => study.decisions.includes(name));
  const names = [...new Set([...ordered, ...study.decisions])];
  if (names.length > 1) parallel(study, body);
  const pair = make("div", { class: "pair" });
  body.append(pair);
  slice(study, names, pair);
  if (names.length > 1) twoChoices(study, names, pair);
}

const picker = (names, chosen) => make("select", {}, ...names.map((name) => make("option", { value: name, selected: name === chosen }, name)));

function importance(study, pair) {
  const place = chartPlace(`importance of decisions of ${study.name}`);
  const ordered = [...study.importance].sort((one, other) => one[1] - other[1]);
  const tested = ordered.some(([name]) => name in study.p_values);
  const matters = ([name]) => !tested || study.p_values[name] < SURE;
  place.style.height = `${Math.max(340, 80 + 18 * ordered.length)}px`;
  pair.append(make("div", {}, make("h4", {}, "Importance of decisions"), place, caveat(study, "the order of decisions may be chance",
    tested ? " Striped: of the networks drawn uniformly, scores differ between the choices no more than by chance (Kruskal-Wallis test at 5 %, corrected for the number of decisions). Those that the sampler chose depend on earlier scores and are not tested."
      : " Too few networks were drawn uniformly to test which decisions matter.")));
  const told = (name) => (name in study.p_values ? `, p = ${study.p_values[name].toPrecision(2)}` : "");
  chart(place, () => [[["matters", matters, ""], ["may be chance", (one) => !matters(one), "/"]].map(([name, own, pattern]) => [name, ordered.filter(own), pattern])
    .filter(([, members]) => members.length).map(([name, members, pattern]) => ({ type: "bar", orientation: "h", name, y: members.map(([key]) => plain(key)), x: members.map(([, value]) => value),
      marker: { color: tone(pattern ? "soft" : "accent"), pattern: { shape: pattern, fillmode: "overlay", fgcolor: tone("page"), size: 6 } }, text: members.map(([, value]) => written(value, "share")), textposition: "outside", cliponaxis: false, textfont: { size: 11 },
      hovertext: members.map(([key, value]) => `${plain(key)}: ${written(value, "share")}${told(key)}`), hoverinfo: "text" })),
  { barmode: "overlay", showlegend: tested, margin: { r: 52 }, xaxis: shares("importance (PED-ANOVA)", [0, ...ordered.map(([, value]) => value)]),
    yaxis: named("decision", ordered.map(([key]) => key)) }]);
}

// The scores of the networks with each choice of one decision.
function slice(study, names, pair) {
  const place = chartPlace(`scores by choice of ${study.name}`);
  const select = picker(names, names[0]);
  const show = () => chart(place, () => {
    const [column, score] = [select.value, study.score].map((name) => study.columns.indexOf(name));
    const rows = study.trials.filter((trial) => known(trial[score]) && trial[column] !== null);
    return [[{ type: "box", x: rows.map((trial) => plain(trial[column])), y: rows.map((trial) => trial[score]), boxpoints: rows.length > POINTS ? "outliers" : "all", jitter: 0.5, pointpos: 0, fillcolor: "rgba(0,0,0,0)",
      line: { color: tone("soft"), width: 1.5 }, marker: { color: tone("accent"), size: 6, opacity: 0.6 }, hoveron: "points", hovertext: rows.map((trial) => `trial ${trial[0]}: ${scored(study, trial[score])}`), hoverinfo: "text" }],
    { xaxis: named(select.value, levelsOf(rows, column).map(String)), yaxis: scoreAxis(study, rows.map((trial) => trial[score])) }];
  });
  select.addEventListener("change", show);
  pair.append(make("div", {}, make("h4", {}, "Scores by choice"), make("div", { class: "tools" }, make("label", {}, "Decision ", select)), place,
    make("p", { class: "muted small" }, "Each point is a network; boxes span the middle half of the scores, with a line at the median.")));
  show();
}

// The mean score of the networks with each pair of choices of two decisions.
function twoChoices(study, names, pair) {
  const place = chartPlace(`mean scores by two choices of ${study.name}`);
  const selects = [picker(names, names[0]), picker(names, names[1])];
  const show = () => chart(place, () => {
    const [across, up, score] = [...selects.map((select) => select.value), study.score].map((name) => study.columns.indexOf(name));
    const rows = study.trials.filter((trial) => known(trial[score]));
    const [columns, lines] = [levelsOf(rows, across), levelsOf(rows, up)];
    const cells = new Map();
    for (const trial of rows) {
      const key = `${columns.indexOf(trial[across])} ${lines.indexOf(trial[up])}`;
      cells.set(key, [...(cells.get(key) ?? []), trial[score]]);
    }
    const each = (tell, empty) => lines.map((_, line) => columns.map((__, column) => { const found = cells.get(`${column} ${line}`); return found ? tell(found, column, line) : empty; }));
    const mean = (values) => values.reduce((one, other) => one + other, 0) / values.length;
    const means = each(mean, null).flat().filter(known);
    // Colours span at least the middle half of all scores, so that small differences look small.
    const sorted = rows.map((trial) => trial[score]).sort((one, other) => one - other);
    const quarter = (number) => sorted[Math.round((sorted.length - 1) * number / 4)];
    const [least, most] = [Math.min(quarter(1), ...means), Math.max(quarter(3), ...means)];
    const places = steps(least, most, false, 5);
    return [[{ type: "heatmap", x: columns.map(plain), y: lines.map(plain), z: each(mean, null), xgap: 2, ygap: 2, zmin: least, zmax: most > least ? most : least + 1e-9 * Math.max(1, Math.abs(least)),
      colorscale: [[0, blend(tone("accent"), tone("page"), 0.1)], [1, tone("accent")]], colorbar: { thickness: 12, title: { text: `mean ${scoreOf(study)}`, side: "right" }, tickvals: places, ticktext: places.map((value) => (study.metric.kind === "share" ? `${Number((100 * value).toPrecision(4))} %` : String(Number(value.toPrecision(6))))) },
      ...(columns.length * lines.length <= CELLS ? { text: each((found) => `${scored(study, mean(found))}<br>of ${found.length}`, ""), texttemplate: "%{text}", textfont: { size: 10 } } : {}),
      customdata: each((found, column, line) => `${plain(names[selects[0].selectedIndex])} ${plain(columns[column])}<br>${plain(names[selects[1].selectedIndex])} ${plain(lines[line])}<br>mean ${scored(study, mean(found))} of ${found.length}, best ${scored(study, gain(study, Math.max(...found.map((value) => gain(study, value)))))}`, ""), hovertemplate: "%{customdata}<extra></extra>" }],
    { xaxis: axis(selects[0].value, { type: "category" }), yaxis: axis(selects[1].value, { type: "category" }) }];
  });
  for (const select of selects) select.addEventListener("change", show);
  pair.append(make("div", {}, make("h4", {}, "Mean score by two choices"), make("div", { class: "tools" }, make("label", {}, "Across ", selects[0]), make("label", {}, "Up ", selects[1])), place,
    make("p", { class: "muted small" }, "Each cell has the mean score and the number of networks with both choices; empty: none. A search tries promising choices more often.")));
  show();
}

// A colour between two, each written as #rrggbb; `share` is that of the first.
function blend(one, other, share) {
  const parts = [one, other].map((colour) => [1, 3, 5].map((place) => Number.parseInt(colour.slice(place, place + 2), 16)));
  return `rgb(${parts[0].map((value, place) => Math.round(share * value + (1 - share) * parts[1][place])).join(",")})`;
}

// Parallel coordinates: a line for each training, the best tenth in colour and in front.
// Plotly's own use code generated at run time, which the page's security policy forbids.
function parallel(study, body) {
  const place = chartPlace(`decisions of ${study.name}`, "tall");
  const told = make("p", { class: "muted small" });
  body.append(make("h4", {}, "Decisions"), told,
    make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `decisions of ${study.name}` }, place));
  const score = study.score;
  const names = [...study.decisions.slice(0, 28), score];
  place.style.minWidth = `${26 * names.length}px`; // names side by side need some room
  const column = (name) => study.columns.indexOf(name);
  const ranked = study.trials.filter((trial) => known(trial[column(score)])).sort((one, other) => gain(study, other[column(score)] - one[column(score)]));
  const levels = new Map(names.map((name) => [name, levelsOf(ranked, column(name))]));
  const height = (trial, name) => {
    const [values, value] = [levels.get(name), trial[column(name)]];
    if (value === null || value === undefined) return null;
    if (name === score) return values.length > 1 ? (value - values[0]) / (values[values.length - 1] - values[0]) : 0.5;
    return values.length > 1 ? values.indexOf(value) / (values.length - 1) : 0.5;
  };
  const top = Math.max(1, Math.round(ranked.length / 10));
  const lines = (members, name, colour, opacity, width) => ({ type: "scatter", mode: "lines+markers", name, opacity, connectgaps: false,
    x: members.flatMap(() => [...names.map((_, place) => place), null]), y: members.flatMap((trial) => [...names.map((one) => height(trial, one)), null]),
    hovertext: members.flatMap((trial) => [...names.map((one) => `trial ${trial[0]}<br>${plain(one)}: ${plain(one === score ? scored(study, trial[column(one)]) : trial[column(one)])}`), null]), hoverinfo: "text",
    marker: { size: 5, color: tone(colour) }, line: { color: tone(colour), width } });
  // Of very many lines, an even sample by accuracy is drawn.
  const [best, others] = [evenly(ranked.slice(0, top), LINES / 4), evenly(ranked.slice(top), LINES)];
  const part = best.length + others.length < ranked.length ? ` ${best.length + others.length} of ${ranked.length} are drawn, evenly by ${score}.` : "";
  const few = ranked.length < FEW ? ` With so few networks, this does not show which choices are good.` : "";
  told.textContent = `Each line is a network that was ${trainedWord(study)}; the best tenth (${best.length}) is coloured. The values of a decision are beside its axis.${part}${few}`;
  // The values of each decision beside its axis, and the ends of the score.
  const ends = (values) => (values.length > 1 ? [values[0], values[values.length - 1]] : values);
  const marks = () => names.flatMap((name, place) => {
    const values = levels.get(name);
    const shown = name === score || values.length > VALUES ? ends(values) : values;
    return shown.map((value) => ({ x: place, y: name === score ? (shown.length > 1 && value === shown[0] ? 0 : shown.length > 1 ? 1 : 0.5) : values.length > 1 ? values.indexOf(value) / (values.length - 1) : 0.5,
      text: plain(name === score ? scored(study, value) : value), showarrow: false, xanchor: "left", xshift: 4, bgcolor: tone("page"), opacity: 0.85, font: { size: 9, color: tone("ink") } }));
  });
  chart(place, () => [[lines(others, "others", "soft", 0.3, 1), lines(best, "best tenth", "second", 1, 2)],
    { annotations: marks(), showlegend: true, yaxis: axis("choice, from low to high", { showticklabels: false, range: [-0.05, 1.05] }), xaxis: axis("decision, and the score", { tickvals: names.map((_, place) => place), ticktext: names.map((name) => plain(cut(name, 28))), tickangle: -60 }) }]);
}

// What measures of a training are called on an axis.
const TITLES = { top1: "top-1 accuracy", top5: "top-5 accuracy", gradient: "norm of the gradient", images_per_second: "images per second" };

// Training runs: curves by epoch and step, the confusion matrix, and the inspection.
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
    const title = TITLES[measure] ?? measure.replace(/_/g, " ");
    const place = chartPlace(`${title} of ${run.name} by ${axisName}`);
    pair.append(make("div", {}, make("h4", {}, sentence(title)), place));
    const steps = new Set(curves.flatMap((curve) => curve.x.filter((_, number) => known(curve.y[number]))));
    if (steps.size < 2) { place.replaceWith(make("p", { class: "muted" }, single(curves, axisName, [...steps]))); continue; }
    chart(place, () => [curves.map((curve, number) => ({ type: "scatter", mode: "lines+markers", name: plain(curve.name.replace(/_/g, " ")), x: curve.x, y: curve.y,
      marker: { size: 6, symbol: number ? "diamond" : "circle" }, line: { color: tone(number ? "second" : "accent"), dash: number ? "dash" : "solid", width: 2 } })),
    { showlegend: curves.length > 1, xaxis: whole(axisName, curves.flatMap((curve) => curve.x)), yaxis: /^(top|accuracy)/.test(measure) ? shares(title, curves.flatMap((curve) => curve.y)) : axis(title) }]);
  }
  if (run.look) body.append(...inspection(run));
  else body.append(make("p", { class: "note" }, `Filters, feature maps, layers and wrong images are not in this run folder; archscope evaluate RUN --keep puts them there.`));
  if (run.confusion) body.append(...confusion(run));
}

// Curves of at most one step, in words.
function single(curves, axisName, [step]) {
  if (step === undefined) return "No number of it is known.";
  const told = ({ name, x, y }) => { const value = y[x.indexOf(step)]; return `${name.replace(/_/g, " ")} ${/(top\d|accuracy)$/.test(name) ? written(value, "share") : Number(value.toPrecision(4))}`; };
  return `At ${axisName} ${step}, the only one: ${curves.filter(({ x, y }) => known(y[x.indexOf(step)])).map(told).join(", ")}.`;
}

// An axis of values that are above 0, logarithmic if they are far apart.
function positive(label, values) {
  const least = Math.min(...values);
  return scale(label, values, "number", least > 0 && Math.max(...values) / least >= 4);
}

const picture = (png, alt, more = "") => make("img", { src: `data:image/png;base64,${png}`, alt, class: `pixels ${more}`.trim() });
const guessed = (one) => `${one.label}, taken for ${one.guess} (${written(one.probability, "share")})`;

// The inspection of a trained network: gradients, dead units, filters, feature maps, mistakes.
function inspection(run) {
  const { layers, filters, field, samples, wrong, images, data } = run.look;
  const parts = [];
  const pair = make("div", { class: "pair" });
  const bars = (title, key, label, more) => {
    const known = layers.filter((layer) => layer[key] !== null).reverse();
    if (!known.length) return;
    if (key === "dead" && !known.some((layer) => layer.dead)) {
      pair.append(make("div", {}, make("h4", {}, title), make("p", { class: "muted" }, `None: every unit of the ${known.length} rectifier${known.length > 1 ? "s" : ""} is active for some image.`)));
      return;
    }
    const place = chartPlace(`${title} of ${run.name}`);
    place.style.height = `${Math.min(Math.max(200, 90 + 18 * known.length), 640)}px`;
    pair.append(make("div", {}, make("h4", {}, title), place));
    chart(place, () => [[{ type: key === "dead" ? "bar" : "scatter", mode: "markers", orientation: "h", y: known.map((_, place) => place), x: known.map((layer) => layer[key]),
      marker: key === "dead" ? { color: tone("accent") } : { color: tone("accent"), size: 10 },
      hovertext: known.map((layer) => `${plain(layer.name)}: ${key === "dead" ? written(layer[key], "share") : layer[key].toPrecision(3)}`), hoverinfo: "text" }],
    { xaxis: more ?? positive(label, known.map((layer) => layer[key])), yaxis: axis("layer", known.length <= 34 ? { tickvals: known.map((_, place) => place), ticktext: known.map((layer) => plain(cut(layer.name, 28))) } : { showticklabels: false, title: { text: "layers, the first on top" } }) }]);
  };
  bars("Gradient by layer", "gradient", "gradient norm / weight norm", null);
  bars("Dead units by layer", "dead", "units that are 0 for all images", shares("units that are 0 for all images", [0, 1], { range: [0, 1.02] }));
  if (pair.childElementCount) parts.push(pair);
  if (field) {
    const side = (sizes) => sizes.join(" x ");
    const most = field.theoretical ? `the theoretical receptive field is ${side(field.theoretical)} (blue where its edges lie within the image)` : "the theoretical receptive field is not known";
    parts.push(make("h4", {}, `Effective receptive field of ${field.layer}`), picture(field.png, `effective receptive field of ${field.layer}`, "field"),
      make("p", { class: "muted small" }, `The pixels that the centre of the layer depends on, by gradients over ${field.images.toLocaleString("en-US")} images: ${side(field.effective)} of ${side(field.input)} pixels hold ${written(field.share, "share")} of the energy along each axis (orange); ${most}.`));
  }
  if (filters) {
    parts.push(make("h4", {}, `Filters of ${filters.layer}`), picture(filters.png, `filters of ${filters.layer}`, "sheet"),
      make("p", { class: "muted small" }, `${filters.about}. Grey is 0; each filter is scaled to its largest weight.`));
  }
  if (samples.length) {
    parts.push(make("h4", {}, "Feature maps"), make("p", { class: "muted small" }, "The most varied feature maps of single images, each scaled to its own range."));
    for (const one of samples) {
      parts.push(make("figure", { class: "seen" }, make("div", {}, picture(one.png, `image of ${one.label}`, "sample"), make("figcaption", { class: "small" }, guessed(one))),
        ...one.maps.map((sheet) => make("div", { class: "maps", title: sheet.about }, picture(sheet.png, `maps of ${sheet.layer} for ${one.label}`, "sheet"), make("span", { class: "muted small" }, ...breakable(sheet.layer))))));
    }
  }
  parts.push(make("h4", {}, "Wrong images"));
  if (wrong.length) {
    parts.push(make("p", { class: "muted small" }, `Of the ${images.toLocaleString("en-US")} images of ${data}, the most confident mistakes.`),
      make("div", { class: "gallery" }, ...wrong.map((one) => make("figure", {}, picture(one.png, `image of ${one.label}`, "sample"), make("figcaption", { class: "small" }, guessed(one))))));
  } else parts.push(make("p", { class: "muted" }, "None that can be shown."));
  return parts;
}

function confusion(run) {
  const { classes, counts } = run.confusion;
  const place = chartPlace(`confusion matrix of ${run.name}`, "tall");
  const [places, names] = [classes.map((_, number) => number), classes.map(plain)]; // two classes may have one name
  const ticks = classes.length <= 50 ? { tickvals: places, ticktext: classes.map((name) => plain(cut(name, 24))) } : {};
  const shares = counts.map((row) => { const sum = row.reduce((one, other) => one + other, 0); return row.map((value) => (sum ? value / sum : 0)); });
  chart(place, () => [[{ type: "heatmap", z: shares, x: places, y: places, zmin: 0, zmax: 1,
    colorscale: [[0, tone("page")], [1, tone("accent")]], colorbar: { thickness: 12, title: { text: "share of the class", side: "right" }, tickvals: [0, 0.25, 0.5, 0.75, 1], ticktext: ["0 %", "25 %", "50 %", "75 %", "100 %"] }, text: classes.length <= 20 ? counts.map((row) => row.map((value) => (value ? String(value) : ""))) : undefined,
    texttemplate: classes.length <= 20 ? "%{text}" : undefined, customdata: counts.map((row, one) => row.map((value, other) => `${names[one]} taken for ${names[other]}: ${value}`)), hovertemplate: "%{customdata}<extra></extra>" }],
  { xaxis: axis("taken for", ticks), yaxis: axis("class", { ...ticks, autorange: "reversed" }) }]);
  return [make("h4", {}, "Confusion"), place];
}

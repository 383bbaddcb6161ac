// Compressions: the accuracy after each step, and what the step left of every cost.
const LEFT = [["params", "params", "accent", "circle", "solid"], ["macs", "macs", "second", "diamond", "dash"], ["peak_bytes", "peak memory", "third", "square", "dot"],
  ["model_bytes", "model", "ink", "triangle-up", "solid"], ["seconds", "latency", "soft", "x", "dashdot"]];

function openCompression(details) {
  const body = details.querySelector(".drawn");
  if (body.childElementCount) return;
  const section = JSON.parse(find("compressions-data").textContent).find((one) => one.id === details.id);
  const found = { ...section, ...section.mean };
  // Steps are called like the run and an end of their own.
  const short = (stage, place) => (place ? stage.name.replace(found.name, "").replace(/^[-, ]+/, "") || stage.name : "whole");
  const names = [...found.steps.map(short), ...(found.scratch ? ["scratch"] : [])];
  const pair = make("div", { class: "pair" });
  body.append(pair);
  accuracyOfSteps(found, names, pair);
  costsOfSteps(found, names.slice(0, found.steps.length), pair);
}

const right = (stage) => (Object.keys(stage.test ?? {}).length ? stage.test : stage.validation).top1;

function accuracyOfSteps(found, names, pair) {
  const place = chartPlace(`accuracy of the steps of ${found.name}`);
  const steps = [...found.steps, ...(found.scratch ? [found.scratch] : [])];
  const several = found.seeds.length > 1;
  const allowed = found.keep === null ? null : right(found.steps[0]) - found.keep / 100;
  const seeds = several ? found.seeds.flatMap((seed) => [...seed.steps, ...(seed.scratch ? [seed.scratch] : [])].map((stage, step) => [step, right(stage)])) : [];
  pair.append(make("div", {}, make("h4", {}, "Accuracy"), place, make("p", { class: "muted small" },
    `${allowed === null ? "" : `Dashed: ${found.keep} points below the whole network, which may be lost. `}${several ? "Faint points are seeds; error bars span one standard deviation between them." : "One seed: another may end differently."}`)));
  chart(place, () => [[
    ...(several ? [{ type: "scatter", mode: "markers", name: "one seed", x: seeds.map(([step]) => step), y: seeds.map(([, value]) => value), marker: { size: 7, color: tone("soft"), opacity: 0.6 }, hoverinfo: "y" }] : []),
    { type: "scatter", mode: "lines+markers", name: several ? "mean" : "accuracy", x: found.steps.map((_, step) => step), y: found.steps.map(right), line: { color: tone("accent"), width: 2 }, marker: { size: 9 },
      ...(several ? { error_y: { type: "data", array: found.steps.map((stage) => stage.spread ?? 0), color: tone("accent"), thickness: 1.5, width: 4 } } : {}), hovertext: found.steps.map((stage) => `${plain(stage.name)}: ${written(right(stage), "share")}`), hoverinfo: "text" },
    ...(found.scratch ? [{ type: "scatter", mode: "markers", name: "pruned, from scratch", x: [found.steps.length], y: [right(found.scratch)], marker: { size: 11, symbol: "diamond", color: tone("second") },
      ...(several ? { error_y: { type: "data", array: [found.scratch.spread ?? 0], color: tone("second"), thickness: 1.5, width: 4 } } : {}), hovertext: [`from scratch: ${written(right(found.scratch), "share")}`], hoverinfo: "text" }] : []),
  ], { showlegend: several || Boolean(found.scratch), xaxis: stepAxis(names), yaxis: shares(`${found.split} accuracy`, [...steps.flatMap((stage) => [right(stage) - (stage.spread ?? 0), right(stage) + (stage.spread ?? 0)]), ...seeds.map(([, value]) => value), allowed]),
    shapes: allowed === null ? [] : [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: allowed, y1: allowed, line: { color: tone("ink"), dash: "dash", width: 1.5 } }] }]);
}

function costsOfSteps(found, names, pair) {
  const place = chartPlace(`costs of the steps of ${found.name}`);
  const left = (key) => found.steps.map((stage) => (found.steps[0][key] ? stage[key] / found.steps[0][key] : null));
  const all = LEFT.flatMap(([key]) => left(key)).filter((value) => value > 0);
  pair.append(make("div", {}, make("h4", {}, "Costs, of the whole network"), place, make("p", { class: "muted small" }, "Every cost as a share of that of the whole network; the scale is logarithmic, so that halving is as long everywhere.")));
  const powers = [];
  for (let power = Math.floor(Math.log2(Math.min(...all))); 2 ** power <= Math.max(...all) * 1.01; power += 1) powers.push(2 ** power);
  chart(place, () => [LEFT.map(([key, label, colour, symbol, dash]) => ({ type: "scatter", mode: "lines+markers", name: label, x: names.map((_, step) => step), y: left(key), line: { color: tone(colour), width: 2, dash }, marker: { size: 8, symbol },
    hovertext: left(key).map((value, step) => `${plain(names[step])}: ${value === null ? "-" : written(value, "share")} of the ${label}`), hoverinfo: "text" })),
  { showlegend: true, xaxis: stepAxis(names), yaxis: axis("share of the whole network", { type: "log", tickvals: powers, ticktext: powers.map((power) => `${Number((100 * power).toPrecision(3))} %`) }) }]);
}

const stepAxis = (names) => axis("step", { tickvals: names.map((_, step) => step), ticktext: names.map((name) => plain(cut(name, 16))), range: [-0.3, names.length - 0.7] });

// Charts by plotly in the colours of the page; redrawn when those change.
const drawn = new Map();

const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Round numbers from low to high, some five of them, in steps of 1, 2 or 5.
function steps(low, high, whole = false, most = 6) {
  const rough = (high - low) / most || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max([1, 2, 5, 10].find((one) => one * power >= rough * 0.999) * power, whole ? 1 : 0);
  const places = [];
  for (let number = Math.ceil(low / step - 1e-9); number * step <= high + step * 1e-9; number += 1) places.push(number * step || 0); // no minus before a 0
  return places;
}

// The ends of an axis, with some room around the values.
function ends(values, log) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (log) return [low / 1.3, high * 1.3];
  const room = (high - low) * 0.08 || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

// An axis of one kind of values, with ticks that say their unit.
function scale(title, values, kind, log = false) {
  const [low, high] = ends(values, log);
  const power = kind === "bytes" ? Math.min(4, Math.max(0, Math.floor(Math.log2(Math.max(high, 1)) / 10))) : 0;
  const unit = 1024 ** power;
  const even = steps(low / unit, high / unit, kind === "count" || (kind === "number" && values.every(Number.isInteger))).map((place) => place * unit);
  let places = even;
  if (log) {
    places = [];
    const base = kind === "bytes" ? 2 : 10;
    for (let exponent = Math.floor(Math.log(low) / Math.log(base)); base ** exponent <= high; exponent += 1) {
      places.push(...(base === 2 ? [1] : [1, 2, 5]).map((factor) => factor * base ** exponent));
    }
    places = places.filter((place) => place >= low && place <= high);
    if (places.length > 8 && base === 10) places = places.filter((place) => Math.abs(Math.log10(place) % 1) < 1e-9);
    const every = Math.ceil(places.length / 8);
    places = places.filter((_, number) => number % every === 0);
    if (!places.length) places = even; // within a factor of two
  }
  const inUnit = (place) => `${Number((place / unit).toPrecision(4))} ${["", "Ki", "Mi", "Gi", "Ti"][power]}B`;
  const text = (place) => (kind === "bytes" && places === even ? inUnit(place) : kind === "number" ? String(Number(place.toPrecision(4))) : kind === "measure" ? String(Number(place.toPrecision(6))) : written(place, kind)).replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");
  return axis(title, { type: log ? "log" : "linear", range: log ? [Math.log10(low), Math.log10(high)] : [low, high],
    tickmode: "array", tickvals: places, ticktext: places.map(text) });
}

// An axis of shares as percentages, written as in the tables; plotly chooses its ends.
function shares(title, values, more = {}) {
  const found = values.filter(known);
  const range = more.range ?? ends(found, false);
  const places = steps(...range);
  return axis(title, { ...(new Set(found).size === 1 ? { range } : {}), tickmode: "array", tickvals: places, ticktext: places.map((place) => `${Number((100 * place).toPrecision(4))} %`), ...more });
}

// An axis of whole numbers such as epochs.
function whole(title, values, more = {}) {
  const places = steps(0, Math.max(1, ...values.filter(known)), true, 8).filter((place) => place > 0 || more.rangemode);
  return axis(title, { tickmode: "array", tickvals: places, ticktext: places.map((place) => place.toLocaleString("en-US")), ...more });
}

// Plotly interprets text as markup, so names given by users are escaped.
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

// An axis of names; those that are long are shortened beside it, and not under the mouse.
const named = (title, names) => axis(title, { type: "category", categoryorder: "array", categoryarray: names.map(plain), tickvals: names.map(plain), ticktext: names.map((name) => plain(cut(name, 28))) });

function axis(title, more = {}) {
  return { title: { text: plain(cut(String(title), 44)), standoff: 8 }, gridcolor: tone("line"), zerolinecolor: tone("line"),
    linecolor: tone("line"), automargin: true, ...more };
}

// Why there are no charts, where there are none.
let uncharted = "Charts need plotly.js, which this page was made to fetch from the network.";

// Return plotly.js, which is in the page compressed (zlib's format in base64) or as it is.
async function plotlyScript(place) {
  if (!place.dataset.packed) return place.textContent;
  if (typeof DecompressionStream === "undefined") {
    throw new Error("This browser cannot unpack plotly.js, so there are no charts: Chrome 80, Firefox 113 and Safari 16.4 can, and archscope report --plotlyjs plain makes a page that need not be unpacked.");
  }
  const bytes = Uint8Array.from(atob(place.textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(place.dataset.packed));
  return new Response(stream).text();
}

// Plotly takes a second to start, so the page is rendered before it.
let started = false;

async function startCharts() {
  const place = find("plotly");
  if (place) {
    try {
      document.head.append(make("script", {}, await plotlyScript(place)));
    } catch (error) {
      uncharted = error.message;
    }
    place.remove();
  }
  started = true;
  // One chart at a time, so that the page stays responsive.
  const waiting = [...drawn.keys()];
  const next = () => {
    const place = waiting.shift();
    if (!place) return;
    if (place.isConnected && !place.querySelector(".plot-container")) redraw(place);
    setTimeout(next);
  };
  next();
}

// Draw a chart; `build` returns traces and layout, and is called again after a change of theme.
function chart(place, build, clicked = null) {
  drawn.set(place, { build, clicked });
  if (started) queueMicrotask(() => place.isConnected && redraw(place)); // when all beside it is there
}

// In place of a chart, why there is none.
const nothing = (text) => [[], { nothing: text }];

function redraw(place) {
  if (typeof Plotly === "undefined") {
    place.textContent = uncharted;
    place.style.height = "auto";
    return;
  }
  const { build, clicked } = drawn.get(place);
  const [traces, layout] = build();
  if (layout.nothing) {
    if (place.querySelector(".plot-container")) Plotly.purge(place);
    place.replaceChildren(make("p", { class: "muted" }, layout.nothing));
    place.dataset.height ??= place.style.height;
    place.style.height = "auto";
    delete place.dataset.clickable;
    return;
  }
  if ("height" in place.dataset) {
    place.replaceChildren();
    place.style.height = place.dataset.height;
    delete place.dataset.height;
  }
  const wholeLayout = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: tone("ink"), family: "system-ui, DejaVu Sans, sans-serif", size: 13 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: tone("soft"), activecolor: tone("ink") }, hovermode: "closest", showlegend: false,
    hoverlabel: { bgcolor: tone("panel"), bordercolor: tone("line"), font: { color: tone("ink") }, align: "left" },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    ...layout,
    // Plotly looks at the size of a chart anew only if its layout has changed.
    ...("print" in document.documentElement.dataset ? { width: place.clientWidth } : { autosize: true }),
    margin: { l: 60, r: 16, b: 48, ...layout.margin, t: 38 }, // above the data there is room for the buttons of a chart
  };
  Plotly.react(place, traces, wholeLayout, { responsive: true, displaylogo: false, displayModeBar: "hover", showSendToCloud: false,
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"] });
  if (clicked && !place.dataset.clickable) {
    place.dataset.clickable = "yes";
    place.on("plotly_click", (event) => drawn.get(place).clicked(event.points[0]));
  }
}

function redrawAll() {
  if (!started) return;
  for (const place of drawn.keys()) {
    if (place.isConnected) redraw(place); else drawn.delete(place);
  }
}

const chartPlace = (label, more = "") => make("div", { class: `chart ${more}`.trim(), role: "figure", "aria-label": label });

// On paper charts have the width of the page and light colours.
const PAPER = 680;

function startPrint() {
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.print = "yes";
    for (const place of drawn.keys()) place.style.width = `${Math.min(place.clientWidth, PAPER)}px`;
    redrawAll();
  });
  addEventListener("afterprint", () => {
    delete document.documentElement.dataset.print;
    for (const place of drawn.keys()) place.style.width = "";
    redrawAll();
  });
}

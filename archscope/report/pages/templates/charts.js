// Charts by plotly in the colours of the page; redrawn when those change.
const drawn = new Map();

const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Plotly interprets text as markup, so names given by users are escaped.
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function axis(title, more = {}) {
  return { title: { text: plain(title), standoff: 8 }, gridcolor: tone("line"), zerolinecolor: tone("line"),
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
  if (started) redraw(place);
}

function redraw(place) {
  if (typeof Plotly === "undefined") {
    place.textContent = uncharted;
    place.style.height = "auto";
    return;
  }
  const { build, clicked } = drawn.get(place);
  const [traces, layout] = build();
  const whole = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: tone("ink"), family: "system-ui, DejaVu Sans, sans-serif", size: 13 },
    margin: { l: 60, r: 16, t: 16, b: 48 }, hovermode: "closest", showlegend: false,
    hoverlabel: { bgcolor: tone("panel"), bordercolor: tone("line"), font: { color: tone("ink") }, align: "left" },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    ...layout,
  };
  Plotly.react(place, traces, whole, { responsive: true, displaylogo: false,
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"] });
  if (clicked && !place.dataset.clickable) {
    place.dataset.clickable = "yes";
    place.on("plotly_click", (event) => drawn.get(place).clicked(event.points[0]));
  }
}

function redrawAll() {
  for (const place of drawn.keys()) {
    if (place.isConnected) redraw(place); else drawn.delete(place);
  }
}

const chartPlace = (label, more = "") => make("div", { class: `chart ${more}`.trim(), role: "img", "aria-label": label });

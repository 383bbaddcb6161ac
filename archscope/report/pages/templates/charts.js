// Charts by plotly in the colours of the page; redrawn when those change.
const drawn = new Map();

const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Plotly interprets text as markup, so names given by users are escaped.
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function axis(title, more = {}) {
  return { title: { text: plain(title), standoff: 8 }, gridcolor: tone("line"), zerolinecolor: tone("line"),
    linecolor: tone("line"), automargin: true, ...more };
}

// Plotly takes a second to start, so the page is rendered before it.
let started = false;

function startCharts() {
  const text = find("plotly");
  if (text) document.head.append(make("script", {}, text.textContent));
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
    place.textContent = "Charts need plotly.js, which this page was made to fetch from the network.";
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

// Start: the theme, the tables, and sections that are built when they are opened.
const THEMES = ["system", "light", "dark"];

function startTheme() {
  const button = find("theme");
  const keep = (name) => { try { localStorage.setItem("archscope-theme", name); } catch { /* a page from a file may keep nothing */ } };
  const apply = (name) => {
    if (name === "system") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = name;
    button.querySelector("span").textContent = name;
  };
  let current = "system";
  try { current = localStorage.getItem("archscope-theme") ?? "system"; } catch { /* likewise */ }
  if (!THEMES.includes(current)) current = "system";
  apply(current);
  button.addEventListener("click", () => {
    current = THEMES[(THEMES.indexOf(current) + 1) % THEMES.length];
    apply(current);
    keep(current);
    redrawAll();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
}

// The id in the address; "" for an address that is no text in UTF-8.
function idInAddress() {
  try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; }
}

function openTarget() {
  const target = find(idInAddress());
  if (!target || target.tagName !== "DETAILS") return;
  target.open = true;
  target.scrollIntoView();
}

startTheme();
startPrint();
startOverview();
startTradeoffs();
startComparison();
for (const [kind, open] of [["network", openNetwork], ["run", openRun], ["study", openStudy], ["compression", openCompression]]) {
  for (const details of document.querySelectorAll(`details.${kind}`)) {
    details.addEventListener("toggle", () => details.open && open(details));
    if (details.open) open(details);
  }
}
addEventListener("hashchange", openTarget);
addEventListener("load", () => setTimeout(startCharts, 20));
openTarget();

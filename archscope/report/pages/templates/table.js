// Sortable tables, and the filter of the overview.
const collator = new Intl.Collator("en", { numeric: true });

function sortable(whole) {
  const headings = [...whole.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.querySelector("button")?.addEventListener("click", () => {
      const up = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach((one) => one.hasAttribute("aria-sort") && one.setAttribute("aria-sort", "none"));
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      sortRows(whole.tBodies[0], column, up);
    });
  });
}

// Unknown values sort last in either direction.
function sortRows(body, column, up) {
  const key = (row) => row.cells[column].dataset.value ?? "";
  const rows = [...body.rows].map((row) => [key(row), row]);
  const numeric = rows.every(([value]) => value === "" || value === "nan" || !Number.isNaN(Number(value)));
  const unknown = (value) => value === "" || (numeric && Number.isNaN(Number(value)));
  rows.sort(([one], [other]) => {
    if (unknown(one) || unknown(other)) return unknown(one) - unknown(other);
    const order = numeric ? Number(one) - Number(other) : collator.compare(one, other);
    return up ? order : -order;
  });
  body.append(...rows.map(([, row]) => row));
}

const POWERS = { "": 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9, T: 1e12, Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3 };
const SMALL = { m: 1e-3, u: 1e-6, n: 1e-9, p: 1e-12 };
const CONDITION = /^([^<>=]+)(<=|>=|<|>)([\d.]+(?:e[+-]?\d+)?)([a-zA-Z]*|%)$/;
const SIGNS = { "<": "below", ">": "above", "<=": "at most", ">=": "at least" };

// What the letters behind a number are worth: `M`, `MiB`, or `ms` and `mJ` of physical quantities.
function worth(letters, kind) {
  if (letters === "%") return kind === "share" ? 0.01 : undefined;
  if (kind === "milliseconds") return { us: 0.001, ms: 1, s: 1000 }[letters];
  const physical = !["count", "bytes", "share", "ratio", "number"].includes(kind);
  const symbol = !physical ? (kind === "bytes" ? "B" : "") : kind === "seconds" ? "s" : kind;
  const prefix = symbol && letters.endsWith(symbol) ? letters.slice(0, -symbol.length) : letters;
  return (physical ? { ...POWERS, ...SMALL } : POWERS)[prefix];
}

// The predicate of one word of a filter, and what it means: a condition on a measure, or a part of a name.
function wordOf(word) {
  if (!/[<>=]/.test(word)) {
    return { test: (row) => row.dataset.text.toLowerCase().includes(word.toLowerCase()), told: `name, description or input has "${word}"` };
  }
  const match = CONDITION.exec(word);
  const name = (match ? match[1] : word.split(/[<>=]/)[0]).toLowerCase();
  const measure = page.measures.find((one) => [one.key, one.label.replace(/ /g, "_")].some((key) => key.toLowerCase() === name));
  const never = (told) => ({ test: () => false, told });
  if (!measure) return never(`there is no column "${name}"; columns are ${page.measures.map((one) => one.label.replace(/ /g, "_")).join(", ")}`);
  const factor = match && worth(match[4], measure.kind);
  if (!factor) return never(`"${word}" is no condition such as ${name}<=${measure.kind === "share" ? "70%" : measure.kind === "bytes" ? "4MiB" : ["seconds", "milliseconds"].includes(measure.kind) ? "8ms" : "5M"}`);
  const limit = Number(match[3]) * factor;
  const test = (row) => {
    const value = networks.get(row.dataset.id).values[measure.key];
    if (!known(value)) return false;
    return { "<": value < limit, ">": value > limit, "<=": value <= limit, ">=": value >= limit }[match[2]];
  };
  return { test, told: `${measure.label} ${SIGNS[match[2]]} ${written(limit, measure.kind)}` };
}

// Return the predicate of a filter text, all of whose words hold, and what it means.
function wanted(text) {
  const words = text.trim() === "" ? [] : text.trim().split(/\s+/).map(wordOf);
  return { test: (row) => words.every((word) => word.test(row)), told: words.map((word) => word.told).join("; ") };
}

function startOverview() {
  const whole = find("table");
  if (!whole) return;
  sortable(whole);
  find("wide").addEventListener("change", () => whole.classList.toggle("wide", find("wide").checked));
  find("filter").addEventListener("input", () => {
    const { test, told } = wanted(find("filter").value);
    let shown = 0;
    for (const row of whole.tBodies[0].rows) {
      row.hidden = !test(row);
      find(`network-${row.dataset.id}`).hidden = row.hidden;
      shown += !row.hidden;
    }
    const all = networks.size;
    find("count").textContent = `${shown === all ? all : `${shown} of ${all}`} ${all === 1 ? "network" : "networks"}`;
    find("filtered").textContent = told && `${shown ? "Shown" : "Nothing matches"}: ${told}.`;
    document.dispatchEvent(new Event("filtered"));
  });
}

function visible() {
  const hidden = new Set([...find("table").tBodies[0].rows].filter((row) => row.hidden).map((row) => row.dataset.id));
  return page.networks.filter((one) => !hidden.has(one.id));
}

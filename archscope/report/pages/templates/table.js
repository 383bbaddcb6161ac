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
const CONDITION = /^([^<>=]+)(<=|>=|<|>)([\d.]+(?:e[+-]?\d+)?)([a-zA-Z]*)$/;

// What the letters behind a number are worth: `M`, `MiB`, or `ms` and `mJ` of physical quantities.
function worth(letters, kind) {
  const physical = !["count", "bytes", "share", "ratio", "number"].includes(kind);
  const symbol = !physical ? "B" : kind === "seconds" ? "s" : kind;
  const prefix = letters.endsWith(symbol) ? letters.slice(0, -symbol.length) : letters;
  return (physical ? { ...POWERS, ...SMALL } : POWERS)[prefix];
}

// Return the predicate of a filter text: conditions on measures, and parts of names.
function wanted(text) {
  const tests = text.trim().toLowerCase() === "" ? [] : text.trim().split(/\s+/).map((word) => {
    const match = CONDITION.exec(word);
    const measure = match && page.measures.find((one) =>
      [one.key, one.label.replace(/ /g, "_")].some((name) => name.toLowerCase() === match[1].toLowerCase()));
    const factor = measure && worth(match[4], measure.kind);
    if (!factor) return (row) => row.dataset.text.toLowerCase().includes(word.toLowerCase());
    const limit = Number(match[3]) * factor;
    return (row) => {
      const value = networks.get(row.dataset.id).values[measure.key];
      if (!known(value)) return false;
      return { "<": value < limit, ">": value > limit, "<=": value <= limit, ">=": value >= limit }[match[2]];
    };
  });
  return (row) => tests.every((test) => test(row));
}

function startOverview() {
  const whole = find("table");
  if (!whole) return;
  sortable(whole);
  find("wide").addEventListener("change", () => whole.classList.toggle("wide", find("wide").checked));
  find("filter").addEventListener("input", () => {
    const test = wanted(find("filter").value);
    let shown = 0;
    for (const row of whole.tBodies[0].rows) {
      row.hidden = !test(row);
      find(`network-${row.dataset.id}`).hidden = row.hidden;
      shown += !row.hidden;
    }
    const all = networks.size;
    find("count").textContent = shown === all ? `${all} networks` : `${shown} of ${all} networks`;
    document.dispatchEvent(new Event("filtered"));
  });
}

function visible() {
  const hidden = new Set([...find("table").tBodies[0].rows].filter((row) => row.hidden).map((row) => row.dataset.id));
  return page.networks.filter((one) => !hidden.has(one.id));
}

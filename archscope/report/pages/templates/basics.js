// Helpers that the other scripts use.
const page = JSON.parse(document.getElementById("page-data").textContent);
const measures = new Map(page.measures.map((one) => [one.key, one]));
const networks = new Map(page.networks.map((one) => [one.id, one]));
const find = (id) => document.getElementById(id);

// Create an element. Children that are text are never interpreted as markup.
function make(tag, attributes = {}, ...children) {
  const parts = tag.split(":");
  const element = parts[1]
    ? document.createElementNS("http://www.w3.org/2000/svg", parts[1])
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Round ties to even, as Python does: a number reads the same in sentences and in tables.
function fixed(value, places) {
  const text = value.toFixed(places);
  const tie = Math.abs(value) * 2 ** (places + 1) % 2 === 1 && value * 10 ** places % 1 !== 0;
  if (Number(text) === 0) return text.replace("-", "");
  return tie && Number(text.at(-1)) % 2 ? (value * (1 - Number.EPSILON)).toFixed(places) : text;
}

function digits(value) {
  const whole = String(Math.trunc(Math.abs(value))).length;
  return fixed(value, Math.max(4 - whole, 0));
}

function count(value) {
  if (Math.abs(value) < 10000) return value.toLocaleString("en-US");
  for (const [factor, prefix] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "K"]]) {
    if (Math.abs(value) >= factor * 0.99995) return `${digits(value / factor)} ${prefix}`;
  }
}

function bytes(value) {
  for (const [power, prefix] of [[4, "Ti"], [3, "Gi"], [2, "Mi"], [1, "Ki"]]) {
    if (Math.abs(value) >= 1024 ** power * 0.99995) return `${digits(value / 1024 ** power)} ${prefix}B`;
  }
  return `${value} B`;
}

// At most four digits: `8 ms`, `12.35 ms`, `1,235 ms`.
function milliseconds(value) {
  const shown = Math.abs(value) < 999.5 ? Number(value.toPrecision(4)) : Math.round(value).toLocaleString("en-US");
  return `${shown} ms`;
}

// A physical quantity in four digits with a prefix of its unit: `4.600 mJ`.
function scaled(value, symbol) {
  for (const [factor, prefix] of [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "u"], [1e-9, "n"], [1e-12, "p"]]) {
    if (Math.abs(value) >= factor * 0.99995) return `${digits(value / factor)} ${prefix}${symbol}`;
  }
  return `${value} ${symbol}`;
}

// A number of any size in four digits: `5.476`, `0.00123`, `1.234e+09`.
function measure(value) {
  const size = Math.abs(value);
  if (size >= 1e9) return general(value, 4);
  if (value !== 0 && size < 0.9995) return general(value, 3);
  const [whole, part] = digits(value).split(".");
  return `${Number(whole).toLocaleString("en-US")}${part ? `.${part}` : ""}`;
}

// A number as Python's format "g" writes it.
function general(value, most) {
  const [mantissa, power] = value.toExponential(most - 1).split("e").map(Number);
  if (power >= -4 && power < most) return String(Number(value.toPrecision(most)));
  return `${mantissa}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

function written(value, kind) {
  if (value === null || value === undefined) return "-";
  if (!Number.isFinite(value)) return "no number";
  if (kind === "count") return count(value);
  if (kind === "bytes") return bytes(value);
  if (kind === "share") return `${fixed(100 * value, 1)} %`;
  if (kind === "ratio") return fixed(value, 2);
  if (kind === "milliseconds") return milliseconds(value);
  if (kind === "seconds") return milliseconds(1000 * value);
  if (kind === "number") return value.toLocaleString("en-US");
  if (kind === "measure") return measure(value);
  return scaled(value, kind);
}

// A value that is not its limit, so that both read differently: 1.101 beside 1.10.
function apart(value, limit, kind) {
  if (kind !== "share" && kind !== "ratio") return written(value, kind);
  const factor = kind === "share" ? 100 : 1;
  let places = kind === "share" ? 1 : 2;
  while (value !== limit && places < 6 && fixed(factor * value, places) === fixed(factor * limit, places)) places += 1;
  return `${fixed(factor * value, places)}${kind === "share" ? " %" : ""}`;
}

const shape = (out) => out.join("x");
const known = (value) => typeof value === "number" && Number.isFinite(value);

// A name that may be broken after its dots and underscores.
const breakable = (name) => name.split(/(?<=[._])/).flatMap((part, place) => (place ? [make("wbr"), part] : [part]));

// A table of texts and numbers: cells are [value, text], or plain texts.
function table(label, headings, rows, numbers) {
  const head = headings.map((text, place) =>
    make("th", { scope: "col", class: numbers.has(place) ? "number" : null, "aria-sort": "none" },
      make("button", { type: "button" }, text)));
  const body = rows.map((row) => make("tr", {}, ...row.map((cell, place) => {
    const [value, text] = Array.isArray(cell) ? cell : [cell, cell];
    const attributes = { "data-value": value, class: numbers.has(place) ? "number" : null };
    return place ? make("td", attributes, text) : make("th", { ...attributes, scope: "row" }, ...breakable(String(text)));
  })));
  const whole = make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body));
  sortable(whole);
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, whole);
}

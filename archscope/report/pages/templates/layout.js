// The layout of a drawing: the same as archscope/drawing/layout.py, for open and folded blocks.
const BOX = { width: 172, height: 42, beside: 18, below: 26, passing: 8, edge: 14, heading: 24, sweeps: 6 };
const [ENTRY, EXIT] = [-1, -2];

// An item of the page's data as a node of the drawing.
function itemOf(packed, above, names) {
  const [label, inside, rows, lines] = packed;
  const name = above ? `${above}.${label}` : label;
  if (!rows) {
    names[inside] = name;
    return { label, name, layers: [inside], children: null };
  }
  const children = inside.map((child) => itemOf(child, name, names));
  const layers = children.flatMap((child) => child.layers).sort((one, other) => one - other);
  return { label, name, layers, children, rows, lines };
}

function lay(item, depth, opened) {
  if (!item.children || (depth && !opened(item))) {
    return { item, width: BOX.width, height: BOX.height, inside: [], edges: [] };
  }
  const children = item.children.map((child) => lay(child, depth + 1, opened));
  const slots = Math.max(...item.rows.flat()) + 1;
  const widths = Array.from({ length: slots }, (_, slot) => (slot < children.length ? children[slot].width : BOX.passing));
  let middles = align(item, widths);
  const left = Math.min(...middles.map((middle, slot) => middle - widths[slot] / 2));
  const right = Math.max(...middles.map((middle, slot) => middle + widths[slot] / 2));
  middles = middles.map((middle) => middle - left + BOX.edge);
  const heading = depth ? BOX.heading : 0;
  const [tops, bottoms, rowOf] = [[], [], []];
  let y = heading + BOX.edge;
  item.rows.forEach((row, number) => {
    tops.push(y);
    y += Math.max(0, ...row.filter((slot) => slot < children.length).map((slot) => children[slot].height));
    bottoms.push(y);
    y += BOX.below;
    for (const slot of row) rowOf[slot] = number;
  });
  const [width, height] = [right - left + 2 * BOX.edge, y - BOX.below + BOX.edge];
  const inside = children.map((child, slot) => [child, middles[slot], tops[rowOf[slot]]]);
  const edges = item.lines.map((way) => way.flatMap((slot, step) => {
    if (slot === ENTRY) return [[width / 2, 0], [width / 2, heading]];
    if (slot === EXIT) return [[width / 2, height], [width / 2, height]];
    const [row, x] = [rowOf[slot], middles[slot]];
    const top = tops[row] + (step === 0 ? children[slot].height : 0);
    return [[x, top], [x, step === way.length - 1 ? tops[row] : bottoms[row]]];
  }));
  return { item, width, height, inside, edges };
}

function align(item, widths) {
  const near = widths.map(() => new Set());
  for (const way of item.lines) {
    for (let step = 1; step < way.length; step += 1) {
      const [one, other] = [way[step - 1], way[step]];
      if (one >= 0) near[one].add(other);
      if (other >= 0) near[other].add(one);
    }
  }
  const middles = widths.map(() => 0);
  for (const row of item.rows) spread(row, row.map(() => 0), widths, middles);
  for (let sweep = 0; sweep < BOX.sweeps; sweep += 1) {
    const order = sweep % 2 ? [...item.rows].reverse() : item.rows;
    for (let number = 1; number < order.length; number += 1) {
      const others = new Set(order[number - 1]);
      const wish = order[number].map((slot) => {
        const seen = [...near[slot]].filter((one) => others.has(one)).sort((one, other) => one - other);
        return seen.length ? seen.reduce((sum, one) => sum + middles[one], 0) / seen.length : middles[slot];
      });
      spread(order[number], wish, widths, middles);
    }
  }
  return middles;
}

function spread(row, wish, widths, middles) {
  const [toRight, toLeft] = [[...wish], [...wish]];
  const gap = (one, other) => (widths[row[one]] + widths[row[other]]) / 2 + BOX.beside;
  for (let place = 1; place < row.length; place += 1) {
    toRight[place] = Math.max(toRight[place], toRight[place - 1] + gap(place - 1, place));
  }
  for (let place = row.length - 2; place >= 0; place -= 1) {
    toLeft[place] = Math.min(toLeft[place], toLeft[place + 1] - gap(place + 1, place));
  }
  row.forEach((slot, place) => { middles[slot] = (toRight[place] + toLeft[place]) / 2; });
}

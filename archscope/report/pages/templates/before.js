// What a network was before it was pruned or quantized: its layers then and now.
function beforeAndAfter(net) {
  const before = net.before;
  if (!before) return [];
  const rows = before.layers.map((layer) => [layer.name, layer.op, ...["channels", "params", "macs"].map((key) => thenAndNow(layer[key])), gone(layer.macs)]);
  const sums = ["params", "macs"].map((key) => {
    const [was, now] = before[key];
    return was === now ? `${count(was)} ${key} as before` : `${count(was)} \u2192 ${count(now)} ${key}${was ? ` (${written(now / was, "share")} left)` : ""}`;
  });
  if (before.weight_bytes) {
    const [was, now] = before.weight_bytes;
    sums.push(`weights as stored ${was === now ? `${bytes(was)} as before` : `${bytes(was)} \u2192 ${bytes(now)}`}`);
  }
  const other = page.networks.find((one) => one.name === before.name && one.id !== net.id);
  const name = other ? make("a", { href: `#network-${other.id}` }, before.name) : before.name;
  const changed = before.layers.length ? `${before.layers.length} layers differ; the network has ${before.all_layers}.` : "No layer has other channels, params or macs.";
  return [make("h4", {}, "Before and after"),
    make("p", {}, "Compared with ", name, `: ${sums.join(", ")}. ${changed}`),
    ...(rows.length ? [table(`Layers of ${net.name} before and after`, ["layer", "op", "channels", "params", "macs", "macs gone"], rows, new Set([2, 3, 4, 5]))] : [])];
}

// A cell for a value before and after, sorted by how much is gone.
function thenAndNow([was, now]) {
  const lost = (was ?? 0) - (now ?? 0);
  if (was === now) return [lost, was ? count(was) : ""];
  return [lost, [was, now].map((value) => (value === null ? "-" : count(value))).join(" \u2192 ")];
}

function gone([was, now]) {
  return was && (now ?? 0) < was ? [1 - (now ?? 0) / was, written(1 - (now ?? 0) / was, "share")] : [0, ""];
}

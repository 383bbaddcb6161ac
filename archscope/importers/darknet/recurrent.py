"""Recurrent layers of darknet: one step in time, whose states are inputs and outputs."""

from __future__ import annotations

from archscope.importers.darknet.activations import activate
from archscope.importers.darknet.conversion import Conversion
from archscope.importers.darknet.sections import Section
from archscope.importers.darknet.weights import WeightsOf
from archscope.importers.darknet.windows import convolution
from archscope.ir import Shape


def _matrix(net: Conversion, section: Section, title: str, node: str, filters: int) -> str:
    """Add one of the fully connected layers within a recurrent layer, or its convolution."""
    if len(net.made.shape(node)) == 3:
        return convolution(net, section, title, node, filters, 3)
    return net.weighted(section, title, "linear", node, out=filters)


def elman(net: Conversion, section: Section, title: str) -> str:
    """Add [rnn] or [crnn]: layers for the input, for the state, and for the result."""
    flat = section.kind == "rnn"
    if flat:
        now = net.made.flat(f"{title}/flatten", section.line, net.now)
    else:
        now = net.image(section, title)
    out = section.integer("output", 1)
    hidden = section.integer("hidden", out if flat else 1)  # the first darknet has one size
    name, gate = section.word("activation", "logistic"), section.integer("logistic", 0)
    within = {1: "logistic", 2: "loggy"}.get(gate, name) if flat else name

    def part(what: str, node: str, filters: int, function: str) -> str:
        node = _matrix(net, section, f"{title}/{what}", node, filters)
        return activate(net.made, f"{title}/{what}", section.line, function, node)

    read = part("input", now, hidden, name)
    before = net.state(section, f"{title}_state", net.made.shape(read))
    kept = part("self", before, hidden, within)
    parts = (before, read, kept) if section.flag("shortcut") else (read, kept)
    state = net.made.add(f"{title}/state", section.line, "add", parts)
    net.states.append(state)
    return part("output", state, out, name)


def gru(net: Conversion, section: Section, title: str) -> str:
    """Add [gru]."""
    made, add, out = net.made, net.adder(section, title), section.integer("output", 1)
    now = made.flat(f"{title}/flatten", section.line, net.now)
    before = net.state(section, f"{title}_state", (out,))

    def gate(what: str, state: str) -> str:
        read = _matrix(net, section, f"{title}/input_{what}", now, out)
        return add("add", read, _matrix(net, section, f"{title}/state_{what}", state, out))

    update, reset = (add("sigmoid", gate(what, before)) for what in "zr")
    fresh = gate("h", add("mul", before, reset))
    fresh = add("tanh" if section.flag("tanh") else "sigmoid", fresh)
    kept = add("mul", before, update)
    rest = add("mul", fresh, add("rsub", update, value=1.0))
    state = made.add(f"{title}/state", section.line, "add", (kept, rest))
    net.states.append(state)
    _note_unknown_order(net, section, state)
    return state


def lstm(net: Conversion, section: Section, title: str) -> str:
    """Add [lstm]."""
    now = net.made.flat(f"{title}/flatten", section.line, net.now)
    out = section.integer("output", 1)
    state = _lstm_step(net, section, title, now, (out,), "linear", "tanh")
    _note_unknown_order(net, section, state)
    return state


def conv_lstm(net: Conversion, section: Section, title: str) -> str:
    """Add [conv_lstm], with or without peepholes."""
    if section.flag("bottleneck"):
        raise net.made.error(f"'bottleneck' of [{section.kind}] is not supported", section.line)
    now, out = net.image(section, title), section.integer("output", 1)
    function = section.word("lstm_activation", "tanh")
    shape = (out, *net.made.shape(now)[1:])
    each = section.word("activation", "linear")
    return _lstm_step(net, section, title, now, shape, each, function)


def _lstm_step(
    net: Conversion,
    section: Section,
    title: str,
    now: str,
    shape: Shape,
    each: str,
    function: str,
) -> str:
    """Add the gates of an LSTM, whose parts have the activation `each`; return its result."""
    made, add, line = net.made, net.adder(section, title), section.line
    before, cell = (net.state(section, f"{title}_{what}", shape) for what in ("state", "cell"))
    peeps = section.flag("peephole")

    def part(what: str, node: str) -> str:
        node = _matrix(net, section, f"{title}/{what}", node, shape[0])
        return activate(made, f"{title}/{what}", line, each, node)

    # in the order of the weights file
    seen = {what: [part(f"v{what}", cell)] for what in "fi"} if peeps else {"f": [], "i": []}
    last = len(net.weights)
    kept = {what: part(f"w{what}", before) for what in "figo"}
    read = {what: part(f"u{what}", now) for what in "figo"}
    forget, write = (
        add("sigmoid", add("add", kept[what], read[what], *seen[what])) for what in "fi"
    )
    fresh = activate(made, f"{title}/g", line, function, add("add", kept["g"], read["g"]))
    limit = section.integer("state_constrain", 32 if section.kind == "conv_lstm" else 0)
    parts = add("mul", forget, cell), add("mul", write, fresh)
    cell = kept_cell = made.add(f"{title}/{'sum' if limit else 'cell'}", line, "add", parts)
    if limit:
        bounds = {"min": -float(limit), "max": float(limit)}
        kept_cell = made.add(f"{title}/cell", line, "clamp", (cell,), **bounds)
    peep = []
    if peeps:
        peep = [part("vo", cell)]
        net.weights.insert(last, net.weights.pop())
    gate = add("sigmoid", add("add", kept["o"], read["o"], *peep))
    shown = activate(made, f"{title}/h", line, function, cell)
    state = made.add(f"{title}/state", line, "mul", (gate, shown))
    net.states += [state, kept_cell]
    return state


def history(net: Conversion, section: Section, title: str) -> str:
    """Add [history]: the maps of the last steps, the newest first."""
    size = section.integer("history_size", 4)
    node = net.image(section, title)
    if size < 2:
        return node
    channels, *sizes = net.made.shape(node)
    kept = (size - 1) * channels
    before = net.state(section, f"{title}_state", (kept, *sizes))
    add = net.adder(section, title)
    node = add("concat", node, before)
    net.states.append(
        net.made.add(f"{title}/state", section.line, "slice", (node,), start=0, stop=kept)
    )
    return node


def _note_unknown_order(net: Conversion, section: Section, node: str) -> None:
    """Note weights whose order in files is not the same in both darknets."""
    net.weights.append(WeightsOf(f"[{section.kind}]", net.made.builder.nodes[node]))

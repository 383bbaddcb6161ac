"""An analysis as tables: a row for each layer or block, then the totals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from archscope.analysis.by_block import fitting_depth, fold
from archscope.analysis.cost import DTYPES
from archscope.analysis.count import convention
from archscope.analysis.result import Analysis, FieldView, LayerReport
from archscope.ir import Shape, text_of
from archscope.records.prediction import Prediction
from archscope.report.table import (
    BYTES,
    COUNT,
    MAJOR,
    MINOR,
    NAME,
    SHAPE,
    SHARE,
    TEXT,
    Column,
    Table,
)
from archscope.report.tables.latency import (
    MILLISECONDS,
    latency_rows,
    layer_milliseconds,
)
from archscope.report.tables.microcontroller import NEEDS, layer_needs
from archscope.units import format_bytes, format_count

MOST_LEVEL_BITS = 8  # of weights that count as even levels
ROWS = 48  # the most rows of a table that is not folded by default

COLUMNS = (
    Column("layer", NAME), Column("op", NAME), Column("out", SHAPE),
    Column("params", COUNT, rank=MAJOR), Column("macs", COUNT, rank=MAJOR),
    Column("% macs", SHARE, rank=MINOR), Column("memory access", BYTES), Column("field", NAME),
)  # fmt: skip

RECORD = (
    "name", "op", "out", "params", "buffers", "macs", "counted", "elementwise", "activations",
    "memory_access", "memory_access_bytes",
)  # fmt: skip


def layer_table(analysis: Analysis, depth: int | None = None) -> Table:
    """Return the layers as a table, folded at `depth` or, by default, to fit the screen."""
    if depth is None:
        depth = fitting_depth(analysis.layers, ROWS)
    whole = analysis.totals
    layers = fold(analysis.layers, depth)
    rows = tuple(_row(layer, whole.macs) for layer in layers)
    total: tuple[object, ...] = (
        "total", f"{whole.layers} layers", None, whole.params, whole.macs, None,
        whole.memory_access_bytes, None,
    )  # fmt: skip
    columns: tuple[Column, ...] = COLUMNS
    if analysis.mode != "inference":
        more = [layer.backward_macs or None for layer in layers]
        rows = tuple(_beside_macs(row, back) for row, back in zip(rows, more, strict=True))
        columns = _beside_macs(COLUMNS, Column("backward", COUNT, "backward_macs"))
        total = _beside_macs(total, whole.backward_macs)
    if analysis.latency is not None:
        times = layer_milliseconds(analysis, analysis.latency, depth)
        rows = tuple((*row, time or None) for row, time in zip(rows, times, strict=True))
        columns = (*columns, MILLISECONDS)
        total = (*total, analysis.latency.milliseconds)
    return Table("", columns, rows, (total,))


def _beside_macs(row: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    """Return a row of the table of layers with a value inserted after the macs."""
    return (*row[:5], value, *row[5:])


def layer_records(analysis: Analysis, depth: int | None = None) -> Table:
    """Return the layers with all their numbers as columns."""
    depth = depth or 0
    layers = fold(analysis.layers, depth)
    needed: Sequence[tuple[int, ...]] = [()] * len(layers)
    if analysis.microcontroller is not None:
        needed = layer_needs(analysis, analysis.microcontroller, depth)
    spent: Sequence[tuple[float, ...]] = [()] * len(layers)
    if analysis.latency is not None:
        spent = [(time,) for time in layer_milliseconds(analysis, analysis.latency, depth)]
    rows = []
    keys = RECORD if analysis.mode == "inference" else (*RECORD, "backward_macs")
    for layer, needs, time in zip(layers, needed, spent, strict=True):
        view = layer.receptive_field
        field = (view.size, view.stride, view.padding) if view else (None, None, None)
        numbers = (getattr(layer, key) for key in keys)
        rows.append((*numbers, *field, *needs, *time))
    fields = ("field_size", "field_stride", "field_padding")
    required: tuple[str, ...] = NEEDS if analysis.microcontroller else ()
    times = (MILLISECONDS.key,) if analysis.latency else ()
    names = (*keys, *fields, *required, *times)
    shapes = {"out", *fields}
    columns = tuple(Column(name, SHAPE if name in shapes else TEXT) for name in names)
    return Table("", columns, tuple(rows))


def _row(layer: LayerReport, macs: int) -> tuple[object, ...]:
    params = layer.params or ("shared" if layer.shares else None)
    share = layer.macs / macs if layer.macs else None
    access = layer.memory_access_bytes if layer.inputs else None
    field = field_text(layer.receptive_field)
    return layer.name, layer.op, layer.out, params, layer.macs or None, share, access, field


def field_text(view: FieldView | None) -> str:
    """Format a receptive field as size and stride, `212 / 32`, or `all` for the whole input.

    `<= all` is a bound, and `?` is not known.
    """
    if view is None:
        return ""
    if view.size is None or view.stride is None:
        return ("<= all" if view.status == "at most" else "all") if view.known else "?"
    marks = f"{' + gates' if view.sees_all else ''}{'' if view.known else ' ?'}"
    return f"{_short(view.size)} / {_short(view.stride)}{marks}"


def input_text(shape: Shape | dict[str, Shape]) -> str:
    """Format the shape of the input, or of several inputs by name."""
    if isinstance(shape, dict):
        return ", ".join(f"{name} {text_of(size)}" for name, size in shape.items())
    return text_of(shape)


def headline(analysis: Analysis) -> str:
    """Return the network, its input and the conditions as two lines."""
    about = f"  {analysis.about}" if analysis.about else ""
    mode = ", with the parts that serve only training" if analysis.mode == "training" else ""
    shapes = input_text(analysis.input)
    stored = f", weights as in {analysis.weights}" if analysis.weights else ""
    conditions = f"batch {analysis.batch}, {analysis.dtype}{stored}{mode}"
    return f"{analysis.name}{about}\ninput {shapes}, {conditions}"


def at_least(analysis: Analysis) -> dict[str, str]:
    """Return `>= ` for each total that lacks unrecognised operators, else an empty string."""
    missed = {fact for unknown in analysis.unknown for fact in unknown.facts}
    return {fact: ">= " if fact in missed else "" for fact in ("macs", "elementwise")}


def unknown_lines(analysis: Analysis) -> list[str]:
    """Return a line for each kind of operator with an unknown cost, and one for the others."""
    words = {"macs": "macs", "elementwise": "other work"}
    counted = [layer for layer in analysis.opaque if not layer.facts]
    rest = "opaque: counted, but no operators of archscope, so that it cannot be built: "
    lines = [
        f"unknown: {unknown.count} x {unknown.kind}, first at {unknown.nodes[0]}: its "
        f"{' and '.join(words[fact] for fact in unknown.facts)}"
        f" {'is' if unknown.facts == ('elementwise',) else 'are'} not in the totals"
        for unknown in analysis.unknown
    ]
    if counted:
        lines.append(rest + ", ".join(f"{kind.count} x {kind.kind}" for kind in counted))
    return lines


def bits_table(analysis: Analysis) -> list[Table]:
    """Return the macs by the bits of weights and inputs, if some are not those of the dtype."""
    plain = 8 * DTYPES[analysis.dtype]
    if all(row.weights == row.inputs == plain for row in analysis.macs_by_bits):
        return []
    whole = sum(row.macs for row in analysis.macs_by_bits)
    columns = (
        Column("bits of weights", COUNT, "weights"), Column("bits of inputs", COUNT, "inputs"),
        Column("macs", COUNT), Column("% macs", SHARE),
    )  # fmt: skip
    rows = tuple(
        (str(row.weights), str(row.inputs), row.macs, row.macs / whole)
        for row in analysis.macs_by_bits
    )
    return [Table("macs by bits", columns, rows)]


def saving_table(analysis: Analysis) -> list[Table]:
    """Return the costs before and after folding batch norms, if they were folded."""
    if analysis.fused is None:
        return []
    words = {"elementwise": "other work", "memory_access": "memory access"}
    fused = analysis.fused
    rows = []
    for name in structs.asdict(fused.before):
        before, after = getattr(fused.before, name), getattr(fused.after, name)
        more = at_least(analysis).get(name, "")
        change = f"{100 * (after / before - 1):+.2f} %" if before and not more else ""
        rows.append((words.get(name, name), f"{more}{before:,}", f"{more}{after:,}", change))
    columns = (
        Column("fused", NAME), Column("before", COUNT), Column("after", COUNT),
        Column("change", COUNT),
    )  # fmt: skip
    title = f"{fused.norms} batch norms folded into the layers before them"
    return [Table(title, columns, tuple(rows))]


def summary_table(analysis: Analysis) -> Table:
    """Return the totals, exact and rounded, with explanations."""
    whole = analysis.totals
    view = analysis.receptive_field
    maps = f"feature maps alive at {whole.peak_node}"
    kept = f"{analysis.optimizer}, {format_bytes(whole.saved_bytes)} kept for the backward pass"
    path = f"{whole.longest_path} nodes on the longest path, at most {whole.width} in parallel"
    access = f"{format_bytes(whole.memory_access_bytes)}, {whole.macs_per_byte:.1f} macs per byte"
    products = "multiply-accumulates of convolutions and matrix products"
    other = "bias, norm, activation, pooling, add; no macs"
    more = at_least(analysis)
    plain = (whole.params + whole.buffers) * DTYPES[analysis.dtype]
    types = "" if whole.weight_bytes == plain else ", in the types of the weights"
    if analysis.weights:
        few = any(row.weights <= MOST_LEVEL_BITS for row in analysis.macs_by_bits)
        types = ", as stored" + ("; even levels in few bits, with their scales" if few else "")
    weights = f"{format_bytes(whole.weight_bytes)} with buffers{types}"
    rows: list[tuple[object, ...]] = [
        ("params", f"{whole.params:,}", weights),
        ("macs", f"{more['macs']}{whole.macs:,}", f"{format_count(whole.macs)} {products}"),
        *_backward(analysis),
        *_counted(analysis),
        ("other work", f"{more['elementwise']}{whole.elementwise:,}", other),
        ("activations", f"{whole.activations:,}", "outputs of convolutions and linear layers"),
        ("memory access", f"{whole.memory_access:,}", access),
        ("feature maps", format_bytes(whole.activation_bytes), "all of them, including the input"),
        ("peak", format_bytes(whole.peak_activation_bytes), maps),
        ("training", format_bytes(whole.training_bytes), f"at least: weights, gradients, {kept}"),
        ("depth", str(whole.depth), f"layers with weights; {path}"),
    ]
    if view is not None:
        rows.append(("receptive field", *_field_words(view)))
    if len(analysis.outputs) > 1:
        rows += [
            (f"  of {head.name}", *_field_words(head.receptive_field))
            for head in analysis.outputs
            if head.receptive_field is not None and head.receptive_field != view
        ]
    rows += [
        ("unequal merge", clash.node, f"{clash.kind}: {', '.join(clash.branches)}")
        for clash in analysis.clashes
    ]
    if analysis.largest_batch is not None:
        fits = analysis.largest_batch
        where = f"in {format_bytes(fits.memory_bytes)} at inference, at most"
        training = f"{fits.training:,} in training with {analysis.optimizer}"
        rows.append(("largest batch", f"{fits.inference:,}", f"{where}; {training}"))
    if {"params", "macs"} & analysis.reference.keys():
        rows.append(("reference", *_reference(analysis)))
    rows += latency_rows(analysis)
    rows += accuracy_rows(analysis)
    return Table("", (Column("total", NAME), Column("", COUNT), Column("meaning")), tuple(rows))


def _backward(analysis: Analysis) -> list[tuple[object, ...]]:
    """Return a row for the backward pass if the analysis includes training."""
    if analysis.mode == "inference":
        return []
    macs, products = analysis.totals.backward_macs, analysis.totals.backward_products
    if macs is None or products is None:
        return [("backward", "unknown", "macs of operators that are not recognised")]
    words = f"{format_count(macs)} macs for the gradients, as torch's FlopCounterMode counts them"
    if products < macs:
        words += f"; {format_count(products)} are computed: it counts grouped weights as dense ones"
    return [("backward", f"{macs:,}", words)]


def _counted(analysis: Analysis) -> list[tuple[object, ...]]:
    """Return a row for the chosen counting convention, unless it is macs."""
    if analysis.count == "macs":
        return []
    rule = convention(analysis.count)
    number = analysis.totals.counted
    of = f"what {rule.name} {rule.version} prints" if rule.version else rule.about
    if rule.per_image and analysis.batch > 1:
        of += ", always for one image"
    return [(f"count {analysis.count}", f"{number:,}", f"{format_count(number)}: {of}")]


def _reference(analysis: Analysis) -> tuple[str, str]:
    quoted = {key: value for key, value in analysis.reference.items() if key in ("params", "macs")}
    ours = {"params": analysis.totals.params, "macs": analysis.totals.macs / analysis.batch}
    equal = all(value == ours[key] for key, value in quoted.items())
    numbers = ", ".join(f"{key} {value:,}" for key, value in quoted.items())
    source = analysis.reference.get("source", "the spec")
    return "equal" if equal else "DIFFERS", f"{source}: {numbers}"


def accuracy_rows(analysis: Analysis) -> list[tuple[str, str, str]]:
    """Return rows for the published and the predicted top-1 accuracy, if known."""
    rows = []
    quoted = analysis.reference
    if "top1" in quoted:
        recipe = f", recipe {quoted['top1_recipe']}" if "top1_recipe" in quoted else ""
        source = quoted.get("top1_source", "the spec")
        rows.append(("published top-1", f"{quoted['top1']:.1f} %", f"ImageNet, {source}{recipe}"))
    if analysis.predicted is not None:
        found = analysis.predicted
        words = prediction_words(found)
        rows.append(("predicted top-1", f"{found.mean:.1f} %", f"ImageNet, {words}; not measured"))
        if found.unlike:
            unlike = "; ".join(found.unlike)
            words = "unlike anything that it was fitted on, so that its interval may not hold"
            rows.append(("", "", f"{words}: {unlike}"))
    elif analysis.unpredicted:
        rows.append(("predicted top-1", "none", analysis.unpredicted))
    return rows


def prediction_words(found: Prediction) -> str:
    """Return the interval of a prediction, its recipe and its source."""
    recipe = f", under recipe {found.recipe}" if found.recipe else ""
    source = f"; from {found.networks} published results" if found.networks else ""
    return f"{found.low:.1f} to {found.high:.1f} % in 9 of 10 cases{recipe}{source}"


def _field_words(view: FieldView) -> tuple[str, str]:
    if not view.known and view.size is None:
        return "unknown", f"from {view.node} on: its receptive field is not known"
    if view.size is None or view.stride is None or view.padding is None:
        most = view.status == "at most"
        return "all", "at most the whole input" if most else "sees the whole input"
    words = f"stride {_short(view.stride)}, padding {_short(view.padding)}, at {view.node}"
    if view.smallest is not None:
        words += f"; {_short(view.smallest)} along the narrowest path"
    if view.sees_all:
        words += "; gates see the whole input"
    if not view.known:
        words += "; unknown behind branches of unequal stride"
    return _short(view.size), words


def _short(values: tuple[object, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else "x".join(map(str, values))

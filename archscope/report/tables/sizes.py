"""The bytes of weights in every form as tables."""

from __future__ import annotations

from typing import Any

from archscope.compress.layout import Layout
from archscope.compress.storage import FORMS, LayerSize, Sizes
from archscope.report.table import BYTES, COUNT, NAME, RATIO, Column, Part, Table, table_of

HEADINGS = {
    "float32": "float32",
    "float16": "float16",
    "int8": "int8",
    "codebook": "codebook",
    "codebook_huffman": "codebook, Huffman",
    "levels": "levels",
    "csr": "CSR",
    "relative_index": "relative index",
    "deep_compression": "codebook, relative index",
    "deep_compression_huffman": "codebook, relative index, Huffman",
}
"""The heading of each form."""

BY_LAYER = ("float32", "int8", "codebook", "relative_index", "deep_compression_huffman")
"""The forms in the table of layers; the record has all forms."""

LEVELS = (Column("level bits", COUNT, "level_bits"), Column(HEADINGS["levels"], BYTES, "levels"))
"""More columns of the table of layers, where weights are even levels."""


def size_parts(name: str, found: Sizes) -> list[Part]:
    """Return the bytes by form, then by layer, and the error of the codebooks."""
    totals = found.totals
    whole = totals["float32"]
    forms = table_of(
        totals.items(),
        (Column("form", NAME), lambda item: HEADINGS[item[0]]),
        (Column("size", BYTES), lambda item: item[1]),
        (Column("bytes", COUNT), lambda item: f"{item[1]:,}"),
        (Column("smaller", RATIO), lambda item: whole / item[1] if item[1] else None),
        (Column("what is stored"), lambda item: FORMS[item[0]]),
        title=name,
    )
    shown = [form for form in BY_LAYER if form in totals]
    levelled = any(layer.level_bits for layer in found.layers)
    layers = Table(
        "layers",
        (
            Column("layer", NAME),
            Column("weights", COUNT),
            Column("left", COUNT),
            Column("values", COUNT),
            *(Column(HEADINGS[form], BYTES, form) for form in shown),
            *(LEVELS if levelled else ()),
        ),
        tuple(
            (
                *(layer.name, layer.weights, layer.left, layer.values),
                *map(layer.bytes.get, shown),
                *((layer.level_bits, layer.bytes["levels"]) if levelled else ()),
            )
            for layer in found.layers
        ),
    )
    return [forms, layers, layout_line(found.layout), exactness_line(found)]


def layout_line(layout: Layout) -> str:
    """Return the bits of codes and distances."""
    (kernel_codes, matrix_codes), (kernel_distances, matrix_distances) = (
        layout.codes,
        layout.distances,
    )
    return (
        f"codes of {kernel_codes} and distances of {kernel_distances} bits for convolutions,"
        f" {matrix_codes} and {matrix_distances} for linear layers"
    )


def exactness_line(found: Sizes) -> str:
    """Return the error of the codebooks."""
    if any(layer.error is None for layer in found.layers):
        return "no weights were given: forms whose size depends on them are left out"
    coded = [layer for layer in found.layers if layer.weights]
    rounded = [layer for layer in coded if layer.error]
    if not rounded:
        return "codebooks hold every weight exactly"
    worst = max(rounded, key=lambda layer: layer.error or 0.0)
    return (
        f"codebooks are exact in {len(coded) - len(rounded)} of {len(coded)} layers;"
        f" in the others k-means rounds weights, most in {worst.name}, by"
        f" {100 * (worst.error or 0.0):.2g}% (root mean square)"
    )


def size_record(name: str, found: Sizes) -> dict[str, Any]:
    """Return the bytes for programs."""
    return {
        "format": 1,
        "name": name,
        "bits": found.layout,
        "totals": found.totals,
        "layers": [_layer_record(layer) for layer in found.layers],
    }


def _layer_record(layer: LayerSize) -> dict[str, Any]:
    return {
        "name": layer.name,
        "weights": layer.weights,
        "left": layer.left,
        "values": layer.values,
        "level_bits": layer.level_bits,
        "error": layer.error,
        "bytes": layer.bytes,
    }

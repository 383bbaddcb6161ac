"""The kinds of items that plug-ins can add, each in a folder of that name."""

from __future__ import annotations

from msgspec import Struct


class Kind(Struct, frozen=True):
    """A kind: the folder of its files, the noun for an item, and the location of its registry."""

    folder: str
    noun: str
    registry: str  # "module:name"
    word: str = ""  # the name of the item in its file; "" if importing the file registers it


KINDS = {
    kind.folder: kind
    for kind in (
        Kind("ops", "operator", "archscope.ops.registry:OPS"),
        Kind("rules", "rule", "archscope.rules.rule:RULES"),
        Kind("metrics", "metric", "archscope.metrics:METRICS", "METRIC"),
        Kind("datasets", "data set", "archscope.datasets.source:SOURCES"),
        Kind("samplers", "sampler", "archscope.search.samplers:SAMPLERS", "make"),
        Kind("conventions", "convention", "archscope.analysis.count:COUNTS", "CONVENTION"),
        Kind("importers", "importer", "archscope.importers.formats:FORMATS", "FORMAT"),
        Kind("exporters", "exporter", "archscope.exporters.formats:FORMATS", "FORMAT"),
    )
}
"""Every kind by folder."""

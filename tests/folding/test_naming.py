"""Names that folding makes: never taken, however many there are."""

from __future__ import annotations

from itertools import islice

from archscope.folding.fold import readable
from archscope.folding.naming import distinct, lettered
from tests.language.texts import graph_of


def test_names_do_not_run_out() -> None:
    names = list(islice(lettered("add"), 1000))
    assert names[:3] == ["add", "add_b", "add_c"] and names[26] == "add_bb"
    assert len({*names}) == 1000
    assert distinct("add", {*names}) not in names


def test_a_network_with_many_named_layers_is_folded() -> None:
    count = 700  # more than there are names with two letters
    words = ("conv: {out: 2, kernel: 1}", "maxpool: {kernel: 3, stride: 1, padding: 1}")
    layers = "\n".join(f"  - {{{words[i % 2]}, name: n{i}}}" for i in range(count))
    ends = ", ".join(f"n{i}" for i in range(count))
    graph = graph_of(f"input: [2, 4, 4]\nlayers:\n{layers}\n  - {{concat: , from: [{ends}]}}\n")
    assert len(readable(graph).graph.nodes) == len(graph.nodes)

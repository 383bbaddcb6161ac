"""A saved analysis is read as it was, or refused with the place of what contradicts the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from archscope.analysis import analyze
from archscope.analysis.saved import saved_analyses
from archscope.errors import RecordError
from archscope.language import load

Saved = dict[str, Any]


def saved(name: str = "lenet5") -> Saved:
    return dict(msgspec.json.decode(msgspec.json.encode(analyze(load(name)))))


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "siamese", "vit_b_16", "crnn"])
def test_what_was_saved_is_read(name: str) -> None:
    content = saved(name)
    (alone,) = saved_analyses(content)
    assert msgspec.json.decode(msgspec.json.encode(alone)) == content
    assert saved_analyses({"format": 1, "networks": [content, content]}) == [alone, alone]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one.update(layers=[]), "layers: expected a list with a layer, got none"),
        (
            lambda one: one["layers"].append(one["layers"][0]),
            "layers[13].name: there is already a layer 'input'",
        ),
        (lambda one: one["layers"].pop(0), "layers[0].inputs: no layer before it is 'input'"),
        (
            lambda one: one["layers"][0].update(out=[1, 0, 32]),
            "layers[0].out: expected sizes of at least 1, got [1, 0, 32]",
        ),
        (
            lambda one: one.update(input=[1, 32, 32, 32]),
            "receptive_field.size: expected as many sizes as the input has axes, 3, got 2",
        ),
        (
            lambda one: one.update(input=[1, 0]),
            "input: expected a shape such as [3, 224, 224], or several, got [1, 0]",
        ),
        (
            lambda one: one.update(input={}),
            "input: expected a shape such as [3, 224, 224], or several, got {}",
        ),
        (lambda one: one["totals"].pop("macs"), "totals: 'macs' is missing"),
    ],
)
def test_what_contradicts_the_rest_is_refused(change: Callable[[Saved], Any], said: str) -> None:
    content = saved()
    change(content)
    with pytest.raises(RecordError) as alone:
        saved_analyses(content)
    assert str(alone.value) == said
    with pytest.raises(RecordError) as compared:
        saved_analyses({"format": 1, "networks": [saved(), content]})
    assert str(compared.value) == f"networks[1].{said}"


@pytest.mark.parametrize("networks", [[], 5, None])
def test_a_comparison_has_networks(networks: Any) -> None:
    with pytest.raises(RecordError, match="networks: expected a list with a network, got"):
        saved_analyses({"networks": networks})

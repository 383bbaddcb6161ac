"""Sentences of the summary, winners, and the Pareto front."""

from __future__ import annotations

from itertools import product
from math import nan

from msgspec import structs

from archscope.report.pages.content import MEASURES, NetworkSection
from archscope.report.pages.quality import comparable, number
from archscope.report.pages.summary import pareto_front, summary, winners
from archscope.report.pages.words import names, written
from tests.report.conftest import changed, collected


def test_the_five(five: tuple[NetworkSection, ...]) -> None:
    words = summary(five)
    assert words[0] == "5 networks, all with input 3x224x224."
    assert any(line.startswith("shufflenet_v2_x1_0 is the lightest") for line in words)
    assert (
        "resnet50, mobilenet_v2, shufflenet_v1_g3 and shufflenet_v2_x1_0 are Pareto-optimal in macs"
        " and published top-1; vgg16 is dominated." in words
    )


def test_winners(five: tuple[NetworkSection, ...]) -> None:
    best = {winner.measure: winner.name for winner in winners(five)}
    assert best["macs"] == min(five, key=lambda one: one.totals.macs).name
    assert best["memory_access_bytes"] == "shufflenet_v2_x1_0"
    assert "accuracy" not in best


def test_the_front_is_what_no_network_dominates(five: tuple[NetworkSection, ...]) -> None:
    keys = [
        one.key for one in MEASURES.values() if one.better and number(five[0], one.key) is not None
    ]
    signs = {one.key: -1 if one.better == "more" else 1 for one in MEASURES.values()}
    for x, y in product(keys, repeat=2):
        points = {one.id: (signs[x] * one.values[x], signs[y] * one.values[y]) for one in five
                  if number(one, x) is not None and number(one, y) is not None}  # fmt: skip
        best = {one.id for one in pareto_front(five, x, y)}
        for name, (a, b) in points.items():
            dominated = any(c <= a and d <= b and (c, d) != (a, b) for c, d in points.values())
            assert dominated == (name not in best)


def test_accuracy_that_is_no_number_is_nobodys_win(five: tuple[NetworkSection, ...]) -> None:
    broken = changed(five[0], accuracy=nan)
    good, worse = changed(five[1], accuracy=0.9), changed(five[2], accuracy=0.8)
    (first, *_) = winners([broken, good, worse])
    assert (first.measure, first.name, first.margin) == (
        "accuracy", "resnet50", "10.0 points ahead of mobilenet_v2",
    )  # fmt: skip
    assert "resnet50 and mobilenet_v2 are Pareto-optimal in macs and accuracy" in " ".join(
        summary([broken, good, worse])
    )
    assert written(nan, "share") == "no number"


def test_networks_of_other_inputs_are_not_compared(five: tuple[NetworkSection, ...]) -> None:
    (small,) = collected("lenet5").networks()
    assert comparable([small, *five]) == list(five)
    assert all(winner.name != "lenet5" for winner in winners([small, *five]))
    assert "compared here are the 5 with input 3x224x224" in summary([small, *five])[0]


def test_one_network_and_none() -> None:
    (one,) = collected("googlenet").networks()
    words = summary([one])
    assert words[0] == "googlenet has 6.999 M params and needs 1.583 G macs for an input of" \
        " 3x224x224."  # fmt: skip
    assert "lrn1" in words[1]
    assert words[-1].startswith("It breaks")
    assert winners([one]) == ()
    assert summary([]) == ("There is no network in this report.",)


def test_equals_are_told_as_equals(five: tuple[NetworkSection, ...]) -> None:
    twin = structs.replace(five[0], id="twin", name="twin")
    third = structs.replace(twin, id="third", name="third")
    words = summary([five[0], twin, third])
    assert words[1].startswith("vgg16, twin and third are equally light by the geometric mean")
    assert winners([five[0], twin, third]) == (), "where all are equal, none is the best"

    words = summary([*five, twin])
    assert "to 15.47 G (vgg16 and twin), 113 times as many" in words[2]
    assert words[3].startswith("vgg16 and twin need the most memory for feature maps, 24.50 MiB")
    assert "; shufflenet_v1_g3 and shufflenet_v2_x1_0 the least, 2.297 MiB" in words[3]
    light = structs.replace(five[4], id="light", name="light")
    margins = {winner.measure: winner.margin for winner in winners([*five, light])}
    assert margins["memory_access_bytes"] == "the same as light"
    assert margins["peak_activation_bytes"] == "the same as shufflenet_v2_x1_0 and light"


def test_five_networks_are_named_and_six_counted(five: tuple[NetworkSection, ...]) -> None:
    assert names(five) == f"{', '.join(net.name for net in five[:4])} and {five[4].name}"
    assert names([*five, five[0]]).endswith(" and 2 more")


def test_a_transformer_sees_all_of_it_after_its_first_layers() -> None:
    words = summary(collected("deit_tiny").networks())
    assert words[2] == "98 % of the macs are in sequences, 124 layers."
    assert words[3].startswith("A position before the layers that may see all of it sees 7 %")

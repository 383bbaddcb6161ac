from __future__ import annotations

from math import log2

import pytest

from archscope.analysis.cost import costs, total
from archscope.bench.guideline_experiments import (
    SCALES,
    Experiment,
    experiments,
    paper,
    paper_ratio,
)
from archscope.errors import OptionError

ALL = [(device, scale) for device in ("cpu", "cuda") for scale in SCALES]


def each(device: str, scale: int) -> dict[str, Experiment]:
    return {experiment.code: experiment for experiment in experiments(device, scale)}


@pytest.mark.parametrize("device, scale", ALL)
def test_macs_are_equal_within_the_papers_rounding(device: str, scale: int) -> None:
    for experiment in experiments(device, scale):
        macs = [total(costs(graph)).macs for graph in experiment.graphs]
        # 22 x 44 channels for 32 x 32, the coarsest of the paper, are 5.5 % less.
        assert [one / macs[0] for one in macs] == pytest.approx([1.0] * len(macs), abs=0.056)


@pytest.mark.parametrize("device, scale", ALL)
def test_aligned_channels_fall_into_eights_at_equal_macs(device: str, scale: int) -> None:
    first, *_ = experiments(device, scale, aligned=True)
    pairs = [(variant.settings["c1"], variant.settings["c2"]) for variant in first.variants]
    assert all(c1 % 8 == c2 % 8 == 0 for c1, c2 in pairs)
    ratios = [c2 / c1 for c1, c2 in pairs]
    assert ratios == sorted(ratios)
    assert [c1 * c2 / pairs[0][0] / pairs[0][1] for c1, c2 in pairs] == pytest.approx(
        [1.0] * 4, abs=0.065
    )


def test_macs_by_hand() -> None:
    pixels = 56 * 56
    expected = {
        "G1": 10 * 2 * 32 * 32 * pixels,
        "G2": 10 * 64 * 64 * pixels,
        "G3": 10 * 64 * 64 * pixels,
        "G4": 10 * (32 * 8 + 9 * 8 * 8 + 8 * 32) * pixels,
    }
    found = {code: total(costs(one.graphs[0])).macs for code, one in each("cpu", 1).items()}
    assert found == expected


@pytest.mark.parametrize("device, scale", ALL)
def test_the_paper_has_every_variant(device: str, scale: int) -> None:
    for experiment in experiments(device, scale):
        for variant in experiment.variants:
            for platform in ("GPU", "ARM"):
                assert (experiment.code, variant.name, platform, scale) in paper()


def test_the_paper_has_nothing_else() -> None:
    variants = sum(len(experiment.variants) for experiment in experiments())
    assert len(paper()) == variants * 2 * len(SCALES)


def test_ratios_of_the_paper() -> None:
    assert paper_ratio("G1", "c1:c2=1:12", "c1:c2=1:1", "ARM", 1) == pytest.approx(57.6 / 76.2)
    assert paper_ratio("G2", "g=8", "g=1", "GPU", 4) == pytest.approx(230 / 437)


def test_what_the_experiments_change() -> None:
    found = each("cpu", 2)
    for variant, groups in zip(found["G2"].variants, (1, 2, 4, 8), strict=True):
        (kinds,) = {n.op.groups for n in variant.graph("g2").nodes if n.inputs}
        assert kinds == groups
    for variant in found["G3"].variants:
        graph = variant.graph("g3")
        fragments = int(variant.name[0])
        assert sum(node.op.name == "conv" for node in graph.nodes) == 10 * fragments
        added = [len(node.inputs) for node in graph.nodes if node.op.name == "add"]
        assert added == ([fragments] * 10 if "parallel" in variant.name else [])
    relus = [
        sum(node.op.name == "relu" for node in variant.graph("g4").nodes)
        for variant in found["G4"].variants
    ]
    adds = [
        sum(node.op.name == "add" for node in variant.graph("g4").nodes)
        for variant in found["G4"].variants
    ]
    assert (relus, adds) == ([30, 30, 0, 0], [10, 0, 10, 0])


def test_memory_access_grows_as_g1_and_g2_say() -> None:
    for code in ("G1", "G2"):
        access = [total(costs(graph)).memory_access for graph in each("cpu", 2)[code].graphs]
        assert access == sorted(access)
        assert log2(access[-1] / access[0]) > 0.5


def test_a_scale_that_the_paper_has_not() -> None:
    with pytest.raises(OptionError, match="scale of 1, 2 or 4, got 3"):
        experiments("cpu", 3)

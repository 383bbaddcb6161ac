"""What a network was before it was pruned or quantized, in the report of a run or of a spec."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec import structs
from safetensors.torch import save_file

from archscope import analyze, load
from archscope.build import build
from archscope.compress import prune
from archscope.drawing.tree import tree_of
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.language.write import to_yaml
from archscope.report.pages.before import before_parts, describe_before
from archscope.report.pages.content import Before, NetworkSection
from archscope.report.pages.inputs import ReportInputs
from archscope.report.pages.payload import network_data, page_data
from archscope.report.table import Table
from tests.nets import Net
from tests.report.conftest import make_run, page_of


def described(old: Graph, new: Graph) -> Before:
    return describe_before("old", old, new, analyze(old), analyze(new))


@pytest.fixture
def pruned(tmp_path: Path) -> Path:
    found = prune(load("lenet5"), budget="50%", importance="random", lanes=2)
    path = tmp_path / "pruned.yaml"
    path.write_text(found.spec()[0])
    return path


def run_of(spec: Path, folder: Path, origin: Path) -> Path:
    run = make_run(folder, compressed_from=str(origin))
    shutil.copy(spec, run / "spec.yaml")
    return run


def section_of(*sources: object, before: str | None = None) -> NetworkSection:
    inputs = ReportInputs(before=before)
    for source in sources:
        inputs.add(str(source))
    assert not inputs.problems
    return inputs.networks()[0]


@pytest.mark.parametrize("name", ["lenet5", "shufflenet_v2_x0_5", "squeezenet1_1"])
def test_rows_add_up_to_the_totals(name: str) -> None:
    old = load(name).inference()
    found = described(old, prune(old, budget="60%", importance="random", lanes=4).graph)
    for rows, (was, now) in (
        ([row.params for row in found.layers], found.params),
        ([row.macs for row in found.layers], found.macs),
    ):
        assert sum((before or 0) - (after or 0) for before, after in rows) == was - now > 0
    narrower = [row for row in found.layers if row.channels[0] != row.channels[1]]
    assert narrower and all(row.macs[0] or row.params[0] for row in found.layers)
    assert described(old, old).layers == ()
    section = structs.replace(section_of(name), before=described(old, old))
    assert before_parts(section) == [f"{name} has the channels, params and macs of old"]


def test_layers_that_came_or_went() -> None:
    def net(*outs: int) -> Graph:
        made = Net(x=(3, 8, 8))
        last = "x"
        for out in outs:
            last = made("conv", last, out=out, kernel=1, name=f"conv{out}")
        return made.graph()

    grown, shrunk = described(net(4), net(4, 5)), described(net(4, 5), net(4))
    assert [(row.name, row.params) for row in grown.layers] == [("conv5", (None, 25))]
    assert [(row.name, row.channels) for row in shrunk.layers] == [("conv5", (5, None))]


def test_run_is_compared_with_the_run_it_comes_from(tmp_path: Path, pruned: Path) -> None:
    original = make_run(tmp_path / "runs" / "first")
    run = run_of(pruned, tmp_path / "runs" / "first-pruned1", original)
    section = section_of(run)
    assert section.before is not None and section.before.name == "first"
    assert section.before.macs[0] == 416520 and section.missing == ()
    assert section.overlay is not None and section.overlay.sizes["conv0"].startswith("6 → ")
    assert section_of(original).before is None
    moved = (tmp_path / "runs").rename(tmp_path / "elsewhere")
    assert section_of(moved / run.name).before == section.before
    shutil.rmtree(moved / "first")
    (missing,) = section_of(moved / run.name).missing
    assert missing == "the run 'first', which it was compressed from"


def test_specs_are_compared_with_a_given_network(pruned: Path) -> None:
    section = section_of(pruned, "lenet5", before="lenet5")
    assert section.before is not None and section.before.name == "lenet5"
    assert section_of("lenet5", before="lenet5").before is None
    with pytest.raises(OptionError, match="did you mean 'lenet5'"):
        ReportInputs(before="lenet6")


def test_layers_are_in_the_page_and_in_text(pruned: Path) -> None:
    section = section_of(pruned, before="lenet5")
    assert "before" not in page_data(page_of(section))["networks"][0]
    inside = network_data(section, tree_of(section.layers))
    assert inside["before"] == section.before and inside["overlay"].span == (0, 100)
    (table,) = before_parts(section)
    assert isinstance(table, Table) and table.title.endswith("since lenet5")
    was, now = section.before.macs  # type: ignore[union-attr]
    assert table.totals[0][-1].startswith("416.5 K -> ") and now < was


def test_added_roundings_of_few_bits_lose_nothing(tmp_path: Path) -> None:
    graph = load("lenet5")
    spec = tmp_path / "rounded.yaml"
    text = to_yaml(graph).replace("  - flatten", "  - fake_quantize: {scale: 0.5}\n  - flatten", 1)
    spec.write_text(text)
    section = section_of(spec, before="lenet5")
    assert section.overlay is None
    assert section.before is not None and section.before.macs == (416520, 416520)


def test_bytes_of_weights_as_stored(tmp_path: Path) -> None:
    original = make_run(tmp_path / "first")
    run = make_run(tmp_path / "half", compressed_from=str(original))
    state = build(load("lenet5")).state_dict()
    save_file(state, original / "best.safetensors")
    save_file({name: tensor.half() for name, tensor in state.items()}, run / "best.safetensors")
    inputs = ReportInputs()
    for source in (run, original, "vgg16"):
        inputs.add(str(source))
    half, first, vgg = inputs.networks()
    assert half.before is not None and half.before.weight_bytes == (4 * 61706, 2 * 61706)
    assert before_parts(half)[-1] == "weights of half as stored: 241.0 KiB -> 120.5 KiB"
    assert [net.values["weight_bytes"] for net in (half, first)] == [2 * 61706, 4 * 61706]
    assert vgg.values["weight_bytes"] == vgg.totals.weight_bytes and vgg.weights == ""
    assert (
        network_data(half, tree_of(half.layers))["weights"] == f"{run.as_posix()}/best.safetensors"
    )
    assert "weights" in [measure.label for measure in inputs.page(None, "none").measures]
    alone = ReportInputs()
    alone.add("vgg16")
    assert "weight_bytes" not in alone.networks()[0].values
    (run / "best.safetensors").write_bytes(b"junk")
    broken = ReportInputs()
    broken.add(str(run))
    assert broken.networks()[0].weights == ""
    (problem,) = broken.problems
    assert problem.reason.startswith("the bytes of its weights are not shown: cannot read")

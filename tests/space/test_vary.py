"""A plain spec becomes a space that holds it, with other networks around it."""

from __future__ import annotations

from typing import Any

import pytest

from archscope import load
from archscope.analysis.canonical import canonical
from archscope.errors import OptionError, SpecError
from archscope.language import document
from archscope.space import vary as vary_module
from archscope.space.costs import CostModel
from archscope.space.sampling import Sampler
from archscope.space.search_space import Space, bind, space
from archscope.space.vary import vary_text
from tests.language.texts import INPUT


def around(name: str, *roles: str) -> Space:
    return space(document("made.yaml", text=vary_text(document(name), roles).encode()))


def texts(found: Space) -> dict[str, str]:
    return {decision.path: decision.text for decision in found.decisions}


@pytest.mark.parametrize(
    "name, role, expected",
    [
        ("resnet18", "width", {"width": "0.5, 0.75, 1, 1.25"}),
        ("resnet50", "depth", {"depths.0": "1 to 4", "depths.1": "2 to 6", "depths.2": "3 to 9",
                               "depths.3": "1 to 4"}),
        ("shufflenet_v2_x1_0", "width", None),
        ("mobilenet_v2", "depth", {
            f"rows.{i}.n": text
            for i, text in enumerate(("1 to 2", "1 to 3", "1 to 4", "2 to 6", "1 to 4", "1 to 4",
                                      "1 to 2"))
        }),
        ("mobilenet_v3_large", "kernel", None),
        ("efficientnet_b0", "depth", {"depth": "0.5, 0.75, 1.0, 1.25"}),
        ("vgg11", "kernel", None),
        ("densenet121", "depth", None),
    ],
)  # fmt: skip
def test_roles_are_followed_to_where_they_are_written(
    name: str, role: str, expected: dict[str, str] | None
) -> None:
    found = around(name, role)
    assert expected is None or texts(found) == expected
    sampler, evaluate = Sampler(found), CostModel(found)
    assert all(evaluate(sampler.any()) is not None for _ in range(10))


def original(found: Space, **others: Any) -> dict[str, Any]:
    return {
        decision.path: others.get(decision.path, decision.default) for decision in found.decisions
    }


def test_the_network_itself_is_in_the_space() -> None:
    found = around("resnet50", "width", "depth")
    choices = {f"depths.{i}": depth for i, depth in enumerate((3, 4, 6, 3))}
    assert canonical(bind(found, {**choices, "width": 1})) == canonical(load("resnet50"))
    assert found.name == "resnet50_space"
    assert found.document.reference == {}


def test_kernels_keep_sizes() -> None:
    text = INPUT + "layers:\n  - conv: {out: 8, kernel: 3, padding: 1}\n  - maxpool: 2\n"
    text += "  - conv: {out: 8, kernel: 3, padding: 1, stride: 2}\n  - conv: {out: 8, kernel: 3}\n"
    made = vary_text(document("net.yaml", text=text.encode()), ["kernel"])
    assert "- conv: {out: 8, kernel: !choice [3, 5, 7], padding: same}" in made
    assert made.count("!choice") == 1
    found = space(document("net.yaml", text=made.encode()))
    sizes = {bind(found, {"conv0.kernel": k}).nodes[-1].out for k in (3, 5, 7)}
    assert len(sizes) == 1


def test_names_of_let() -> None:
    found = around("shufflenet_v2_x1_0", "widths", "last")
    assert texts(found)["widths.0"] == "56, 88, 116, 144"
    assert texts(found)["last"] == "512, 768, 1024, 1280"


@pytest.mark.parametrize(
    "name, role, message",
    [
        ("alexnet", "depth", "'alexnet' has no depth to vary"),
        ("resnet18", "", "nothing of 'resnet18' to vary is called ''; it has width, kernel"),
        ("resnet18", "widht", "nothing of 'resnet18' to vary is called 'widht', did you mean 'wid"),
        ("mobile", "width", "'mobile' is already a search space"),
        ("shufflenet_v1_g8", "width", "'shufflenet_v1_g8' is not valid with any other width"),
    ],
)
def test_what_cannot_vary(name: str, role: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        vary_text(document(name), [role])
    assert str(caught.value).startswith(message)
    listed = str(caught.value).partition("; it has ")[2].split(", ")
    assert len(set(listed)) == len(listed), "a name is listed twice"


def test_brackets_of_a_pattern_cannot_be_written() -> None:
    with pytest.raises(SpecError, match="a bracket of a pattern cannot be written as a spec"):
        vary_text(document("INPUT 3x32x32 -> [CONV 12 -> RELU]*2 -> FC 10"), ["depth"])


def test_long_repeats_are_tried_at_their_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    expand = vary_module.expand

    def counted(*args: Any, **words: Any) -> Any:
        graph = expand(*args, **words)
        tried.append(len(graph.nodes))
        return graph

    monkeypatch.setattr(vary_module, "expand", counted)
    plain = document("long.yaml", text=f"{INPUT}layers: [{{relu: , repeat: 1000}}]".encode())
    assert "!int {low: 500, high: 1500}" in vary_text(plain, ["depth"])
    assert len(tried) == 3

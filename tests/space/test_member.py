"""The network of a space that equals a given one, and what is told if there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archscope.analysis.canonical import canonical
from archscope.errors import OptionError
from archscope.language import document, graph
from archscope.search.anchors import member
from archscope.space.bound_spec import bound_text
from archscope.space.member import membership
from archscope.space.sampling import Sampler
from archscope.space.search_space import Space, space


def drawn(networks: Space, seed: int) -> dict[str, Any]:
    return Sampler(networks, (), seed=seed).any()


@pytest.mark.parametrize("name", ["tiny", "mnas", "mobile", "cifar_macro", "resnet"])
def test_networks_of_large_spaces_are_found(name: str) -> None:
    networks = space(document(name))
    wanted = networks.graph(drawn(networks, 99))
    found = membership(networks, wanted, [drawn(networks, seed) for seed in range(4)])
    assert found.found and found.choices is not None
    assert canonical(networks.graph(found.choices)) == canonical(wanted)


def test_other_names_do_not_matter(tmp_path: Path) -> None:
    networks = space(document("tiny"))
    file = tmp_path / "net.yaml"
    file.write_text(bound_text(networks, drawn(networks, 7), name="net", about=""))
    choices = member(networks, str(file), ())
    assert canonical(networks.graph(choices)) == canonical(graph(document(str(file))))


def test_the_effort_is_bounded() -> None:
    networks = space(document("mnas"))
    found = membership(networks, networks.graph(drawn(networks, 1)), most=20)
    assert (found.found, found.tried) == (False, 20) and found.choices is not None


SPACE = """
name: small
let: {first: !choice [2, 4, 8], kernel: !choice [1, 3], rate: !float {low: 0.1, high: 0.9}}
input: [1, 8, 8]
layers:
  - conv: {out: =first, kernel: =kernel, padding: =kernel//2}
  - relu
  - flatten
  - dropout: =rate
  - linear: 2
"""
MEMBER = """
input: [1, 8, 8]
layers: [{conv: {out: 4, kernel: 3, padding: 1}}, relu, flatten, {dropout: 0.35}, {linear: 2}]
"""


@pytest.fixture
def small() -> Space:
    return space(document("small.yaml", text=SPACE.encode()))


def test_two_decisions_of_one_operator_and_a_value_without_steps(
    small: Space, tmp_path: Path
) -> None:
    (tmp_path / "net.yaml").write_text(MEMBER)
    choices = member(small, str(tmp_path / "net.yaml"), ())
    assert choices == {"first": 4, "kernel": 3, "rate": 0.35}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("{linear: 2}", "{linear: 3}", "1 layer; first, its 'linear' has out 2, not 3"),
        ("[1, 8, 8]", "[3, 8, 8]", "'small': its input is 3x8x8, theirs 1x8x8"),
        (" relu,", " relu, maxpool,", "first, it has no 'maxpool' (maxpool)"),
        (" relu,", "", "first, it has another layer, 'relu' (relu)"),
    ],
)
def test_the_nearest_difference_is_told(
    small: Space, tmp_path: Path, old: str, new: str, expected: str
) -> None:
    assert old in MEMBER
    file = tmp_path / "net.yaml"
    file.write_text(MEMBER.replace(old, new).replace(" maxpool,", " {maxpool: 2},"))
    with pytest.raises(OptionError) as error:
        member(small, str(file), ())
    assert "was not found among the networks of 'small'" in str(error.value)
    assert expected in str(error.value)

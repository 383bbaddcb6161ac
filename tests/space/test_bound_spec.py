"""Networks of spaces as plain specs: they read as the same network, and stay readable."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given, settings

from archscope.errors import OptionError, SpecError
from archscope.ir import Graph
from archscope.language import document, graph, load, spaces, zoo
from archscope.language.write import document_text
from archscope.space.bound_spec import bound_text, same
from archscope.space.sampling import random_choices
from archscope.space.search_space import Space, bind, space
from tests.space.test_holes import BLOCKS, space_of
from tests.strategies import specs


def read(text: str) -> Graph:
    return graph(document("bound.yaml", text=text.encode()))


@pytest.mark.parametrize("name", [*spaces(), "blocks"])
def test_a_network_of_a_space_reads_as_the_same_network(name: str) -> None:
    found = space_of(BLOCKS) if name == "blocks" else space(document(name))
    random = Random(7)
    for number in range(4):
        choices = found.masked(random_choices(found, random))
        text = bound_text(found, choices, name=f"number_{number}")
        again = read(text)
        assert again.name == f"number_{number}"
        assert same(again, bind(found, choices))
        assert not any(tag in text for tag in ("!choice", "!int", "!float"))
        assert "blocks:" in text, "it was written node by node"


def bound_by(found: Space, **choices: object) -> str:
    return bound_text(found, {path.replace("__", "."): value for path, value in choices.items()})


def test_instances_that_differ_become_a_list() -> None:
    found = space_of(BLOCKS)
    text = bound_by(
        found, unit__wide=2, stage0__depth=3, stage0__unit0__kernel=3, stage0__unit1__kernel=5,
        stage0__unit2__kernel=3, stage1__depth=1, stage1__unit0__kernel=5,
    )  # fmt: skip
    assert text == (
        "name: stdin\n"
        "input: [3, 32, 32]\n"
        "\n"
        "blocks:\n"
        "  unit:\n"
        "    with: {out: , kernel: , wide: }\n"
        "    layers:\n"
        "      - conv: {out: =out*wide, kernel: =kernel, padding: =kernel//2}\n"
        "  stage:\n"
        "    with: {depth: , kernel: }\n"
        "    layers:\n"
        "      - unit: {out: 8, kernel: =kernel, wide: 2}\n"
        "        each: {kernel: =kernel}\n"
        "\n"
        "layers:\n"
        "  - stage: {depth: =depth, kernel: =kernel}\n"
        "    each: {depth: [3, 1], kernel: [[3, 5, 3], [5]]}\n"
    )


def test_instances_that_agree_stay_as_they_were() -> None:
    found = space_of(BLOCKS)
    choices = {decision.path: decision.default for decision in found.decisions}
    text = bound_text(found, choices)
    assert "- unit: {out: 8, kernel: 3, wide: 1}\n        repeat: =depth" in text
    assert "- stage: {depth: 1}\n    repeat: 2" in text


def test_conditions_that_are_decided_leave_no_trace() -> None:
    found = space_of("""
blocks: {unused: {with: {k: !choice [1, 3]}, layers: [{conv: {out: 4, kernel: =k}}]}}
layers:
  - relu
  - unused: {}
    when: !choice [true, false]
""")
    text = bound_by(found, unused__when=False)
    assert "unused" not in text
    assert "when" not in bound_by(found, unused__when=True, unused__k=3)


def test_what_cannot_be_lifted_is_written_node_by_node() -> None:
    found = space_of("""
blocks:
  unit:
    with: {a: , out: !choice [=a, =2*a]}
    layers: [{conv: =out}]
layers:
  - unit: 4
    repeat: 2
""")
    text = bound_by(found, unit0__out=0, unit1__out=1)
    assert "blocks" not in text
    assert same(read(text), bind(found, {"unit0.out": 0, "unit1.out": 1}))


def test_choices_are_checked() -> None:
    with pytest.raises(OptionError, match="did you mean"):
        bound_text(space_of(BLOCKS), {"stage0.dept": 1})


@pytest.mark.parametrize("name", sorted(zoo()))
def test_documents_of_the_zoo_read_again(name: str) -> None:
    text = document_text(document(name))
    again = document("again.yaml", text=text.encode())
    assert same(graph(again), load(name))
    assert document_text(again) == text


@pytest.mark.parametrize("name", sorted(spaces()))
def test_documents_of_spaces_read_again(name: str) -> None:
    first = document(name)
    again = document("again.yaml", text=document_text(first).encode())
    said = [
        [(decision.path, decision.text, decision.when) for decision in space(each).decisions]
        for each in (first, again)
    ]
    assert said[0] == said[1]


@settings(max_examples=60)
@given(specs())
def test_random_documents_read_again(spec: dict[str, object]) -> None:
    first = document("first.yaml", text=json.dumps(spec).encode())
    again = document("again.yaml", text=document_text(first).encode())
    assert same(graph(first), graph(again))


def test_a_pattern_can_be_written_if_it_has_no_brackets() -> None:
    plain = document("INPUT 3x32x32 -> CONV 12 -> RELU -> FC 10")
    assert same(graph(plain), read(document_text(plain)))
    with pytest.raises(SpecError, match="a bracket of a pattern cannot be written as a spec"):
        document_text(document("INPUT 3x32x32 -> [CONV 12]*2 -> FC 10"))


def test_what_depends_on_shapes_needs_a_value_only_where_it_counts() -> None:
    found = space_of("""
layers:
  - conv: !choice [4, 8]
  - conv: {out: 8, kernel: !choice [1, 3]}
    when: =x.channels == 4
""")
    text = bound_by(found, conv0__out=8)
    assert "  - conv: 8\n  - conv: {out: 8, kernel: 1}\n    when: =x.channels == 4" in text
    assert same(read(text), bind(found, {"conv0.out": 8}))
    with pytest.raises(SpecError, match=r"'conv1.kernel' open"):
        bound_by(found, conv0__out=4)

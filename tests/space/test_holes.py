"""Holes: which decisions a spec leaves open, when they count, and the networks they make."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from archscope.analysis.cost import sums_of
from archscope.errors import LimitError, OptionError, SpecError
from archscope.ir import Graph
from archscope.language import document, load, spaces, zoo
from archscope.language.limits import Limits
from archscope.space import graph
from archscope.space.bound_spec import same
from archscope.space.sampling import random_choices
from archscope.space.search_space import Space, bind, space
from tests.language.texts import INPUT, names, ops


def space_of(text: str, **settings: Any) -> Space:
    return space(document("spec.yaml", text=(INPUT + text).encode()), **settings)


def closed(text: str, **choices: Any) -> Graph:
    return graph(document("spec.yaml", text=text.encode()), set=choices)


def paths(found: Space) -> list[str]:
    return [decision.path for decision in found.decisions]


def test_a_hole_wherever_a_value_stands() -> None:
    found = space_of("""
let: {width: !choice [8, 16], rows: [{n: !int {low: 1, high: 3}}, {n: 2}]}
layers:
  - conv: !choice [4, 8]
  - conv: {out: =width, kernel: !choice [1, [3, 3]]}
    name: second
  - dropout: !float {low: 0.1, high: 0.5}
  - relu: {}
    repeat: !int {low: 0, high: 4, step: 2}
    when: !choice [true, false]
  - concat: [identity, relu]
    split: !choice [2, [4, 4]]
""")
    assert paths(found) == [
        "width", "rows.0.n", "conv.out", "second.kernel", "dropout.p", "relu0.repeat",
        "relu0_0.when", "relu0_1.when", "relu0_2.when", "relu0_3.when", "concat.split",
    ]  # fmt: skip
    texts = {decision.path: decision.text for decision in found.decisions}
    assert texts["width"] == "8, 16"
    assert texts["second.kernel"] == "1, [3, 3]"
    assert texts["dropout.p"] == "0.1 to 0.5"
    assert texts["relu0.repeat"] == "0 to 4 in steps of 2"


BLOCKS = """
blocks:
  unit:
    with: {out: , kernel: !choice [3, 5], wide: !choice {of: [1, 2], shared: true}}
    layers:
      - conv: {out: =out*wide, kernel: =kernel, padding: =kernel//2}
  stage:
    with: {depth: !int {low: 1, high: 3}}
    layers:
      - unit: 8
        repeat: =depth
layers:
  - stage: {}
    repeat: 2
"""


def test_a_hole_in_a_block_is_drawn_for_every_instance_unless_shared() -> None:
    found = space_of(BLOCKS)
    assert paths(found) == [
        "stage0.depth", "stage0.unit0.kernel", "unit.wide", "stage0.unit1.kernel",
        "stage0.unit2.kernel", "stage1.depth", "stage1.unit0.kernel", "stage1.unit1.kernel",
        "stage1.unit2.kernel",
    ]  # fmt: skip


def test_depth_masks_the_tail_of_its_choices() -> None:
    found = space_of(BLOCKS)
    (conditions,) = found.by_path["stage0.unit2.kernel"].when
    assert [(condition.paths, condition.allowed) for condition in conditions] == [
        (("stage0.depth",), {(3,)})
    ]
    choices = {decision.path: decision.values()[-1] for decision in found.decisions} | {
        "stage0.depth": 1
    }
    full = found.masked(choices)
    assert len(full) == 9
    assert (full["stage0.unit1.kernel"], full["stage1.unit1.kernel"]) == (3, 5)
    assert "stage0.unit1.kernel" not in found.active(choices)
    assert bind(found, choices) == bind(found, {**choices, "stage0.unit2.kernel": 3})
    assert names(bind(found, choices)) == [
        "stage0.unit0.conv", "stage1.unit0.conv", "stage1.unit1.conv", "stage1.unit2.conv",
    ]  # fmt: skip


def test_an_argument_closes_the_hole_of_a_parameter() -> None:
    found = space_of(BLOCKS.replace("unit: 8", "unit: {out: 8, kernel: 1, wide: 1}"))
    assert paths(found) == ["stage0.depth", "stage1.depth"]


def test_conditions_on_named_values_are_followed() -> None:
    found = space_of("""
let: {kind: !choice [a, b, c], both: "=kind in ['a', 'b']"}
layers:
  - conv: !choice [4, 8]
    when: =both
    then:
      conv: !choice [1, 2]
    else:
      dropout: !choice [0.1, 0.2]
""")
    when = {
        decision.path: [sorted(each.allowed or ()) for ways in decision.when for each in ways]
        for decision in found.decisions
    }
    assert when == {
        "kind": [],
        "conv0.out": [[("a",), ("b",)]],
        "conv1.out": [[("a",), ("b",)]],
        "dropout.p": [[("c",)]],
    }


def test_a_hole_inside_an_alternative_counts_with_it() -> None:
    found = space_of("""
let: {gate: !choice [{use: false}, {use: true, reduction: !choice [4, 8]}]}
layers:
  - conv: 8
  - conv: =8 // gate.reduction
    when: =gate.use
""")
    assert paths(found) == ["gate", "gate.1.reduction"]
    assert found.by_path["gate"].alternatives == (0, 1)
    assert found.active({"gate": 0}) == {"gate": 0}
    assert len(bind(found, {"gate": 0}).nodes) == 2
    assert bind(found, {"gate": 1, "gate.1.reduction": 4}).nodes[-1].out == (2, 32, 32)


def test_alternatives_may_be_expressions() -> None:
    found = space_of("let: {a: 4}\nlayers: [{conv: !choice [=a, =2*a]}]")
    assert found.by_path["conv.out"].labels == ("=a", "=2*a")
    assert bind(found, {"conv.out": 1}).nodes[-1].out[0] == 8


def test_lists_are_walked_with_their_holes() -> None:
    found = space_of("""
let: {rows: [{n: !int {low: 0, high: 2}, c: 4}, {n: 1, c: !choice [8, 16]}]}
layers:
  - conv: {out: =row.c, kernel: !choice [1, 3]}
    each: {row: =rows}
    then:
      relu: {}
      repeat: =row.n
      when: !choice [true, false]
""")
    assert paths(found) == [
        "rows.0.n", "rows.1.c", "conv0.kernel", "relu0_0.when", "relu0_1.when", "conv1.kernel",
        "relu1_0.when",
    ]  # fmt: skip
    choices = {decision.path: decision.default for decision in found.decisions} | {"rows.0.n": 2}
    assert ops(found.graph(choices)) == ["conv", "relu", "relu", "conv", "relu"]


def test_what_depends_on_shapes_is_not_known() -> None:
    found = space_of("""
layers:
  - conv: !choice [4, 8]
  - conv: {out: 8, kernel: !choice [1, 3]}
    when: =x.channels == 4
""")
    assert not found.certain
    assert not found.by_path["conv1.kernel"].certain
    assert len(bind(found, {"conv0.out": 8}).nodes) == 2
    with pytest.raises(SpecError, match=r"'conv1.kernel' open"):
        bind(found, {"conv0.out": 4})
    assert len(bind(found, {"conv0.out": 4, "conv1.kernel": 1}).nodes) == 3


def test_turns_that_depend_on_shapes_are_refused() -> None:
    with pytest.raises(
        SpecError, match=r"spec.yaml:3:5: the number of iterations depends on shapes"
    ):
        space_of("layers:\n  - conv: !choice [4, 8]\n    repeat: =x.channels\n")


def test_limits_hold_for_spaces() -> None:
    text = "layers:\n  - conv: !choice [4, 8]\n    repeat: 1000\n"
    found = document("spec.yaml", text=(INPUT + text).encode())
    with pytest.raises(LimitError, match="more decisions than the limit of 100"):
        space(found, limits=Limits(items=100))
    with pytest.raises(LimitError, match="more work than the limit of 50 steps"):
        space(found, limits=Limits(steps=50))
    deep = "blocks: {a: {layers: [{conv: !choice [1, 2]}, a]}}\nlayers: [a]"
    with pytest.raises(LimitError, match="does a block contain itself"):
        space_of(deep)


def test_binding_says_what_is_wrong() -> None:
    found = space_of(BLOCKS)
    good = {decision.path: decision.default for decision in found.decisions}
    for change, message in (
        ({"stage0.dept": 1}, "'stdin' has no decision 'stage0.dept', did you mean 'stage0.depth'?"),
        ({"stage0.depth": 4}, "'stage0.depth' must be 1 to 3, got 4"),
        ({"stage0.depth": 1.5}, "'stage0.depth' must be 1 to 3, got 1.5"),
        ({"stage0.depth": True}, "'stage0.depth' must be 1 to 3, got true"),
        ({"unit.wide": True}, "'unit.wide' must be one of 1, 2, got true"),
        ({"unit.wide": None}, "'unit.wide' must be one of 1, 2, got nothing"),
    ):
        with pytest.raises(OptionError) as caught:
            bind(found, {**good, **change})
        assert str(caught.value) == message
    with pytest.raises(OptionError) as caught:
        bind(found, {"stage0.depth": 2})
    assert str(caught.value) == "'stage0.unit0.kernel' and 4 more of 'stdin' have no value"


def test_one_and_one_point_nought_make_the_same_network() -> None:
    found = space_of("layers: [{conv: !choice [1, 2]}, {dropout: !float {low: 0, high: 1}}]")
    one = bind(found, {"conv.out": 1, "dropout.p": 0})
    assert one == bind(found, {"conv.out": 1.0, "dropout.p": 0.0})


def test_set_closes_holes() -> None:
    text = INPUT + BLOCKS
    given = {f"stage{i}.{key}": value for i in (0, 1) for key, value in
             (("depth", 2), ("unit0.kernel", 3), ("unit1.kernel", 5))}  # fmt: skip
    net = closed(text, **given, **{"unit.wide": 1})
    assert [node.op.kernel for node in net.nodes if node.op.name == "conv"] == [3, 5, 3, 5]
    with pytest.raises(OptionError, match=r"did you mean 'stage0.unit1.kernel'"):
        closed(text, **{"stage0.unit1.kernl": 3})
    found = space_of(BLOCKS, set={"stage0.depth": 1, "unit.wide": 2})
    assert found.by_path["stage0.depth"].values() == (1,)
    found = space_of("let: {a: !choice [1, 2]}\nlayers: [{conv: =a}]", set={"a": 7})
    assert found.decisions == ()


def test_input_may_be_open_or_replaced() -> None:
    text = "input: [3, !choice [32, 64], 32]\nlayers: [relu]"
    found = space(document("spec.yaml", text=text.encode()))
    assert bind(found, {"input.1": 64}).inputs[0].out == (3, 64, 32)
    closed = space(document("spec.yaml", text=text.encode()), input=(1, 8, 8))
    assert closed.decisions == ()
    assert closed.graph({}).inputs[0].out == (1, 8, 8)


def test_names_must_not_meet() -> None:
    text = """
blocks: {a: {with: {b: !choice [1, 2]}, layers: [{conv: =b}]}}
layers:
  - a: {}
  - conv: {out: !choice [1, 2]}
    name: a.b
  - a: {}
    name: b
"""
    assert "a.b.out" in paths(space_of(text))
    twice = "let: {a: {out: !choice [1, 2]}}\nlayers: [{conv: !choice [1, 2], name: a}]"
    with pytest.raises(SpecError, match=r"two holes are called 'a\.out'"):
        space_of(twice)


def test_a_candidate_is_the_same_whatever_was_built_before() -> None:
    """What is kept from one candidate to the next changes none of them."""
    name = "mobile"
    kept = space(document(name))
    random = Random(3)
    for _ in range(8):
        choices = kept.masked(random_choices(kept, random))
        kept.sums(choices)  # which builds less, and must leave nothing half behind
        fresh = space(document(name)).graph(choices)
        assert kept.graph(choices) == fresh
        sums = (
            sum(node.facts.params for node in fresh.nodes),
            sum(node.facts.buffers for node in fresh.nodes),
            sum(node.facts.macs for node in fresh.nodes),
            sum(node.facts.access for node in fresh.nodes),
        )
        assert kept.sums(choices) == sums_of(fresh.nodes)
        assert kept.sums(choices)[: len(sums)] == sums


def test_weights_shared_inside_kept_blocks_count_once() -> None:
    text = """
blocks:
  pair:
    layers:
      - add:
          - conv: {out: 4, kernel: 3, padding: 1}
            share: a
          - conv: {out: 4, kernel: 3, padding: 1}
            share: a
layers:
  - conv: !choice [4, 8]
  - pair: {}
    repeat: 2
"""
    found = space_of(text)
    for _ in range(2):
        made = found.graph({"conv.out": 4})
        assert same(made, closed(INPUT + text, **{"conv.out": 4}))
        owned = sum(node.facts.params for node in made.nodes if node.shares is None)
        assert found.sums({"conv.out": 4})[0] == owned


def test_heads_of_training_are_not_summed_up() -> None:
    found = space_of("""
layers:
  - conv: !choice [4, 8]
  - conv: 100
    output: {name: aside, train_only: true}
  - relu
""")
    assert found.sums({"conv0.out": 4})[0] == 3 * 4 + 4


def test_spaces_are_found_by_name_and_are_no_networks() -> None:
    assert {"mobile", "resnet", "cifar_macro", "nasbench201_cell", "tiny"} <= set(spaces())
    assert not set(spaces()) & set(zoo())
    with pytest.raises(SpecError, match="'archscope space' shows it"):
        load("mobile")
    with pytest.raises(OptionError, match="did you mean 'mobile'"):
        load("mobil")


def test_large_numbers_of_turns_cost_little() -> None:
    body = "layers:\n  - conv: !choice [4, 8]\n    repeat: !int {low: 1, high: HIGH}\n"
    with pytest.raises(LimitError, match="more work than the limit"):
        space_of(body.replace("HIGH", "16000"))
    with pytest.raises(SpecError, match="depends on shapes or on too many decisions"):
        space_of(body.replace("HIGH", "90000"))


def test_lists_with_many_holes_are_walked_apart() -> None:
    rows = "[" + ", ".join("{k: !choice [1, 3, 5], n: !int {low: 1, high: 2}}" for _ in range(12))
    found = space_of(f"""
let: {{rows: {rows}]}}
blocks:
  stage:
    with: {{row: }}
    layers:
      - conv: {{out: 4, kernel: =row.k, padding: =row.k//2}}
        repeat: =row.n
        then: {{dropout: !choice [0.1, 0.2]}}
layers:
  - stage: =row
    each: {{row: =rows}}
""")
    assert len(found.decisions) == 12 * 4
    (conditions,) = found.by_path["stage7.dropout1.p"].when
    assert [condition.paths for condition in conditions] == [("rows.7.n",)]

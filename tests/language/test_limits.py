"""A spec that asks for too much is refused, with the name of the limit, and at once.

No test looks at a clock: without its limit each of the hostile texts would take hours or gigabytes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from archscope.errors import LimitError
from archscope.language import LIMITS, Limits, document, load
from tests.language.texts import INPUT, graph_of, names, refusal

LAUGHS = "x1: &x1 [1, 1]\n" + "".join(
    f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 10)}]\n" for i in range(2, 10)
)
LADDER = "x0: &x0 1\n" + "".join(
    f"x{i}: &x{i} {'[' * 30}*x{i - 1}{']' * 30}\n" for i in range(1, 100)
)
# A list that holds one list twice, which holds one list twice: 2**60 elements in a few bytes.
DOUBLES = "  a0: =[1, 1]\n" + "".join(f"  a{i}: =[a{i - 1}, a{i - 1}]\n" for i in range(1, 60))
CHAIN = "".join(f"  a{i}: =a{i + 1}\n" for i in range(5000))

HOSTILE = {
    "deep lists": ("[" * 100_000, "1:65: nested deeper than the limit of 64"),
    "deep mappings": ("{a: " * 100_000, "1:257: nested deeper than the limit of 64"),
    "deep blocks": ("- " * 100_000, "1:129: nested deeper than the limit of 64"),
    "billion laughs": (
        LAUGHS,
        "6:20: the file holds more than the limit of 100000 values,"
        " each use of an alias counted in full",
    ),
    "ladder of aliases": (LADDER, "4:39: nested deeper than the limit of 64"),
    "half a million digits": (
        f"{INPUT}let: {{a: {'1' * 500_000}x}}\nlayers: [relu]",
        "2:10: text longer than the limit of 1000 characters",
    ),
    "long word": (
        f"{INPUT}layers: [{'a' * 500_000}]",
        f"2:10: unknown operator or block '{'a' * 57}...' (at layers[0])",
    ),
    "long expression": (
        f"{INPUT}layers: [conv: ={'1+' * 250_000}1]",
        f"2:16: more than the limit of 1000 characters in '={'1+' * 58}...' (at layers[0])",
    ),
    "deep expression": (
        f"{INPUT}layers: [conv: ={'-' * 70}1]",
        f"2:16: nested deeper than the limit of 64 in '={'-' * 70}1' (at layers[0])",
    ),
    "tower of powers": (
        f"{INPUT}layers: [conv: =9**9**9**9]",
        "2:16: a power must be real, with an exponent of at most 64 in '=9**9**9**9'"
        " (at layers[0])",
    ),
    "rounding to a billion digits": (
        f'{INPUT}layers: [conv: "=round(5, -10**9)"]',
        "2:16: 'round' cannot take 5, -1000000000 in '=round(5, -10**9)' (at layers[0])",
    ),
    "chain of names": (
        f"{INPUT}let:\n{CHAIN}  a5000: 1\nlayers: [conv: =a0]",
        "66:8: values of 'let' in a row beyond the limit of 64 in '=a64' (at layers[0])",
    ),
    "growing feature map": (
        f"{INPUT}layers: [{{upsample: 60000, repeat: 9}}]",
        "2:11: 'upsample0' has the shape 3x1920000x1920000,"
        " more positions along an axis than the limit of 1048576 (at layers[0])",
    ),
    "comparison of endless lists": (
        f"{INPUT}let:\n{DOUBLES}{DOUBLES.replace('a', 'b')}layers: [conv: =a59 == b59]",
        "123:16: cannot compare [[[...], [...]], [[...], [...]]] with"
        " [[[...], [...]], [[...], [...]]] in '=a59 == b59' (at layers[0])",
    ),
    "endless list in a message": (
        f"{INPUT}let:\n{DOUBLES}layers: [conv: =a59]",
        "63:16: 'out' of 'conv' must be a whole number of at least 1,"
        " got [[[...], [...]], [[...], [...]]] (at layers[0])",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_text(case: str) -> None:
    text, message = HOSTILE[case]
    assert refusal(text.encode()) == message


def test_names_that_build_on_one_another_inside_deep_expressions() -> None:
    rows = "".join(f"  a{i}: ={'-' * 60}a{i + 1}\n" for i in range(60))
    said = refusal(f"let:\n{rows}  a60: 1\nlayers: [conv: =a0]")
    assert said.endswith("values depend on one another too deeply (at layers[0])")


def test_values_that_double_at_every_layer() -> None:
    layers = "".join(f"- {{pass: {{}}, from: [n{i}, n{i}], name: n{i + 1}}}\n" for i in range(60))
    text = "blocks: {pass: {layers: []}}\nlayers:\n" + layers.replace("n0, n0", "in, in")
    assert f"more work than the limit of {LIMITS.steps} steps" in refusal(text)


NOTHING = "{relu: {}, when: false, repeat: 1000}"
WIDE = f"let: {{many: [{'1, ' * 1000}1]}}\n"


@pytest.mark.parametrize(
    "limits, text, message",
    [
        (Limits(file_bytes=10), "layers: [relu]", "the file is larger than the limit of 10 bytes"),
        (Limits(items=9), "layers: [relu, relu]", "2:16: the file holds more than the limit of 9"),
        (Limits(depth=3), "layers: [conv: {out: [3]}]", "2:16: nested deeper than the limit of 3"),
        (Limits(repeat=3), "layers: [{relu: {}, repeat: 4}]", "more turns than the limit of 3"),
        (Limits(nodes=3), "layers: [relu, relu, relu]", "2:22: more nodes than the limit of 3"),
        (Limits(steps=99), f"layers: [{NOTHING}]", "2:11: more work than the limit of 99 steps"),
        (Limits(name=6), "layers: [longest: 3]", "the key 'longest' is longer than the limit of 6"),
        (LIMITS, f"{WIDE}layers: [conv: =sum(many)]", "a list longer than the limit of 256"),
        (LIMITS, f"{WIDE}layers: [conv: =3 in many]", "a list longer than the limit of 256"),
        (LIMITS, "layers: [conv: =2**64]", "a number beyond the limit of 9223372036854775807"),
        (
            Limits(positions=40),
            "layers: [upsample: 2]",
            "more positions along an axis than the limit of 40",
        ),
        (LIMITS, f"let: {{a: {'a' * 1001}}}\nlayers: [relu]", "text longer than the limit of 1000"),
    ],
    ids=lambda value: "" if isinstance(value, Limits) else str(value)[:30],
)
def test_each_limit_is_named(limits: Limits, text: str, message: str) -> None:
    with pytest.raises(LimitError) as caught:
        graph_of(text, limits)
    assert message in str(caught.value)


def test_what_a_limit_allows() -> None:
    assert names(graph_of("layers: [relu, relu, relu]", Limits(nodes=4))) == [
        "relu0", "relu1", "relu2",
    ]  # fmt: skip
    assert names(graph_of("layers: [{relu: {}, repeat: 2}]", Limits(repeat=2))) == [
        "relu0",
        "relu1",
    ]


def test_a_flat_spec_may_be_as_long_as_a_graph() -> None:
    line = "  - conv: {out: 8, kernel: 3, padding: 1}\n"
    assert len(line) * LIMITS.nodes < LIMITS.file_bytes
    assert 9 * LIMITS.nodes < LIMITS.items  # with the keys and the containers
    found = document("flat.yaml", text=f"{INPUT}layers:\n{line * 12_000}".encode())
    assert len(found.body.layers) == 12_000


def test_number_of_files(tmp_path: Path) -> None:
    for i in range(5):
        (tmp_path / f"{i}.yaml").write_text(f"use: {i + 1}.yaml\n", encoding="utf-8")
    (tmp_path / "5.yaml").write_text("blocks: {b: {layers: relu}}\n", encoding="utf-8")
    spec = tmp_path / "net.yaml"
    spec.write_text(f"use: 0.yaml\n{INPUT}layers: [b]\n", encoding="utf-8")
    assert names(load(spec, limits=Limits(files=6))) == ["b.relu"]
    with pytest.raises(LimitError, match="more files than the limit of 5"):
        load(spec, limits=Limits(files=5))


def test_blocks_may_nest_while_they_end() -> None:
    text = """
    blocks:
      unet:
        with: {depth: }
        layers:
          - concat: [identity, [{maxpool: 2}, {unet: {depth: =depth-1}}, {upsample: 2}]]
            when: =depth > 0
            else: relu
    layers: [unet: %d]
    """
    assert "unet.unet.unet.relu" in names(graph_of(text % 2))
    assert graph_of(text % 5).nodes[-1].out == (18, 32, 32)
    # A sixth level of pooling has nothing to pool.
    assert "with padding is 1 wide" in refusal(text % 6)

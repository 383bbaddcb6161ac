from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Run

OLD, NEW = "INPUT 3x8x8 -> CONV 8 -> RELU -> FC 4", "INPUT 3x8x8 -> CONV 12 -> RELU -> FC 4"


def test_layers_and_totals(run: Run) -> None:
    result = run("diff", OLD, NEW)
    assert (result.code, result.err) == (0, "")
    assert "out 8 -> 12" in result.out
    assert "+49.91 %" in result.out  # params: 224 + 2052 to 336 + 3076
    assert "in 512 -> 768" in result.out, "the shape of its input makes it larger"
    assert "2 other layers have other shapes" in result.out
    assert "no layer is different" in run("diff", OLD, OLD).out


def test_as_json(run: Run) -> None:
    data = json.loads(run("diff", OLD, NEW, "--format", "json").out)
    assert (data["old"], data["failures"]) == (OLD, [])
    assert (data["before"]["params"], data["after"]["params"]) == (2276, 3412)
    first = data["layers"][0]
    assert (first["kind"], first["new"]) == ("changed", "conv")
    assert first["attributes"] == {"out": [8, 12]}
    assert first["params"] == [224, 336]


def test_a_gate_says_what_where_and_how_to_allow_it(run: Run) -> None:
    result = run("diff", OLD, NEW, "--max-change", "params=+5%", "--max-change", "depth=0")
    assert result.code == 1
    assert result.err.splitlines() == [
        "over the allowed change: params 2,276 -> 3,412, +49.91 %, allowed +5%",
        "largest change of params: linear (reshaped), +1,024",
        "to accept it: --max-change params=+49.92%",
    ]
    markdown = run("diff", OLD, NEW, "--max-change", "params=+5%", "--format", "markdown").out
    assert markdown.startswith("- over the allowed change: params")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("params=+49.92%", 0), ("params=+1136", 0), ("params=+1135", 1), ("params=0", 1),
        ("field=0", 0), ("flash=+1KiB", 1), ("flash=+2KiB", 0), ("flops=+50%", 0), ("peak=-1%", 1),
    ],
)  # fmt: skip
def test_what_is_allowed(run: Run, change: str, code: int) -> None:
    assert run("diff", OLD, NEW, "--max-change", change).code == code


def test_what_a_failure_offers_is_accepted(run: Run) -> None:
    for option in ("params=+5%", "macs=+10", "peak=0", "memory_access_bytes=+1KiB"):
        failed = run("diff", OLD, NEW, "--max-change", option)
        assert failed.code == 1
        offered = failed.err.splitlines()[2].removeprefix("to accept it: ").split()
        assert run("diff", OLD, NEW, *offered).code == 0


def test_less_is_worse_for_some(run: Run) -> None:
    large, small = "INPUT 3x8x8 -> CONV 4 5x5 -> FC 2", "INPUT 3x8x8 -> CONV 4 -> FC 2"
    assert run("diff", large, small, "--max-change", "field=-10%").code == 1
    assert run("diff", large, small, "--max-change", "field=-40%").code == 0
    assert run("diff", small, large, "--max-change", "field=0").code == 0


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("macz=+5%", "--max-change macz=+5%: no metric 'macz', did you mean 'mac'?"),
        ("macs", "--max-change needs NAME=CHANGE such as macs=+5%, got 'macs'"),
        ("macs=+x%", "--max-change macs=+x%: expected a share such as +5%"),
        ("macs=nan%", "--max-change macs=nan%: expected a share such as +5%"),
    ],
)
def test_mistakes(run: Run, option: str, message: str) -> None:
    result = run("diff", OLD, NEW, "--max-change", option)
    assert (result.code, result.out) == (2, "")
    assert result.err.strip() == f"error: {message}"

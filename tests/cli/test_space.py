from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

TINY = ("space", "tiny", "--samples", "20")


def test_a_table(run: Run) -> None:
    result = run(*TINY, "--budget", "20MMACs")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("tiny: 113,799,168 networks, 25 decisions, at 1x28x28\n")
    assert "stage*.layer*.kernel           9   3, 5" in result.out
    assert "macs      959.9 K" in result.out
    assert " of 113,799,168 networks fit (" in result.out
    assert "20MMACs: at most 20,000,000 and at least 17,000,000 macs" in result.out


def test_every_instance(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run(*TINY, "--format", "csv").out)))
    assert len(rows) == 25
    assert rows[-1] == {
        "decision": "stage2.layer2.kernel",
        "alternatives": "3, 5",
        "counts_when": "stage2.depth is 3",
    }
    assert "stage2.layer2.kernel" in run(*TINY, "--all").out
    assert "| stage2.layer2.kernel | 3, 5 | stage2.depth is 3 |" in run(
        *TINY, "--format", "markdown"
    ).out  # fmt: skip


def test_json(run: Run) -> None:
    data = json.loads(run(*TINY, "--budget", "20MMACs", "--format", "json").out)
    assert data["format"] == 1
    assert data["networks"] == "113799168"
    assert data["exact"] is True
    assert data["decisions"][0]["alternatives"] == [8, 16, 24]
    assert {one["metric"] for one in data["costs"]} >= {
        "macs", "params", "weights", "access", "peak",
    }  # fmt: skip
    assert data["budgets"][0]["most"] == 20e6
    assert data["share"]["seen"] == 113_799_168 and data["share"]["exact"]


def test_no_network_fits(run: Run) -> None:
    result = run(*TINY, "--budget", "100kMACs")
    assert result.code == 1
    assert "no network was found within '100kMACs': macs from 959.9 K to 155.7 M" in result.out
    assert "  relax " in result.out


def test_holes_can_be_closed(run: Run) -> None:
    out = run(*TINY, "--set", "stem=16", "--set", "stage0.depth=1", "--input", "1x32x32").out
    assert ", at 1x32x32\n" in out
    assert out.startswith(f"tiny: {113799168 // 3 // 84 * 4:,} networks, 24 decisions")


@pytest.mark.parametrize(
    "args, message",
    [
        (
            ["space", "resnet18"],
            "'resnet18' has no holes; type: archscope space resnet18 --vary",
        ),
        (["space", "tiny", "--budget", "300M"], "300M of what?"),
        (["space", "tiny", "--budget", "60% of tiny"], "leaves 'stem' open"),
        (["space", "tiny", "--set", "stage0.dept=1"], "did you mean 'stage0.depth'?"),
        (["space", "tinny"], "did you mean 'tiny'?"),
        (["analyze", "tiny"], "'archscope space' shows it"),
    ],
)
def test_mistakes(run: Run, args: list[str], message: str) -> None:
    result = run(*args)
    assert result.code == 2
    assert message in result.err


def test_a_file_of_ones_own(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: mobile\nname: mine\nlet: {stem: 16, last: 1280}\n", encoding="utf-8")
    out = run("space", str(path), "--samples", "5", "--format", "json").out
    data = json.loads(out)
    assert data["name"] == "mine"
    assert "stem" not in [one["path"] for one in data["decisions"]]


def test_a_share_is_of_the_network_at_the_input_of_the_space(run: Run) -> None:
    macs = json.loads(run("analyze", "mobilenet_v2", "--input", "1x40x40", "--format", "json").out)
    limits = ("--input", "1x40x40", "--budget", "100% of mobilenet_v2", "--format", "json")
    data = json.loads(run(*TINY, *limits).out)
    assert data["budgets"][0]["most"] == macs["totals"]["macs"]


def test_a_share_of_a_network_that_cannot_take_the_input_is_refused(run: Run) -> None:
    result = run(*TINY, "--budget", "60% of alexnet")
    assert (result.code, result.out) == (2, "")
    assert "'alexnet' cannot take 1x28x28, the input of 'tiny'" in result.err


def test_choices_that_make_no_network_are_told_without_a_budget(run: Run, tmp_path: Path) -> None:
    spec = tmp_path / "groups.yaml"
    spec.write_text(
        "input: [3, 8, 8]\nlayers: [{conv: 6}, {conv: {out: 6, groups: !choice [1, 2, 4, 5]}}]"
    )
    out = run("space", str(spec)).out
    assert out.startswith("groups: 4 networks, 1 decision, at 3x8x8\n")
    assert "2 of 4 combinations of choices make no network" in out
    out = run("space", str(spec), "--budget", "params<=1M", "--edge", "0").out
    assert out.count("make no network") == 1
    assert json.loads(run("space", str(spec), "--format", "json").out)["invalid"] == 2

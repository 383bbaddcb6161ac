"""The linter on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from sarif_pydantic import Sarif

from archscope.rules.rule import RULES
from tests.cli.conftest import Run

TWICE = "input: [4, 8, 8]\nlayers:\n  - conv: 8\n  - relu\n  - relu   # again\n  - conv: 8\n"


@pytest.fixture
def twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "twice.yaml"
    path.write_text(TWICE, encoding="utf-8")
    return path


def test_findings_exit_with_1_and_nothing_with_0(run: Run, twice: Path) -> None:
    result = run("lint", "twice.yaml", "--select", "ACT,UNU")
    assert result.code == 1
    assert result.out == (
        "twice.yaml:5:5: ACT103 [*] relu follows relu and has no effect\n"
        "1 finding in 1 network (1 fixable with --fix)\n"
    )
    assert run("lint", "twice.yaml", "--select", "ACT103", "--exit-zero").code == 0
    assert run("lint", "twice.yaml", "--select", "UNU").code == 0
    assert run("lint", "twice.yaml", "--ignore", "activation-twice,G,RFD").code == 0


def test_fix_writes_diff_does_not(run: Run, twice: Path) -> None:
    result = run("lint", "twice.yaml", "--diff", "--select", "ACT103")
    assert result.code == 1
    assert "-  - relu   # again\n" in result.out
    assert twice.read_text(encoding="utf-8") == TWICE
    result = run("lint", "twice.yaml", "--fix", "--select", "ACT103")
    assert result.code == 0
    assert result.err == "fixed 1: ACT103 1\n"
    assert twice.read_text(encoding="utf-8") == TWICE.replace("  - relu   # again\n", "")
    assert run("lint", "twice.yaml", "--diff").out == "nothing to fix\n"


def test_a_network_of_the_zoo_is_never_changed(run: Run) -> None:
    assert run("lint", "resnet_cifar100_seed", "--unsafe-fixes", "--diff").out == "nothing to fix\n"


def test_a_mistake_in_one_spec_does_not_hide_the_others(run: Run, twice: Path) -> None:
    wrong = "input: [4, 8, 8]\nlayers: [cnov]\n"
    twice.with_name("wrong.yaml").write_text(wrong, encoding="utf-8")
    result = run("lint", ".")
    assert result.code == 2
    assert "ACT103" in result.out
    assert re.match(r"error: wrong.yaml:2:10: unknown operator or block 'cnov'", result.err)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--select", "XYZ"], "--select: no rule is called 'XYZ'"),
        (["--config", "none.toml"], "none.toml: cannot read the configuration"),
        (["--severity", "bad"], "--severity: there is no 'bad'"),
    ],
)
def test_mistakes(run: Run, twice: Path, args: list[str], message: str) -> None:
    result = run("lint", "twice.yaml", *args)
    assert result.code == 2
    assert message in result.err


def test_json_keeps_the_contract(run: Run) -> None:
    data = json.loads(
        run("lint", "mobilenet_v2", "vgg16", "--format", "json", "--severity", "info").out
    )
    assert data["format"] == 1 and data["networks"] == 2
    finding = next(one for one in data["findings"] if one["code"] == "G1")
    assert finding.keys() >= {"code", "node", "line", "message", "evidence", "severity", "file"}
    assert finding["evidence"]["channels"] == [16, 96]
    assert {one["severity"] for one in data["findings"]} == {"warning", "info"}


def test_rules_selected_by_their_code_show_what_is_worth_knowing(run: Run) -> None:
    words = ["lint", "INPUT 3x8x8 -> CONV 13 -> RELU -> FC 3"]
    assert "0 findings" in run(*words, "--select", "CHN").out
    result = run(*words, "--select", "CHN101")
    assert result.code == 1 and "13 channels are not a multiple of 8" in result.out
    assert run(*words, "--select", "CHN101", "--severity", "warning").code == 0


def test_sarif_is_valid(run: Run) -> None:
    out = run("lint", "mobilenet_v2", "vgg16", "--format", "sarif", "--severity", "info").out
    log = json.loads(out)
    jsonschema.validate(log, Sarif.model_json_schema(by_alias=True))
    Sarif.model_validate(log)
    (one,) = log["runs"]
    rules = one["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted(RULES)
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in one["results"])
    uris = {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for result in one["results"]
    }
    assert len(uris) == 2 and all(uri.endswith(".yaml") and "\\" not in uri for uri in uris)


def test_github_escapes(run: Run) -> None:
    (line,) = [
        line for line in run("lint", "mobilenet_v2", "--format", "github").out.splitlines()
        if "G4" in line
    ]  # fmt: skip
    assert line.startswith("::warning file=") and "title=G4 element-wise-share::" in line
    assert "64 %25 of the memory access" in line


def test_statistics(run: Run) -> None:
    out = run("lint", "resnet50", "mobilenet_v2", "--statistics").out
    rows = {row.split()[0]: row.split() for row in out.splitlines()[2:] if row.startswith(" ")}
    assert rows["G1"][1] == "unequal-channel-widths" and rows["G1"][3:5] == ["49", "2"]
    found = sum(int(row[2]) for row in rows.values())
    assert out.rstrip().endswith(f"{found} findings in 2 networks")
    assert run("lint", "resnet50", "--select", "UNU", "--statistics").out == (
        "0 findings in 1 network\n"
    )


def test_the_configuration_is_found(run: Run, twice: Path) -> None:
    twice.with_name("archscope.toml").write_text('[lint]\nselect = ["UNU"]\n', encoding="utf-8")
    assert run("lint", "twice.yaml").code == 0
    assert run("lint", "twice.yaml", "--select", "ACT103").code == 1


def test_rule_explains(run: Run) -> None:
    page = run("rule", "g1").out
    assert page.startswith("G1 unequal-channel-widths\n")
    assert "arXiv:1807.11164" in page and "limit       1.1" in page
    assert run("rule", "bias-before-norm").out.startswith("NRM101")
    assert all(code in run("rule").out for code in RULES)
    wrong = run("rule", "linear-stak")
    assert wrong.code == 2 and "did you mean 'linear-stack'?" in wrong.err
    data = json.loads(run("rule", "G3", "--format", "json").out)
    assert [one["name"] for one in data["rules"][0]["thresholds"]] == ["fragments", "branches"]


def test_score_card(run: Run) -> None:
    result = run("guidelines", "mobilenet_v2", "shufflenet_v2_x1_0")
    assert result.code == 0
    rows = [line.split() for line in result.out.splitlines()]
    assert rows[2] == ["mobilenet_v2", "1.25", "x", "!", "-", "3", "64", "%", "!", "G1", "G4"]
    assert rows[3][-1] == "none"
    assert run("guidelines", "mobilenet_v2", "--strict").code == 1
    assert run("guidelines", "shufflenet_v2_x1_0", "--strict").code == 0
    data = json.loads(run("guidelines", "mobilenet_v2", "--format", "json").out)
    assert data["networks"][0]["scores"][1]["value"] is None


def test_findings_of_a_module_name_the_line_of_python_that_calls_the_layer(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [
        "from torch import nn",
        "class TwiceNet(nn.Module):",
        "    def __init__(self):",
        "        super().__init__()",
        "        self.conv, self.relu = nn.Conv2d(3, 8, 3), nn.ReLU()",
        "    def forward(self, x):",
        "        x = self.relu(self.conv(x))",
        "        return self.relu(x)",
        "",
    ]
    Path("twicenet.py").write_text("\n".join(lines), encoding="utf-8")
    select = ("--select", "ACT103")
    result = run("lint", "twicenet", *select)
    assert result.code == 1
    assert re.match(r"twicenet\.py:8:1: relu\w*: ACT103 relu follows relu", result.out)
    assert "fixable" not in result.out
    (finding,) = json.loads(run("lint", "twicenet.py", *select, "--format", "json").out)["findings"]
    assert Path(finding["file"]) == tmp_path / "twicenet.py"
    assert (finding["line"], finding["fix"]) == (8, None)
    assert run("lint", "twicenet", *select, "--fix").err == ""
    assert Path("twicenet.py").read_text(encoding="utf-8") == "\n".join(lines)
    Path("twicenet.py").write_text(
        "\n".join(lines).replace("(x)\n", "(x)  # noqa: ACT103\n", 2), encoding="utf-8"
    )
    assert run("lint", "twicenet", *select).code == 0

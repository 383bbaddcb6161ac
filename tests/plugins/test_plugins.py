"""Plug-ins of a folder and of a package are found, listed and used; a broken one is one line."""

from __future__ import annotations

import json
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from archscope.plugins.discovery import GROUP, OFF, discover
from archscope.plugins.kinds import KINDS
from archscope.search.evaluation import Trainer, cache_key
from archscope.sources import load
from tests.cli.conftest import Run
from tests.plugins.conftest import FILES, NAMES, Write

SIGMOID = "INPUT 3x32x32 -> CONV 12 -> SIGMOID -> FC 10"


def listed(run: Run, code: int = 0) -> list[dict[str, str]]:
    result = run("plugins", "--format", "json")
    assert (result.code, result.err) == (code, "")
    found: list[dict[str, str]] = json.loads(result.out)["plugins"]
    return found


def test_a_folder_is_found_and_listed(project: Write, run: Run) -> None:
    rows = listed(run)
    assert {row["kind"]: row["name"] for row in rows} == NAMES
    assert {(row["plugin"], row["version"], row["named_in"], row["error"]) for row in rows} == {
        ("plugins", "", "archscope.toml", "")
    }
    assert all(row["file"].startswith(f"plugins/{row['kind']}/") for row in rows)


def test_the_manual_shows_the_list(project: Write, run: Run) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
    shown = manual.partition("$ archscope plugins\n")[2].partition("```")[0]
    assert lines(run("plugins").out) == lines(shown)
    finding = manual.partition("--select LAB\n")[2].partition("```")[0]
    assert lines(run("lint", SIGMOID, "--select", "LAB").out) == lines(finding)


def lines(text: str) -> list[str]:
    """Return what lines say, without rules and the end."""
    return [line.rstrip() for line in text.splitlines() if line.strip(" ─")]


def test_a_package_is_found_and_listed(package: Path, run: Run) -> None:
    (entry,) = entry_points(group=GROUP)  # as others read the metadata that we read ourselves
    assert (entry.name, entry.value) == ("lab", "archscope_lab")
    rows = listed(run)
    assert {row["kind"]: row["name"] for row in rows} == NAMES
    assert {(row["plugin"], row["version"]) for row in rows} == {("archscope_lab", "1.2")}
    assert {Path(row["named_in"]).name for row in rows} == {"entry_points.txt"}


def test_a_package_that_a_project_names_too_is_loaded_once(package: Path, run: Run) -> None:
    Path("archscope.toml").write_text("plugins = ['archscope_lab']", encoding="utf-8")
    assert len(listed(run)) == len(NAMES)


def test_a_package_needs_no_entry_point(package: Path, run: Run) -> None:
    (package.parent / "archscope_lab-1.2.dist-info" / "entry_points.txt").unlink()
    assert listed(run) == []
    discover.cache_clear()
    Path("archscope.toml").write_text("plugins = 'archscope_lab'", encoding="utf-8")
    assert {(row["plugin"], row["named_in"]) for row in listed(run)} == {
        ("archscope_lab", "archscope.toml")
    }


def test_a_cached_training_is_of_the_code_that_is_there(project: Write) -> None:
    graph, trainer = load("net.yaml"), Trainer(data="halves")
    before = cache_key(graph, "", trainer)
    assert cache_key(graph, "", trainer) == before
    project("plugins/nn/star_relu.py", FILES["plugins/nn/star_relu.py"] + "\n# changed\n")
    assert cache_key(graph, "", trainer) != before


@pytest.mark.parametrize("way", ["project", "package"])
def test_an_operator_is_used(way: str, request: pytest.FixtureRequest, run: Run) -> None:
    request.getfixturevalue(way)
    layers = json.loads(run("analyze", "net.yaml", "--format", "json").out)["layers"]
    assert [layer["params"] for layer in layers if layer["op"] == "star_relu"] == [2]
    assert run("build", "net.yaml").code == 0
    assert run("export", "net.yaml", "-o", "net.py").code == 0  # it is run beside the network
    assert (
        "archscope" not in Path("net.py").read_text(encoding="utf-8").partition("import torch")[2]
    )
    assert run("ops", "star_relu").code == 0


def test_a_rule_is_used(package: Path, run: Run) -> None:
    result = run("lint", SIGMOID, "--select", "LAB")
    assert result.code == 1 and ":29: pattern: LAB101 sigmoid runs" in result.out
    assert "slow core" in run("rule", "LAB101").out


def test_a_metric_is_a_budget(project: Write, run: Run) -> None:
    assert run("space", "tiny", "--budget", "300uJ", "--samples", "10").code == 0
    assert run("space", "tiny", "--budget", "300uJ", "--objectives", "x").code == 2


def test_a_sampler_and_a_data_set_are_used(project: Write, run: Run) -> None:
    assert "climb" in run("search", "--sampler", "climbing").err
    result = run("data", "halves", "--format", "json")
    assert json.loads(result.out)["data"]["train"] == 200


@pytest.mark.parametrize("way", ["project", "package"])
def test_they_can_be_turned_off(
    way: str, request: pytest.FixtureRequest, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    request.getfixturevalue(way)
    monkeypatch.setenv(OFF, "")  # is restored after what the option sets
    result = run("--no-plugins", "analyze", "net.yaml")
    assert result.code == 2 and "unknown operator or block 'star_relu'" in result.err
    assert not {"archscope_lab.ops", "archscope_plugins.ops"} & sys.modules.keys()


def test_what_needs_no_plugin_loads_none(project: Write, run: Run) -> None:
    project("plugins/ops/broken.py", "raise RuntimeError")
    assert run("analyze", "INPUT 3x32x32 -> CONV 12 -> FC 10").err == ""


BROKEN = {
    "import": ("import nosuchmodule", ":1", "ModuleNotFoundError: No module named 'nosuchmodule'"),
    "syntax": ("x = 1\ndef f(:\n", ":2", "SyntaxError: "),
    "exit": ("import sys\nsys.exit(3)", ":2", "SystemExit: 3"),
    "lines": ("raise ValueError('first\\nsecond')", ":1", "ValueError: first second"),
    "nothing": ("print('at work')", "", "it registers no operator"),
    "facts": (
        "from archscope.ir import Op\nfrom archscope.ops.registry import op\n\n\n"
        "@op('blur')\nclass Blur(Op, frozen=True):\n    'It blurs.'\n",
        ":5", "operator 'blur' does not state its shape, params, buffers, macs, elementwise",
    ),
    "collides": (
        "from archscope.ops import OPS\nfrom archscope.ops.registry import op\n\n\n"
        "@op('relu')\nclass Again(OPS['relu'], frozen=True):\n    'Again.'\n",
        ":5", "two operators are named 'relu', one in archscope.ops.activation",
    ),
    "with a plug-in": (
        "from archscope.ops import OPS\nfrom archscope.ops.registry import op\n\n\n"
        "@op('star_relu')\nclass Again(OPS['relu'], frozen=True):\n    'Again.'\n",
        ":5", "two operators are named 'star_relu', one in plugins/ops/star_relu.py",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_one_is_one_line(name: str, project: Write, run: Run) -> None:
    text, line, reason = BROKEN[name]
    project("plugins/ops/zz_broken.py", text)
    result = run("analyze", "resnet50")
    assert result.code == 0 and "at work" not in result.out
    said = [row for row in result.err.splitlines() if row != "at work"]
    assert len(said) == 1
    assert said[0].startswith(f"warning: plug-in plugins/ops/zz_broken.py{line} did not load: ")
    assert reason in said[0]
    assert run("analyze", "net.yaml").code == 0, "others are used"
    rows = [row for row in listed(run, 1) if row["error"]]
    assert len(rows) == 1 and rows[0]["kind"] == "ops"
    assert rows[0]["file"] == f"plugins/ops/zz_broken.py{line}" and reason in rows[0]["error"]


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("metrics/bad.py", "", "it has no METRIC, as every metric has"),
        ("metrics/bad.py", "METRIC = 3", "METRIC must be a Metric, got a int"),
        ("metrics/bad.py", "from archscope.metrics import METRICS\nMETRIC = METRICS['macs']",
         "two metrics are named 'macs', one in archscope.metrics"),
        ("samplers/bad.py", "def make(context): ...", "ABOUT is missing: a line for the help"),
        ("samplers/tpe.py", "ABOUT = 'x'\nmake = print",
         "two samplers are named 'tpe', one in archscope.search.samplers.tpe"),
        ("conventions/bad.py", "", "it has no CONVENTION, as every convention has"),
        ("importers/bad.py", "", "it has no FORMAT, as every importer has"),
        ("exporters/bad.py", "from archscope.exporters.formats import FORMATS\n"
         "FORMAT = FORMATS['onnx']", "two exporters are named 'onnx', one in archscope.exporters"),
        ("rules/bad.py", "import archscope.rules.rule as r\n\n\n@r.rule('LAB102', 'x')\n"
         "class A(r.Rule, frozen=True): ...", "rule LAB102 needs a code such as CHN101, a page"),
    ],
)  # fmt: skip
def test_every_kind_says_what_it_lacks(
    file: str, text: str, reason: str, project: Write, run: Run
) -> None:
    project(f"plugins/{file}", text)
    (row,) = [row for row in listed(run, 1) if row["error"]]
    assert row["file"].partition(":")[0] == f"plugins/{file}" and row["error"].startswith(reason)
    assert run("search", "--help").code == 0
    assert run("analyze", "net.yaml").code == 0


def test_lint_does_not_pass_without_a_rule(project: Write, run: Run) -> None:
    project("plugins/rules/broken.py", "raise KeyError('x')")
    result = run("lint", "INPUT 3x8x8 -> FC 10", "--exit-zero")
    assert result.code == 2
    assert result.err == (
        "warning: plug-in plugins/rules/broken.py:1 did not load: KeyError: 'x'\n"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("plugins = 3", "plugins must be a folder, or a list of folders and packages, got 3"),
        ("plugins = 'no/where'", "plugins: no folder 'no/where'"),
        ("plugins = 'nosuchpackage'", "no module 'nosuchpackage'"),
        ("plugins = 'json.decoder'", "'json.decoder' must be a package with a folder"),
        ("plugins = 'nowhere.at.all'", "no module 'nowhere'"),
        ("plugins = 'empty/rule/x.py'", "'empty/rule/x.py' must be a folder, or a package, not"),
        ("plugins = ", "not TOML: "),
        ("plugins = 'empty'", "it has none of the folders ops, rules, metrics, datasets, samplers"),
    ],
)
def test_a_wrong_configuration_is_one_line(
    text: str, reason: str, project: Write, run: Run
) -> None:
    project("archscope.toml", text)
    project("empty/rule/x.py", "")
    result = run("analyze", "resnet50")
    assert result.code == 0 and len(result.err.splitlines()) == 1 and reason in result.err
    (row,) = listed(run, 1)
    assert row["kind"] == "" and reason in row["error"]
    if text == "plugins = 'empty'":
        assert row["error"].endswith("did you mean 'rules'?")


def test_pyproject_and_several_folders(project: Write, run: Run) -> None:
    Path("archscope.toml").unlink()
    project("pyproject.toml", '[tool.archscope]\nplugins = ["plugins", "more", "xml"]\n')
    project("more/rules/other.py", Path("plugins/rules/sigmoid_gate.py").read_text(encoding="utf-8")
            .replace("LAB101", "LAB102").replace("sigmoid-on-chip", "other"))  # fmt: skip
    rows = listed(run, 1)
    assert {"LAB101", "LAB102"} < {row["name"] for row in rows}
    assert [row["error"][:7] for row in rows if row["error"]] == ["it has "]  # of the package xml


def test_an_operator_that_fails_at_work_is_one_line(project: Write, run: Run) -> None:
    text = Path("plugins/ops/star_relu.py").read_text(encoding="utf-8")
    text = text.replace("return 4 * prod(ins[0])", "return 1 // 0 ")
    path = project("plugins/ops/star_relu.py", text)
    line = (
        path.read_text()
        .split("\n")
        .index(next(row for row in path.read_text().split("\n") if "1 // 0" in row))
    )
    result = run("analyze", "net.yaml")
    assert result.code == 2
    assert result.err.startswith(f"error: plug-in plugins/ops/star_relu.py:{line + 1} failed: Zero")
    assert len(result.err.splitlines()) == 1


def test_a_file_that_imports_another_leaves_it_alone(project: Write, run: Run) -> None:
    project("plugins/ops/aa_first.py", "from archscope_plugins.ops import star_relu\n"
            "raise RuntimeError('late')")  # fmt: skip
    rows = listed(run, 1)
    assert [row["name"] for row in rows if row["kind"] == "ops"] == ["star_relu", ""]


def test_a_package_that_is_missing_is_said_as_everywhere(
    project: Write, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    project("plugins/samplers/bad.py", "import optuna\n\nABOUT = 'x'\nmake = print\n")
    (row,) = [row for row in listed(run, 1) if row["error"]]
    assert row["error"] == "it needs Optuna: pip install 'archscope[search]'"


def test_every_kind_has_its_registry() -> None:
    from archscope.plugins.catalogue import registry

    for kind in KINDS:
        assert registry(kind).kind is KINDS[kind]

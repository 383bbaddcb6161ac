from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import jsonschema
import pytest

from archscope.cli.shared.app import FILES, GROUPS, archscope
from archscope.language import LIMITS, zoo
from archscope.language.yaml_items import parse
from archscope.verify import CHECKS
from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]


def test_compare(run: Run) -> None:
    result = run("compare", "vgg16", "resnet50", "--format", "markdown")
    assert result.code == 0
    assert "| resnet50 | 3x224x224 | 25.56 M | 0.18 | 4.089 G | 0.26 |" in result.out


def test_compare_as_json_holds_whole_analyses(run: Run) -> None:
    data = json.loads(run("compare", "vgg16", "vgg19", "--format", "json").out)
    assert [network["totals"]["params"] for network in data["networks"]] == [138357544, 143667240]


def test_compare_gates_each_network(run: Run) -> None:
    result = run("compare", "vgg16", "resnet50", "shufflenet_v2_x1_0", "--max-macs", "5G")
    assert result.code == 1
    assert [line.split(":")[1] for line in result.err.splitlines()] == [" vgg16"]


def test_compare_names_the_wrong_spec(run: Run) -> None:
    result = run("compare", "vgg16", "vgg17")
    assert result.code == 2
    assert "'vgg17' is no file" in result.err


def test_zoo_lists_every_network(run: Run) -> None:
    data = json.loads(run("zoo", "--format", "json").out)
    assert [network["name"] for network in data["networks"]] == list(zoo())


def test_zoo_filters_by_words(run: Run) -> None:
    data = json.loads(run("zoo", "resnet1", "VGG11", "--format", "json").out)
    names = [network["name"] for network in data["networks"]]
    assert names == [name for name in zoo() if "resnet1" in name or "vgg11" in name]
    result = run("zoo", "vgg", "resnett50")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "error: no network of the zoo has 'resnett50' in its name, did you mean 'resnet50'?\n"
    )


def test_zoo_names_work_in_any_folder(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("analyze", "resnet50").code == 0


def test_ops_overview_and_page(run: Run) -> None:
    assert "channel_shuffle" in run("ops").out
    page = run("ops", "conv").out
    assert "out (alone)" in page
    assert "nn.Conv2d(8, 16, 3, padding=1)" in page
    result = run("ops", "cnov")
    assert (result.code, result.err) == (2, "error: no operator 'cnov', did you mean 'conv'?\n")


def test_ops_as_json(run: Run) -> None:
    (op,) = json.loads(run("ops", "maxpool", "--format", "json").out)["ops"]
    assert op["attributes"][0]["name"] == "kernel"
    assert op["attributes"][0]["required"] is True


def test_schema_takes_every_shipped_spec_and_refuses_typos(run: Run) -> None:
    schema = json.loads(run("schema").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in zoo().values():
        spec = parse(path.read_text(encoding="utf-8"), path.name, LIMITS).plain()
        assert list(validator.iter_errors(spec)) == [], path.name
    wrong = {"input": [3, 8, 8], "layers": [{"conv": {"out": 4, "kernal": 3}}]}
    assert list(validator.iter_errors(wrong))
    assert list(validator.iter_errors({"input": [3, 8, 8], "layer": []}))


def test_build_prints_the_module(run: Run) -> None:
    result = run("build", "siamese")
    assert result.code == 0
    assert "(conv0): Conv2d(1, 32, kernel_size=(3, 3), stride=(1, 1))" in result.out
    assert run("build", "siames").code == 2


def test_verify_agrees_and_says_what_it_held(run: Run) -> None:
    result = run("verify", "siamese", "--format", "json")
    assert result.code == 0
    (network,) = json.loads(result.out)["networks"]
    assert len(network["checks"]) == len(CHECKS)
    assert not any(check["differences"] for check in network["checks"])


def test_verify_finds_a_wrong_reference(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "reference: {params: 7, source: nobody}\ninput: [3, 8, 8]\nlayers: [{conv: 4}]\n",
        encoding="utf-8",
    )
    result = run("verify", str(path), "--only", "reference")
    assert result.code == 1
    assert "wrong: reference against nobody" in result.out
    assert run("verify", str(path), "--only", "refrence").code == 2


@pytest.mark.parametrize("command", FILES)
def test_every_command_explains_itself_with_examples(command: str) -> None:
    # In a process of its own: rich-click changes click for good.
    result = subprocess.run(
        [sys.executable, "-m", "archscope", command, "--help"],
        capture_output=True, text=True, encoding="utf-8", cwd=ROOT, check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    assert f"archscope {command}" in result.stdout
    assert "Examples:" in result.stdout


def test_the_help_lists_every_command_in_its_group() -> None:
    names = archscope.list_commands(click.Context(archscope))
    assert sorted(names) == sorted(FILES)
    assert {"import", "bench"} <= set(names) and "bench_search" not in names
    groups = [import_module(f"archscope.cli.{FILES[name]}").GROUP for name in names]
    assert list(dict.fromkeys(groups)) == list(GROUPS), "every group has its commands together"


def test_no_command_and_wrong_command(run: Run) -> None:
    result = run("analyse")
    assert result.code == 2
    assert "no command 'analyse', did you mean 'analyze'?" in result.err


def test_interrupt_is_quiet(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("archscope.cli.analyze.analyze", interrupted)
    result = run("analyze", "vgg16")
    assert (result.code, result.err.strip()) == (130, "interrupted")


def test_a_reader_who_leaves_is_no_error() -> None:
    code = (
        "import subprocess, sys;"
        "child = subprocess.Popen([sys.executable, '-m', 'archscope', 'analyze', 'densenet121',"
        " '--fold', '0'], stdout=subprocess.PIPE, stderr=subprocess.PIPE);"
        "child.stdout.readline(); child.stdout.close();"
        "sys.stderr.write(child.stderr.read().decode()); child.wait()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert result.stderr == ""


def test_convert_writes_a_spec_that_analyses(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "converted.yaml"
    assert run("convert", "vgg16", "--fully-convolutional", "-o", str(path)).code == 0
    data = json.loads(run("analyze", str(path), "--input", "3x384x384", "--format", "json").out)
    assert data["outputs"][0]["shape"] == [1000, 6, 6]
    assert data["totals"]["params"] == 138357544


def test_convert_needs_to_know_to_what(run: Run) -> None:
    result = run("convert", "vgg16")
    assert (result.code, result.out) == (2, "")
    assert "--flat, --fold, --fully-convolutional, --fused or --reparameterize" in result.err


def test_flat_specs_give_the_same_numbers(run: Run) -> None:
    flat = run("convert", "shufflenet_v2_x1_0", "--flat").out
    again = json.loads(run("analyze", "-", "--format", "json", stdin=flat.encode()).out)
    assert again["totals"]["macs"] == 144907992
    assert again["receptive_field"]["size"] == [527, 527]


def test_flat_specs_fold_again(run: Run) -> None:
    flat = run("convert", "shufflenet_v2_x1_0", "--flat").out
    folded = run("convert", "-", "--fold", stdin=flat.encode()).out
    assert 5 * len(folded.splitlines()) < len(flat.splitlines())
    again = json.loads(run("analyze", "-", "--format", "json", stdin=folded.encode()).out)
    assert again["totals"]["macs"] == 144907992
    assert again["receptive_field"]["size"] == [527, 527]


def test_a_spec_is_not_both_flat_and_folded(run: Run) -> None:
    result = run("convert", "vgg16", "--flat", "--fold")
    assert (result.code, result.out) == (2, "")
    assert "--flat and --fold" in result.err


def test_im2col_of_a_network_without_a_convolution(run: Run) -> None:
    result = run("im2col", "INPUT 8 -> FC 4", "fc")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "has no convolution" in result.err


def test_im2col(run: Run) -> None:
    result = run("im2col", "vgg16", "stage0.conv1", "--format", "json")
    view = json.loads(result.out)["im2col"]
    assert (view["columns"], view["weights"]) == ([576, 50176], [64, 576])
    result = run("im2col", "vgg16", "stage0.conv7")
    assert result.code == 2
    assert "has no node 'stage0.conv7', did you mean 'stage0.conv" in result.err


def test_im2col_of_alexnets_first_layer(run: Run) -> None:
    view = json.loads(run("im2col", "alexnet_2012", "conv1", "--format", "json").out)["im2col"]
    assert (view["columns"], view["weights"]) == ([363, 3025], [96, 363])

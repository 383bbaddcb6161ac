from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run

PATTERN = "INPUT 3x32x32 -> [[CONV 12 -> RELU]*2 -> POOL]*3 -> FC 10"


def test_vgg16_as_json(run: Run) -> None:
    result = run("analyze", "vgg16", "--format", "json")
    assert (result.code, result.err) == (0, "")
    data = json.loads(result.out)
    assert data["format"] == 1
    assert data["input"] == [3, 224, 224]
    assert data["count"] == "macs"
    totals = data["totals"]
    assert totals["params"] == 138357544
    assert totals["macs"] == 15470264320
    assert totals["activations"] == 13556712
    assert totals["depth"] == 16
    field = data["receptive_field"]
    assert field["size"] == [212, 212]
    assert field["stride"] == [32, 32]
    assert field["padding"] == [90, 90]
    first = data["layers"][1]
    assert first["in"] == [[3, 224, 224]]
    assert first["out"] == [64, 224, 224]
    assert (first["params"], first["macs"]) == (1792, 86704128)
    assert first["receptive_field"]["size"] == [3, 3]
    assert first["at"]["file"].endswith("vgg16.yaml")
    assert (data["findings"], data["unknown"]) == ([], [])


def test_csv_has_every_layer_with_all_digits(run: Run) -> None:
    result = run("analyze", "resnet50", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.out)))
    assert len(rows) == 176
    assert sum(int(row["params"] or 0) for row in rows) == 25557032
    assert sum(int(row["macs"] or 0) for row in rows) == 4089184256


def test_markdown(run: Run) -> None:
    out = run("analyze", "vgg16", "--fold", "1", "--format", "markdown").out
    assert "| stage0 | 5 layers | 64x112x112 | 38.72 K | 1.936 G |" in out
    assert "| macs | 15,470,264,320 |" in out


@pytest.mark.parametrize("depth, rows", [("0", 177), ("1", 8), ("2", 23)])
def test_fold(run: Run, depth: str, rows: int) -> None:
    out = run("analyze", "resnet50", "--fold", depth, "--format", "csv").out
    assert len(out.splitlines()) == rows


def test_folding_keeps_the_sums(run: Run) -> None:
    for depth in "0123":
        out = run("analyze", "densenet121", "--fold", depth, "--format", "csv").out
        rows = list(csv.DictReader(io.StringIO(out)))
        assert sum(int(row["macs"] or 0) for row in rows) == 2834161664


def test_long_tables_are_folded_to_fit(run: Run) -> None:
    out = run("analyze", "densenet121").out
    assert "dense_block0" in out
    assert len(out.splitlines()) < 80


@pytest.mark.parametrize(
    "options, code, message",
    [
        (["--max-params", "138357544"], 0, ""),
        (
            ["--max-params", "138357543"],
            1,
            "params 138.4 M > 138.4 M (138,357,544 > 138,357,543)\n",
        ),
        (["--max-macs", "16G"], 0, ""),
        (["--max-macs", "300M"], 1, "macs 15.47 G > 300.0 M (15,470,264,320 > 300,000,000)\n"),
        (["--max-memory", "600MiB"], 0, ""),
        (["--max-memory", "64MiB"], 1, "memory 552.3 MiB > 64.00 MiB (579,120,288 > 67,108,864)\n"),
    ],
)
def test_budgets_gate(run: Run, options: list[str], code: int, message: str) -> None:
    result = run("analyze", "vgg16", *options)
    assert (result.code, result.err) == (code, message and f"over budget: vgg16: {message}")
    assert "15,470,264,320" in result.out


def test_flops_say_what_they_mean(run: Run) -> None:
    result = run("analyze", "shufflenet_v2_x1_0", "--max-macs", "300MFLOPs")
    assert result.code == 0
    assert result.err == "300MFLOPs: one FLOP for each multiply-accumulate, as in papers\n"


def test_largest_batch(run: Run) -> None:
    out = run("analyze", "resnet50", "--memory", "8GiB", "--format", "json").out
    assert json.loads(out)["largest_batch"] == {
        "memory_bytes": 8 << 30,
        "inference": 881,
        "training": 96,
    }
    assert "8.000 GiB at inference" in run("analyze", "resnet50", "--memory", "8GiB").out


def test_set_input_batch_and_dtype(run: Run) -> None:
    options = ["--set", "width=0.5", "--input", "3x160x160", "--batch", "4", "--dtype", "float16"]
    data = json.loads(run("analyze", "mobilenet_v2", *options, "--format", "json").out)
    assert data["input"] == [3, 160, 160]
    assert (data["batch"], data["dtype"]) == (4, "float16")
    assert data["totals"]["weight_bytes"] == 2 * (
        data["totals"]["params"] + data["totals"]["buffers"]
    )
    assert data["reference"] == {}, "the published numbers are of another network"


def test_training_takes_in_auxiliary_heads(run: Run) -> None:
    lean = json.loads(run("analyze", "googlenet_bn", "--format", "json").out)
    full = json.loads(run("analyze", "googlenet_bn", "--training", "--format", "json").out)
    assert lean["totals"]["params"] == 6624904
    assert full["totals"]["params"] == 13004888
    assert [output["name"] for output in full["outputs"]] == ["aux1", "aux2", "output"]


def test_a_pattern_on_the_command_line_and_on_standard_input(run: Run) -> None:
    direct = run("analyze", PATTERN, "--format", "json")
    piped = run("analyze", "-", "--format", "json", stdin=PATTERN.encode())
    assert direct.code == piped.code == 0
    assert json.loads(direct.out)["totals"] == json.loads(piped.out)["totals"]


def test_yaml_on_standard_input(run: Run) -> None:
    text = b"input: [3, 8, 8]\nlayers: [{conv: 4}, cnov]\n"
    result = run("analyze", "-", stdin=text)
    assert result.code == 2
    assert result.err == (
        "error: <stdin>:2:21: unknown operator or block 'cnov', did you mean 'conv'?"
        " (at layers[1])\n"
    )


def test_output_goes_to_a_file_whole(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "vgg16.json"
    result = run("analyze", "vgg16", "--format", "json", "-o", str(path))
    assert (result.code, result.out) == (0, "")
    assert json.loads(path.read_text(encoding="utf-8"))["name"] == "vgg16"
    assert [file.name for file in tmp_path.iterdir()] == ["vgg16.json"]


def test_a_wrong_spec_leaves_the_output_file_alone(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_text("kept", encoding="utf-8")
    assert run("analyze", "vgg61", "-o", str(path)).code == 2
    assert path.read_text(encoding="utf-8") == "kept"
    assert run("analyze", "vgg16", "-o", str(tmp_path / "no" / "such")).code == 2


@pytest.mark.parametrize(
    "args, message",
    [
        (["resnet5"], "'resnet5' is no file, no pattern and no network of the zoo, did you mean"),
        (["vgg16", "--set", "widht=2"], "cannot set 'widht': no such name in 'let', did you mean"),
        (["vgg16", "--set", "classes"], "--set needs NAME=VALUE, got 'classes'"),
        (["vgg16", "--set", "classes="], "--set classes= has no value"),
        (["vgg16", "--input", "3x224xbig"], "--input needs a shape such as 3x224x224"),
        (["vgg16", "--max-macs", "lots"], "expected a count such as 5M"),
        (["vgg16", "--max-memory", "64"], "expected bytes such as 64MiB"),
        (["vgg16", "--memory", "8X"], "expected bytes such as 64MiB"),
        (["vgg16", "--max-nodes", "10"], "more nodes than the limit of 10"),
        (["siamese", "--input", "1x28x28"], "several inputs; give a shape by name: left, right"),
        (["vgg16", "--dtype", "float31"], "--dtype: there is no 'float31'"),
        (["vgg16", "--bogus"], "no such option '--bogus'"),
        ([], "missing SPEC"),
    ],
)  # fmt: skip
def test_mistakes_are_one_clear_error(run: Run, args: list[str], message: str) -> None:
    result = run("analyze", *args)
    assert result.code == 2
    assert result.out == ""
    assert message in result.err
    assert "Traceback" not in result.err


def test_fused_shows_what_it_saves(run: Run) -> None:
    data = json.loads(run("analyze", "resnet18", "--fused", "--format", "json").out)
    fused = data["fused"]
    assert (data["name"], fused["norms"]) == ("resnet18_fused", 20)
    assert fused["before"]["params"] - fused["after"]["params"] == 4800
    assert fused["before"]["nodes"] - fused["after"]["nodes"] == 20
    assert fused["after"]["memory_access"] == data["totals"]["memory_access"]
    out = run("analyze", "resnet18", "--fused").out
    assert "20 batch norms folded into the layers before them" in out
    assert "fused" not in run("analyze", "resnet18").out


def test_fused_without_a_norm_saves_nothing(run: Run) -> None:
    fused = json.loads(run("analyze", "vgg16", "--fused", "--format", "json").out)["fused"]
    assert fused["norms"] == 0 and fused["before"] == fused["after"]


def test_fused_is_not_for_training(run: Run) -> None:
    result = run("analyze", "resnet18", "--fused", "--training")
    assert result.code == 2 and "--fused excludes --training" in result.err


def test_a_microcontroller_is_a_target_and_its_limits_are_gates(run: Run) -> None:
    result = run("analyze", "INPUT 1x4x4 -> FC 2", "--target", "mcu")
    (time,) = re.findall(r"^ time +(\S+) ms", result.out, re.MULTILINE)
    assert 0 < float(time) < 0.1  # two digits of it, however little it is
    result = run("analyze", "lenet5", "--target", "mcu", "--format", "json")
    data = json.loads(result.out)
    assert data["microcontroller"]["flash_bytes"] == data["totals"]["flash_bytes"] == 62414
    assert len(data["microcontroller"]["layers"]) == len(data["layers"])
    fits = run("analyze", "lenet5", "--max-flash", "61KiB", "--max-ram", "6KiB")
    assert fits.code == 0
    result = run("compare", "lenet5", "INPUT 3x8x8 -> FC 2", "--max-flash", "60KiB")
    assert (result.code, "RAM" in result.out) == (1, True)
    assert result.err.startswith("over budget: lenet5: flash 60.95 KiB > 60.00 KiB")


def test_csv_has_what_a_microcontroller_needs_by_block(run: Run) -> None:
    for fold in ("0", "1"):
        options = ("--target", "mcu", "--format", "csv", "--fold", fold)
        text = run("analyze", "mobilenet_v1", *options).out
        rows = list(csv.DictReader(io.StringIO(text)))
        assert sum(int(row["flash_bytes"]) for row in rows) == 4256864
        assert max(int(row["ram_bytes"]) for row in rows) == 1176 * 1024


def test_costs_as_polynomials(run: Run) -> None:
    data = json.loads(run("analyze", "resnet18", "--symbolic", "--format", "json").out)
    macs = data["symbolic"]["formulas"]["macs"]
    assert macs["text"] == "36144*H*W*N + 512000*N"
    assert macs["terms"][0] == {"coefficient": "36144", "powers": {"H": 1, "W": 1, "N": 1}}
    assert [side["every"] for side in data["symbolic"]["sides"]] == [32, 32]
    text = run("analyze", "INPUT 10 -> FC 5", "--symbolic").out
    assert "50*N" in text and "inputs have no sides" in text
    assert json.loads(run("analyze", "lenet5", "--format", "json").out)["symbolic"] is None

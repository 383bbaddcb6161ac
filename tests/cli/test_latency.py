from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from archscope.cli import main
from archscope.latency.host import this_host
from archscope.latency.kernel_kinds import KINDS
from archscope.latency.profile import Error, Interval, Machine, Profile, keep

FAKE = Profile(
    name="board",
    machine=Machine("a board", 4),
    runtime="onnxruntime",
    version="1.0",
    fusion="onnxruntime",
    threads=2,
    kinds={kind: {"kernels": 0.1} for kind in KINDS},
    error=Error(30, 10, 0.04, 0.05, 0.9),
    interval=Interval(-0.1, 0.1),
)


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ARCHSCOPE_DATA", str(tmp_path / "data"))


def test_analyze_shows_and_keeps_the_prediction(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    keep(FAKE)
    assert main(["analyze", "resnet18", "--latency", "board"]) == 0
    out = capsys.readouterr().out
    assert "2.4" in next(line for line in out.splitlines() if line.strip().startswith("latency"))
    assert "a board, onnxruntime 1.0, 2 threads" in out
    path = tmp_path / "net.json"
    assert main(["analyze", "resnet18", "--latency", "board", "-o", str(path)]) == 0
    found = msgspec.json.decode(path.read_bytes())["latency"]
    assert found["kernels"] == 24
    assert found["milliseconds"] == pytest.approx(2.4)
    assert main(["analyze", "resnet18", "--latency", "board", "--format", "csv"]) == 0
    assert "milliseconds" in capsys.readouterr().out.splitlines()[0]


def test_compare_has_a_column(capsys: pytest.CaptureFixture[str]) -> None:
    keep(FAKE)
    assert main(["compare", "resnet18", "vgg16", "--latency", "board", "--format", "csv"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert "milliseconds" in rows[0].split(",")


def test_an_unknown_profile_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    keep(FAKE)
    assert main(["analyze", "resnet18", "--latency", "bord"]) == 2
    error = capsys.readouterr().err
    assert "did you mean 'board'" in error
    assert error.count("\n") == 1


def test_a_profile_is_carried_as_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = keep(FAKE, tmp_path / "carried.json")
    assert main(["device", "import", str(file), "--name", "pi5"]) == 0
    assert main(["device", "list", "--format", "csv"]) == 0
    assert "pi5,a board" in capsys.readouterr().out
    assert main(["device", "show", "pi5"]) == 0
    assert "each predicted without its family" in capsys.readouterr().out
    again = tmp_path / "again.json"
    assert main(["device", "export", "pi5", "-o", str(again)]) == 0
    assert main(["analyze", "resnet18", "--latency", str(again)]) == 0


def test_names_of_profiles(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = keep(FAKE, tmp_path / "carried.json")
    assert main(["device", "import", str(file), "--name", "here"]) == 2
    assert "'here' is reserved for the profile of this machine" in capsys.readouterr().err
    assert main(["device", "import", str(file), "--name", "../x"]) == 2
    assert "expected a name of letters" in capsys.readouterr().err
    assert main(["device", "calibrat"]) == 2
    assert "did you mean 'calibrate'" in capsys.readouterr().err


def test_no_profile_is_called_like_a_device_that_is_measured(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = str(tmp_path / "p.json")
    assert main(["device", "export", "rtx4090", "-o", file]) == 0
    assert main(["device", "import", file, "--name", "cpu"]) == 2
    assert "'cpu' stands for measured latency in budgets" in capsys.readouterr().err


def test_a_limit_without_a_unit_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "lenet5", "--latency", "rtx4090", "--max-latency", "1"]) == 2
    assert capsys.readouterr().err.startswith("error: --max-latency: expected ms such as 8ms, got")


def test_another_version_of_the_runtime_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    keep(msgspec.structs.replace(FAKE, machine=this_host()))
    assert main(["analyze", "resnet18", "--latency", "board"]) == 0
    assert "measured with onnxruntime 1.0" in " ".join(capsys.readouterr().out.split())


def test_limit_of_what_is_predicted(capsys: pytest.CaptureFixture[str]) -> None:
    keep(FAKE)
    for command in ("analyze", "compare"):
        assert main([command, "resnet18", "--latency", "board", "--max-latency", "2.5ms"]) == 0
        assert main([command, "resnet18", "--latency", "board", "--max-latency", "2.2ms"]) == 1
        assert "resnet18: latency 2.400 ms > 2.200 ms, as 'board'" in capsys.readouterr().err
        assert main([command, "resnet18", "--max-latency", "2ms"]) == 2
        assert "needs --latency PROFILE" in capsys.readouterr().err


def test_findings_with_their_time(capsys: pytest.CaptureFixture[str]) -> None:
    keep(FAKE)
    words = ["lint", "mobilenet_v2", "--select", "G1", "--severity", "info", "--latency", "board"]
    assert main([*words, "--format", "json"]) == 1
    caught = capsys.readouterr()
    for finding in msgspec.json.decode(caught.out)["findings"]:
        spent = finding["evidence"]["milliseconds"]
        assert spent == pytest.approx(0.1 * (1 + len(finding["others"])))
        assert (
            f"of {finding['evidence']['milliseconds_of']:.3f} ms by 'board'" in finding["message"]
        )
    assert "mobilenet_v2: latency" in caught.err and "not measured" in caught.err
    quiet = ["lint", "resnet18", "--select", "CST101", "--latency", "board"]
    assert main([*quiet, "--max-latency", "9ms"]) == 0
    assert main([*quiet, "--max-latency", "1ms"]) == 1
    assert "over budget: resnet18" in capsys.readouterr().err
    assert main([*quiet, "--fix"]) == 2


def test_space_shows_what_its_networks_take(capsys: pytest.CaptureFixture[str]) -> None:
    keep(FAKE)
    words = ["space", "cifar_macro", "--samples", "20", "--latency", "board", "--format", "json"]
    assert main(words) == 0
    found = msgspec.json.decode(capsys.readouterr().out)
    (span,) = [row for row in found["costs"] if row["metric"] == "latency@board"]
    assert 0 < span["least"] < span["middle"] < span["most"]


def test_an_unknown_profile_is_one_line_that_lists_those_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    keep(FAKE)
    commands = (
        ["analyze", "resnet18", "--latency", "bard"],
        ["lint", "resnet18", "--latency", "bard"],
        ["space", "mnas", "--latency", "bard"],
        ["space", "mnas", "--budget", "8ms@bard"],
        ["search", "--budget", "8ms@bard"],
    )
    for words in commands:
        assert main(words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "did you mean 'board'" in line
        assert "board, i7-12700h" in line or "i9-10940x" in line


def test_page_says_interval_and_what_is_unlike(tmp_path: Path) -> None:
    keep(FAKE)
    page = tmp_path / "page.html"
    words = ["report", "resnet18", "--latency", "board", "--batch", "2", "-o", str(page)]
    assert main(words) == 0
    text = page.read_text(encoding="utf-8")
    assert "latency 2.400 ms, predicted" in text
    assert "a batch of 2, fitted 1" in text

"""Help, error messages, and the amount of output of commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize("words", [["--version"], ["-V"]])
def test_the_version_names_python_and_what_computes(run: Run, words: list[str]) -> None:
    result = run(*words)
    assert result.code == 0
    assert re.fullmatch(
        r"archscope \d\S+, Python 3\.\d+\.\S+, torch \S.*, onnxruntime \S.*\n", result.out
    )


def test_help_shows_the_page_of_a_command(run: Run) -> None:
    assert run("help", "im2col").out == run("im2col", "--help").out
    assert "matrix product" in run("help", "im2col").out
    assert "Replay a table" in run("help", "bench", "search").out
    assert run("help").out == run("--help").out
    result = run("help", "analyse")
    assert (result.code, result.out) == (2, "")
    assert result.err == "error: no command 'analyse', did you mean 'analyze'?\n"


@pytest.mark.parametrize(
    "words, said",
    [
        ("analyse vgg16", "no command 'analyse', did you mean 'analyze'?"),
        ("frobnicate", "no command 'frobnicate'; see 'archscope --help'"),
        (
            "vgg16 --batch 2",
            "'vgg16' is a network, not a command; type: archscope analyze vgg16 --batch 2",
        ),
        ("mobile", "'mobile' is a network, not a command; type: archscope space mobile"),
        ("analyze", "missing SPEC; see 'archscope analyze --help'"),
        ("export lenet5", "missing --output; see 'archscope export --help'"),
        ("analyze vgg16 x y", "unexpected argument 'x y'; see 'archscope analyze --help'"),
        ("analyze vgg16 --fol 1", "no such option '--fol', did you mean '--fold'?"),
        ("analyze vgg16 --inferense", "no such option '--inferense', did you mean '--inference'?"),
        ("import net.onnx --sourc", "no such option '--sourc'; see 'archscope import --help'"),
        ("analyze vgg16 --batch", "--batch: requires an argument; see 'archscope analyze --help'"),
        (
            "analyze vgg16 --batch 0",
            "--batch: expected a whole number from 1, got '0'; see 'archscope analyze --help'",
        ),
        (
            "search --control 2",
            "--control: expected a number from 0 to 1, got '2.0'; see 'archscope search --help'",
        ),
        ("analyze vgg16 --dtype float1", "--dtype: there is no 'float1', did you mean 'float16'?"),
        ("plot front vgg16 -o x.svg", "KIND: there is no 'front'; there are pareto, memory, field,"
         " layers; see 'archscope plot --help'"),
        ("analyze vgg16 --memory 8X", "--memory: expected bytes such as 64MiB, 8GiB or 500MB, got"
         " '8X'; see 'archscope analyze --help'"),
        ("compare vgg16 --max-macs 8X", "--max-macs: expected a count such as 5M, 300MFLOPs or"
         " 1.2GMACs, got '8X'"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_that_names_option_and_value(run: Run, words: str, said: str) -> None:
    result = run(*words.split())
    assert (result.code, result.out, result.err) == (2, "", f"error: {said}\n")


def test_quiet_hides_notes_but_no_errors_and_no_limits(run: Run) -> None:
    words = ["analyze", "lenet5", "--max-macs", "1FLOPs"]
    assert "one FLOP for each multiply-accumulate" in run(*words).err
    for quiet in ([*words, "-q"], ["-q", *words], [*words, "--quiet"]):
        result = run(*quiet)
        assert result.code == 1
        assert result.err.startswith("over budget: ") and result.err.count("\n") == 1
    assert run("analyze", "vgg17", "-q").err.startswith("error: ")
    assert "one FLOP" in run(*words).err, "the next command is not quiet"


def test_verbose_shows_where_an_error_was_raised(run: Run, tmp_path: Path) -> None:
    plain, verbose = run("analyze", "vgg17"), run("analyze", "vgg17", "-v")
    assert plain.err.count("\n") == 1
    assert verbose.err.endswith(plain.err) and "Traceback" in verbose.err


NET = "input: [3, 8, 8]\nlayers: [{conv: 4}, {conv: 8}]\n"


def test_networks_of_one_name_are_told_apart_everywhere(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("old", "new"):
        Path(folder).mkdir()
        Path(folder, "net.yaml").write_text(NET, encoding="utf-8")
    specs = ["old/net.yaml", "new/net.yaml"]
    for command in (["compare"], ["guidelines"], ["report", "--format", "terminal"]):
        out = run(*command, *specs).out
        assert all(spec in out for spec in specs), command
    assert "old/net.yaml" not in run("compare", specs[0], "lenet5").out


def test_a_report_is_of_something_and_in_a_format_there_is(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    result = run("report", "empty", "-o", "page.html")
    assert (result.code, result.out) == (2, "") and not Path("page.html").exists()
    assert result.err == (
        "error: nothing to report: empty: there is no run and no study in this folder\n"
    )
    for words in (["-o", "x.pdf"], ["-o", "x.json", "--format", "html"], ["-o", "x.docx"]):
        result = run("report", "lenet5", *words)
        assert (result.code, result.out) == (2, "") and "--output: a report is" in result.err
    assert run("report", "lenet5", "-o", "x.json").code == 0
    assert Path("x.json").read_text(encoding="utf-8").startswith("{")


def test_the_suffix_of_a_file_decides_its_format(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    begins = {"x.json": "{", "x.csv": "name,op,", "x.md": "| layer |", "x.txt": "lenet5"}
    for name, start in begins.items():
        assert run("analyze", "lenet5", "-o", name).code == 0
        assert start in Path(name).read_text(encoding="utf-8")
    assert run("analyze", "lenet5", "-o", "y.json", "--format", "csv").code == 0
    assert Path("y.json").read_text(encoding="utf-8").startswith("name,op,")
    result = run("analyze", "lenet5", "-o", "x.pdf")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: --output: cannot write .pdf")

"""`archscope report`, `draw` and `plot` as users type them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.conftest import Run
from tests.report.conftest import FIVE, make_run, make_study

ROOT = Path(__file__).parents[2]


def test_report_writes_a_page_and_says_where(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    result = run("report", *FIVE, "-o", str(path), "--date", "2026-01-31")
    assert (result.code, result.out, result.err) == (0, f"{path.as_posix()}\n", "")
    text = path.read_text(encoding="utf-8")
    assert '<time id="date">2026-01-31</time>' in text
    assert len(text.encode()) < 2_500_000


def test_report_loads_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from archscope.cli import main; main(sys.argv[1:]);"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    args = ["report", *FIVE, "-o", str(tmp_path / "page.html")]
    result = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, cwd=ROOT, check=True
    )
    loaded = set(result.stderr.splitlines()[-1].split())
    assert "jinja2" in loaded
    assert not loaded & {"torch", "numpy", "pandas", "networkx", "optuna", "plotly", "matplotlib"}


def test_the_date_comes_from_the_environment(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    pages = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.html"
        assert run("report", "lenet5", "-o", str(path)).code == 0
        pages.append(path.read_bytes())
    assert pages[0] == pages[1]
    assert b"1970-01-02" in pages[0]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    assert run("report", "lenet5").code == 2
    assert run("report", "lenet5", "--date", "none", "--format", "json").code == 0


def test_json_and_markdown(run: Run) -> None:
    data = json.loads(run("report", "vgg16", "resnet50", "--format", "json", "--date", "none").out)
    assert data["format"] == 1
    assert [one["totals"]["params"] for one in data["networks"]] == [138357544, 25557032]
    assert data["networks"][0]["layers"][0]["name"] == "input"
    text = run("report", "vgg16", "resnet50", "--format", "markdown").out
    assert "| vgg16 | ██████████ | 71.6 % | 138.4 M | 15.47 G |" in text
    text = run("report", "vgg16", "resnet50", "--format", "terminal").out
    assert "24.50 MiB at stage0.conv1" in text


def test_everything_mixed(run: Run, tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    bench = tmp_path / "bench.json"
    assert run("analyze", "googlenet", "--lint", "--format", "json", "-o", str(saved)).code == 0
    timed = {"name": "vgg16", "batch": 4, "timing": {"median_seconds": 0.2}}
    bench.write_text(json.dumps({"machine": {}, "networks": [timed]}))
    folder = make_run(tmp_path / "runs" / "first")
    (tmp_path / "empty").mkdir()
    words = ["vgg16", str(saved), str(bench), str(folder), str(tmp_path / "empty")]
    result = run("report", *words, "--format", "json")
    assert result.code == 0
    data = json.loads(result.out)
    found = {one["name"]: one for one in data["networks"]}
    assert list(found) == ["vgg16", "googlenet", "first"]
    assert found["vgg16"]["values"]["latency_seconds"] == 0.05
    assert found["first"]["values"]["accuracy"] == 0.95
    assert found["googlenet"]["missing"] and found["googlenet"]["findings"]
    told = f"not shown: {tmp_path.as_posix()}/empty: there is no run and no study"
    assert result.err.startswith(told)


def test_without_words_it_is_the_latest_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for day, name in enumerate(("old", "new")):
        folder = make_run(tmp_path / "runs" / name)
        os.utime(folder / "run.json", (day, day))
    result = run("report")
    assert result.out == "reports/report.html\n"
    assert 'id="run-new"' in (tmp_path / "reports" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words, told",
    [
        (["vgg17"], "did you mean 'vgg1"),
        (["no.json"], "cannot read 'no.json'"),
        (["vgg16", "--date", "tomorrow"], "date is a day such as 2026-01-31"),
    ],
)
def test_mistakes_write_nothing(run: Run, tmp_path: Path, words: list[str], told: str) -> None:
    path = tmp_path / "page.html"
    result = run("report", *words, "-o", str(path))
    assert result.code == 2
    assert told in result.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["{", "3", "[]", '{"networks": 3}', '{"name": "x"}',
                                  '{"machine": {}, "networks": [1]}'])  # fmt: skip
def test_json_that_is_no_analysis(run: Run, tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)
    result = run("report", str(path), "--format", "json")
    assert result.code == 2
    assert result.err.startswith("error: ") and "odd.json" in result.err


def test_draw_by_the_ending(run: Run, tmp_path: Path) -> None:
    for ending, begins in ((".svg", b"<svg"), (".dot", b"digraph"), (".mmd", b"flowchart")):
        path = tmp_path / f"picture{ending}"
        assert run("draw", "googlenet", "--fold", "1", "-o", str(path)).code == 0
        assert path.read_bytes().startswith(begins)
    assert ElementTree.fromstring(run("draw", "lenet5", "--heat", "none").out)
    assert run("draw", "lenet5", "-o", str(tmp_path / "a.jpeg")).code == 2
    assert run("draw", "lenet5", "--format", "png").code == 2


def test_draw_png(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "picture.png"
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    result = run("draw", "lenet5", "-o", str(path))
    assert result.code == 2 and "archscope[png]" in result.err and not path.exists()
    monkeypatch.undo()
    pytest.importorskip("resvg_py", reason="resvg-py is not installed")
    assert run("draw", "lenet5", "-o", str(path)).code == 0
    assert path.read_bytes().startswith(b"\x89PNG")


def test_plot(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    path = tmp_path / "chart.svg"
    result = run("plot", "memory", "lenet5", "squeezenet1_1", "-o", str(path))
    assert (result.code, result.out) == (0, f"{path.as_posix()}\n")
    assert b"squeezenet1_1" in path.read_bytes()
    assert run("plot", "memory", "lenet5", "-o", str(tmp_path / "chart.jpeg")).code == 2
    assert run("plot", "pareto", "lenet5", "--x", "size", "-o", str(path)).code == 2


def test_names_of_runs_studies_and_seeds(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed, right in ((0, 0.9), (1, 0.92)):
        scores = {"loss": 0.2, "top1": right}
        make_run(Path("runs", f"mine-seed{seed}"), seed=seed, test=scores)
        make_run(Path("elsewhere", f"lenet5-seed{seed}"), seed=seed, test=scores)
    for folder in (Path("runs/other"), Path("runs/both")):
        make_run(folder)
    for folder in (Path("studies/found"), Path("studies/both")):
        make_study(folder)

    def shown(*words: str) -> tuple[list[str], list[str], list[str]]:
        page = json.loads(run("report", *words, "--format", "json").out)
        names = [[each["name"] for each in page[part]] for part in ("networks", "runs", "studies")]
        return names[0], names[1], names[2]

    seeds = (["mine (2 seeds)"], ["mine-seed0", "mine-seed1"], [])
    assert shown("mine") == shown("runs/mine") == seeds
    assert shown("elsewhere/lenet5")[0] == ["lenet5 (2 seeds)"]
    assert shown("lenet5") == (["lenet5"], [], []), "a network of the zoo is meant first"
    assert shown("other", "found")[1:] == (["other"], ["found"])
    assert "is a run and a study; name runs/both or studies/both" in run("report", "both").err
    assert "name one of them: runs/mine-seed0, runs/mine-seed1" in run("predict", "mine", "x").err


def test_own_values_on_drawings(run: Run, tmp_path: Path) -> None:
    values = tmp_path / "values.json"
    values.write_text('{"title": "loss", "unit": "points", "values": {"conv1": 1.5}}')
    page = tmp_path / "page.html"
    assert run("report", "lenet5", "--overlay", str(values), "-o", str(page)).code == 0
    assert '"overlay":{"title":"loss","unit":"points","values":{"conv1":1.5}}' in page.read_text()
    drawn = run("draw", "lenet5", "--overlay", str(values))
    assert drawn.code == 0 and "1.5 points" in drawn.out
    values.write_text('{"cnov1": 1.5}')
    for command in (["draw", "lenet5"], ["report", "lenet5", "-o", str(tmp_path / "new.html")]):
        result = run(*command, "--overlay", str(values))
        assert result.code == 2 and "did you mean 'conv1'?" in result.err
    assert not (tmp_path / "new.html").exists()

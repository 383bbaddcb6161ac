"""Whole tasks in one call: `archscope.build`, `train`, `search` and `report`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import archscope
from archscope.errors import ArchscopeError
from archscope.search.result import SearchResult

SMALL = "INPUT 1x8x8 -> CONV 4 -> RELU -> FLATTEN -> FC 10"


def test_a_built_network_has_the_given_weights() -> None:
    first = archscope.build(SMALL)
    second = archscope.build(SMALL, weights=first.state_dict())
    x = torch.rand(2, 1, 8, 8)
    assert torch.equal(first(x), second(x))
    with pytest.raises(ArchscopeError, match="no such file"):
        archscope.build(SMALL, weights="missing.pth")


def test_shapes_may_be_text() -> None:
    assert archscope.analyze("vgg16", input="3x64x64") == archscope.analyze(
        "vgg16", input=(3, 64, 64)
    )
    module = archscope.build(archscope.load("unet"), input={"input": "3x64x64"})
    assert module.graph.inputs[0].out == (3, 64, 64)
    with pytest.raises(ArchscopeError, match="such as 3x224x224"):
        archscope.analyze("vgg16", input="3*64")


def test_training_keeps_a_run_where_it_is_told_to(tmp_path: Path) -> None:
    kept = archscope.train(SMALL, epochs=1, run_dir=tmp_path / "run")
    again = archscope.train(SMALL, recipe="brief", epochs=1)
    assert kept.summary.test == again.summary.test
    assert kept.folder == tmp_path / "run"
    assert again.folder is None
    page = archscope.report(SMALL, kept, output=tmp_path / "page.html", date="none")
    assert "digits" in page.read_text(encoding="utf-8")


def test_a_search_is_that_of_the_command(tmp_path: Path) -> None:
    found = archscope.search(
        "tiny", "1MMACs", data="digits", trials=1, epochs=1, images=64, top=0, folder=tmp_path / "s"
    )
    assert isinstance(found, SearchResult)
    assert (tmp_path / "s" / "study.json").is_file()
    with pytest.raises(ArchscopeError, match="prior"):
        archscope.search("tiny", judge="prior", folder=tmp_path / "t")
    assert not (tmp_path / "t").exists()


def test_errors_are_single_ones(tmp_path: Path) -> None:
    with pytest.raises(ArchscopeError, match="did you mean 'digits'"):
        archscope.train(SMALL, "digit")
    with pytest.raises(ArchscopeError, match="epoch"):
        archscope.train(SMALL, epoch=1)
    with pytest.raises(ArchscopeError, match="nothing to report"):
        archscope.report(tmp_path, output=tmp_path / "page.html")
    with pytest.raises(ArchscopeError, match="got a Graph"):
        archscope.report(archscope.load(SMALL), output=tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_importing_archscope_loads_none_of_them() -> None:
    code = (
        "import sys, archscope; assert 'torch' not in sys.modules; archscope.build;"
        " from archscope import train; assert callable(train) and train.Recipe"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("call", ["archscope.build", "archscope.report('lenet5')"])
def test_a_missing_extra_is_named(call: str, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules.update(torch=None, jinja2=None); import archscope\n"
        f"try:\n    {call}\nexcept archscope.ArchscopeError as error:\n    print(error)\n"
        "except ModuleNotFoundError as error:\n    print(error.name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    wanted = "archscope.build needs PyTorch: pip install 'archscope[torch]'"
    assert done.stdout.strip() == (wanted if call == "archscope.build" else "jinja2")

"""Compressions: what `archscope compress` writes as JSON becomes a section, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archscope.errors import OptionError
from archscope.report.formats import table
from archscope.report.pages.content import CompressionSection
from archscope.report.pages.html import html
from archscope.report.pages.inputs import ReportInputs
from archscope.report.pages.text_page import parts
from archscope.report.table import CommandOutput
from tests.report.conftest import collected, compression


def read(tmp_path: Path, **more: Any) -> tuple[CompressionSection, ReportInputs]:
    file = tmp_path / "compression.json"
    file.write_text(json.dumps(compression(**more)))
    inputs = collected(str(file))
    return inputs.compressions[0], inputs


def test_one_run(tmp_path: Path) -> None:
    found, inputs = read(tmp_path)
    assert found.conclusion == (
        "8.0 times smaller, 8.00 times faster, 0.35 points lost, 1 may be lost."
    )
    assert (found.split, found.keep, len(found.seeds)) == ("test", 1.0, 1)
    page = inputs.page(None, "")
    assert page.title == "Compression of whole"
    assert page.summary == (f"Compression of whole: {found.conclusion}",)
    text = html(page, charts="")
    assert "12.5 %" in text and "-0.35 points" in text and "500.0 us" in text
    assert "whole-pruned1, int8" in table.render(CommandOutput(parts(page, plot=True)))


def test_several_seeds_with_a_control(tmp_path: Path) -> None:
    steps = compression()["steps"]
    control = {**steps[1], "name": "whole-scratch", "test": {"top1": 0.95}}
    seeds = [
        {"steps": [{**step, "test": {"top1": step["test"]["top1"] + more}} for step in steps],
         "scratch": control}
        for more in (0.0, 0.02)
    ]  # fmt: skip
    found, _ = read(tmp_path, seeds=seeds, scratch=control)
    assert found.mean.steps[0].top1 == pytest.approx(0.914)
    assert found.mean.steps[0].spread == pytest.approx(0.01414, abs=1e-5)
    assert found.conclusion.endswith(
        "The pruned network reaches 91.2 %; trained from scratch for as long, 95.0 %."
    )
    assert "The mean of 2 seeds" in html(collected(str(tmp_path / "compression.json"))
                                         .page(None, ""), charts="")  # fmt: skip


@pytest.mark.parametrize("wrong", [
    {"steps": []},
    {"steps": [{"name": "whole"}]},
    {"steps": [{**compression()["steps"][0], "test": {}}]},
    {"steps": [{**compression()["steps"][0], "seconds": 0.0}]},
    {"seeds": [{"steps": compression()["steps"]}, {"steps": compression()["steps"][:2]}]},
])  # fmt: skip
def test_others_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="is no compression of archscope: "):
        read(tmp_path, **wrong)


def test_names_are_not_markup(tmp_path: Path) -> None:
    _, inputs = read(tmp_path, name="<img src=x onerror='window.hacked = 1'>")
    assert "<img src=x" not in html(inputs.page(None, ""), charts="")

"""The statements and examples of docs/data.md hold."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from tests.cli.conftest import Run, run  # noqa: F401  the fixture

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")


def test_python_example() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code, "data.md", "exec"), names)
    images, targets = names["images"], names["targets"]
    assert isinstance(images, torch.Tensor)
    assert isinstance(targets, torch.Tensor)
    assert (tuple(images.shape), tuple(targets.shape)) == ((128, 1, 16, 16), (128, 10))
    assert targets.dtype == torch.float32


def test_digits_page(run: Run) -> None:  # noqa: F811
    (shown,) = re.findall(r"\$ archscope data digits\n(.*?)```", PAGE, re.DOTALL)
    assert run("data", "digits").out == shown

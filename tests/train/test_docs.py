"""The statements and examples of docs/train.md hold."""

from __future__ import annotations

import re
from pathlib import Path

from archscope.train import recipe_files
from tests.cli.conftest import Run, run  # noqa: F401  the fixture

PAGE = (Path(__file__).parents[2] / "docs" / "train.md").read_text(encoding="utf-8")


def test_python_example() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "train.md", "exec"), {})


def test_recipe_example_reads(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    assert recipe_files.read(path).ema == 0.999


def test_error_example(run: Run) -> None:  # noqa: F811
    ((command, shown),) = re.findall(r"\$ archscope (train .*emma=.*)\n(error: .*\n)", PAGE)
    assert run(*command.split()).err == shown

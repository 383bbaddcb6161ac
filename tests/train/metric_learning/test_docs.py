"""The statements and examples of docs/metric.md hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from archscope import load
from archscope.train.metric_learning.embedding import without_classifier
from archscope.train.recipe import KNOBS, MetricLoss

PAGE = (Path(__file__).parents[3] / "docs" / "metric.md").read_text(encoding="utf-8")


def test_python_example() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "metric.md", "exec"), {})


def test_every_loss_has_its_row() -> None:
    table = PAGE.partition("## Losses")[2].partition("## ")[0]
    assert set(get_args(MetricLoss)) <= set(re.findall(r"`([a-z-]+)`", table))
    for knob in re.findall(r"The knobs (.*?)\sbelong", PAGE, re.DOTALL)[0].split("`")[1::2]:
        assert knob in KNOBS


def test_the_embedding_of_lenet_is_a_hidden_layer() -> None:
    (node,) = re.findall(
        r"train lenet5 --loss arcface`.*?, as `--embedding (\w+)`", PAGE, re.DOTALL
    )
    part, _ = without_classifier(load("lenet5"), 10)
    assert part.main.node == node
    assert part.by_name[node].out == (84,)

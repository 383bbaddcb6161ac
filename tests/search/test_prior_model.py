"""Priors on the networks of a space: tables, and the best network within budgets."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from archscope.language import document
from archscope.search import priors
from archscope.search.prior_model import PriorModel
from archscope.search.priors import NotCoveredError
from archscope.space.budget import budgets
from archscope.space.costs import costs_of
from archscope.space.rows import Rows
from archscope.space.search_space import Space, space

UNITS = """
name: units
input: [3, 64, 64]
use: [blocks/mobile.yaml]
blocks:
  activate:
    with: {kind: relu}
    layers: [relu]
  stage:
    with: {out: , stride: 2, e: !choice [1, 4], k: !choice [3, 5], l: !int {low: 1, high: 2}}
    layers:
      - inverted_residual:
          {out: =out, hidden: =e*in.channels, kernel: =k, stride: =stride if first else 1}
        repeat: =l
layers:
  - conv_bn_act: {out: 8, kernel: 3, stride: 2}
  - stage: {out: 16, stride: 1, e: 1, k: 3, l: 1}
  - stage: 24
    name: a
  - stage: 40
    name: b
  - stage: {out: 80, e: 4, k: 3, l: 1}
  - stage: {out: 192, e: 4, k: 3, l: 1}
  - classifier: 10
"""


@pytest.fixture(scope="module")
def networks() -> Space:
    return space(document("units.yaml", text=UNITS.encode()))


@pytest.fixture(scope="module")
def model(networks: Space) -> PriorModel:
    return PriorModel(priors.load("imagenet"), networks)


def every_row(model: PriorModel) -> Rows:
    rows = np.array(list(product(*[range(size) for size in model.encoding.sizes])))
    return np.unique(model.encoding.masked(rows), axis=0)


def test_tables_predict_what_the_prior_predicts_of_each_network(
    networks: Space, model: PriorModel
) -> None:
    assert model.factors is not None
    rows = every_row(model)
    graphs = [networks.graph(model.encoding.choices(row)) for row in rows]
    wanted = [model.prior.predict(graph).mean for graph in graphs]
    assert model.accuracies(rows) == pytest.approx(wanted, abs=1e-6)


def test_best_within_a_budget_is_that_of_all_networks(networks: Space, model: PriorModel) -> None:
    rows = every_row(model)
    macs = np.array([costs_of(networks.graph(model.encoding.choices(row)))["macs"] for row in rows])
    limit = int(np.median(macs))
    found = model.best(budgets((f"macs {limit}",), lambda name: {}), keep=3)
    assert found is not None and found.proved
    inside = np.sort(model.accuracies(rows[macs <= limit]))[::-1]
    assert found.values == pytest.approx(inside[:3])
    assert found.bound == pytest.approx(inside[2])


def test_spaces_of_other_networks_are_refused() -> None:
    with pytest.raises(NotCoveredError):
        PriorModel(priors.load("imagenet"), space(document("tiny")))


def test_choices_that_make_no_network_are_no_error() -> None:
    text = UNITS.replace("  - classifier: 10", "  - maxpool: !choice [2, 99]\n  - classifier: 10")
    found = space(document("units.yaml", text=text.encode()))
    model = PriorModel(priors.load("imagenet"), found)
    graph = found.graph(found.defaults)
    assert model.accuracy(found.defaults) == pytest.approx(model.prior.predict(graph).mean)

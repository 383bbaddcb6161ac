"""Priors: models of ImageNet accuracy, fitted to networks that others have trained.

Each prior is a file here with `ABOUT`, a line for the help, and `load()`, and a JSON file of the
same name with its coefficients, their source and their error. They are found by walking this
folder. Predicting needs neither torch nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Protocol

from archscope.errors import ArchscopeError, OptionError, did_you_mean
from archscope.ir import Graph
from archscope.records.prediction import Prediction

__all__ = ["PRIORS", "NotCoveredError", "Prediction", "Prior", "about", "load"]


class NotCoveredError(ArchscopeError):
    """A prior does not cover a network; the message says why."""


class Prior(Protocol):
    """A model that predicts the accuracy of a network."""

    def predict(self, graph: Graph) -> Prediction:
        """Return the predicted accuracy of a network. Raises NotCoveredError."""


DEFAULT = "imagenet"

PRIORS = tuple(sorted(module.name for module in iter_modules(__path__)))
"""Every prior by name."""


def load(name: str) -> Prior:
    """Return a prior by name, or from a JSON file written by `make prior`.

    Raises OptionError if there is no such prior, or the file cannot be read.
    """
    if name.endswith(".json"):
        fitted: Prior = _module(DEFAULT).load(Path(name))
        return fitted
    prior: Prior = _module(name).load()
    return prior


def about(name: str) -> str:
    """Return the `ABOUT` line of a prior. Raises OptionError if there is no such prior."""
    text: str = _module(name).ABOUT
    return text


def _module(name: str) -> Any:
    if name not in PRIORS:
        hint = did_you_mean(name, PRIORS) or f"; there are {', '.join(PRIORS)}"
        raise OptionError(f"no prior '{name}'{hint}")
    return import_module(f"{__name__}.{name}")

"""Models that a package makes by name: `timm:vit_tiny_patch16_224`, `torchvision:resnet18`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from archscope.errors import OptionError, WordError, did_you_mean
from archscope.importers.import_strings import REGISTRIES, ImportString


def model_name(named: ImportString) -> str:
    """Return the name of a model without a name of its own."""
    first, _, _ = named.name.partition(".")
    is_model = is_registered(sys.modules.get(named.module), named)
    return first if is_model else named.name.rpartition(".")[2]


def is_registered(package: Any, named: ImportString) -> bool:
    """Return whether a name is that of a model rather than an attribute of its package.

    Names in timm may have the tag of their weights: `resnet50.a1_in1k`.
    """
    first, _, _ = named.name.partition(".")
    is_package = hasattr(package, "__path__")  # rather than a file of the user
    return named.module in REGISTRIES and is_package and not hasattr(package, first)


def registered(named: ImportString) -> Callable[..., Any]:
    """Return the function that makes a model of a registry, without pretrained weights by default.

    Raises OptionError for an unknown name, WordError if a similar one is known.
    """
    registry = import_module(REGISTRIES[named.module])
    name = named.name.partition(".")[0]
    known = registry.list_models()
    if name not in known:
        message = f"{named.module} has no model '{name}'"
        hint = did_you_mean(name, known)
        if not hint:
            raise OptionError(f"{message}; {registry.__name__}.list_models() lists them")
        near = hint.split("'")[1]
        right = named.text.replace(f":{named.name}", f":{near}", 1)
        raise WordError(message, named.text, right)
    if named.module == "timm":
        return partial(registry.create_model, named.name)
    make = registry.get_model_builder(name)
    downloads = "weights_backbone" in inspect.signature(make).parameters
    return partial(make, weights_backbone=None) if downloads else make

"""Adapt a space to the images that its networks are trained on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from archscope.errors import OptionError
from archscope.language.document import Document
from archscope.search.evaluation import Trainer
from archscope.space.sampling import example
from archscope.space.search_space import Space, space


def trained_space(
    read: Document,
    trainer: Trainer,
    deployed: Space,
    resolution: int | None,
    set: Mapping[str, Any] = {},
) -> Space:
    """Return the space with the resolution and the classes of the training images.

    `set` has the values of names and decisions given to the search.

    Raises OptionError if its networks do not take a single image, or do not fit the images or
    their classes.
    """
    from archscope.datasets import fit
    from archscope.train.recipe import Recipe
    from archscope.train.recipe_files import change
    from archscope.train.tasks.classification import Classification

    data = images_of(trainer)
    given = {**set, **({"classes": len(data.classes)} if "classes" in read.let else {})}
    (entry, *more) = example(deployed).inputs
    if more:
        raise OptionError(f"'{deployed.name}' has several inputs; a search trains on one image")
    shape = entry.out
    if resolution:
        shape = (shape[0], *[resolution] * (len(shape) - 1))
    found = space(read, set=given, input=shape)
    graph = example(found)
    fit(shape, data, **trainer.adapt)
    recipe = change(Recipe(), trainer.recipe)
    Classification(graph, len(data.classes), recipe).check(graph)
    return found


def images_of(trainer: Trainer) -> Any:
    """Return the data set that a trainer trains on."""
    return _images(trainer.data, trainer.folder)


@lru_cache(maxsize=1)
def _images(name: str, folder: str | None) -> Any:
    from archscope.datasets import load

    return load(name, None if folder is None else Path(folder))

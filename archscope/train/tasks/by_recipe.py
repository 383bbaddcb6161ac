"""The task of a recipe."""

from __future__ import annotations

from archscope.datasets import Dataset
from archscope.ir import Graph
from archscope.train.recipe import Recipe
from archscope.train.tasks import Task
from archscope.train.tasks.classification import Classification


def task_for(graph: Graph, dataset: Dataset, recipe: Recipe) -> Task:
    """Return the task for the loss of a recipe: metric learning or classification."""
    if not recipe.metric:
        return Classification(graph, len(dataset.classes), recipe)
    # The library of metric losses takes a while to import; few trainings need it.
    from archscope.train.tasks.metric import MetricLearning

    return MetricLearning(graph, recipe)

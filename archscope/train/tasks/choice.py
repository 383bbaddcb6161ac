"""Which task a recipe asks for."""

from __future__ import annotations

from archscope.datasets import Dataset
from archscope.ir import Graph
from archscope.train.recipe import Recipe
from archscope.train.tasks import Task
from archscope.train.tasks.classification import Classification


def task_for(graph: Graph, dataset: Dataset, recipe: Recipe) -> Task:
    """Return the task that a recipe's loss is for: embeddings, or one class for each image."""
    if not recipe.metric:
        return Classification(graph, len(dataset.classes), recipe)
    # The library of metric losses takes a while to import; few trainings want it.
    from archscope.train.tasks.metric import MetricLearning

    return MetricLearning(graph, recipe)

"""Evaluation of the embeddings of a trained run on images of a data set."""

from __future__ import annotations

from pathlib import Path

from archscope.datasets import Dataset, Images
from archscope.datasets.splits import check_pairs, of_classes
from archscope.records.evaluation import PairEvaluation
from archscope.records.run_folder import read_summary
from archscope.records.training import FORMAT
from archscope.train.evaluation import outputs_of
from archscope.train.metric_learning.verification import PAIRS, verify
from archscope.train.trained_network import load_network


def evaluate_pairs(
    run: Path, dataset: Dataset, images: Images, which: str = "best", device: str = "auto"
) -> PairEvaluation:
    """Return how well the run of a metric loss tells apart classes that it was not trained on.

    Of the data set that it was trained on these are its test classes, of another data set all.
    `which` weights are those of the `best` validation or of the `last` epoch. Raises
    ArchscopeError.
    """
    summary = read_summary(run)
    trained = load_network(run, which, device)
    known = dataset.digest == summary.data["digest"]
    names = tuple(summary.task["test"]) if known else dataset.classes
    labels = tuple(dataset.classes.index(name) for name in names)
    unseen = of_classes(images, labels)
    check_pairs(dataset, "verification", unseen, labels)
    outputs, given = outputs_of(trained.network, trained.loader(dataset, unseen), trained.how)
    distance = summary.task["distance"]
    scores = verify(outputs.flatten(1).float(), given, distance)
    return PairEvaluation(
        FORMAT, run.name, dataset.name, len(unseen), 2 * PAIRS, names, distance, scores
    )

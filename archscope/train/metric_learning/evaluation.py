"""The embeddings of a trained run on images of a data set."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from archscope.datasets import Dataset, Images, fit
from archscope.datasets.class_split import check_pairs, of_classes
from archscope.records.training import FORMAT, Scores
from archscope.train.evaluate import outputs_of
from archscope.train.loader import Plain
from archscope.train.metric_learning.verification import PAIRS, verify
from archscope.train.run_folder import read_summary
from archscope.train.trained_run import restored


class Verification(Struct, frozen=True):
    """How well distances tell pairs of one class from pairs of two."""

    format: int
    run: str
    data: str
    images: int
    pairs: int
    classes: tuple[str, ...]
    distance: str
    scores: Scores


def judge_pairs(
    run: Path, dataset: Dataset, images: Images, which: str = "best", name: str = "auto"
) -> Verification:
    """Return how well the run of a metric loss tells apart classes that it never saw.

    Of the data set that it was trained on these are the classes it was to be tested with, of
    another all. `which` weights are those of the `best` validation or of the `last` epoch; `name`
    is the device. Raises ArchscopeError.
    """
    summary = read_summary(run)
    parts = restored(run, which, name)
    known = dataset.digest == summary.data["digest"]
    names = tuple(summary.task["test"]) if known else dataset.classes
    labels = tuple(dataset.classes.index(name) for name in names)
    judged = of_classes(images, labels)
    check_pairs(dataset, "verification", judged, labels)
    adaptation = fit(parts["adaptation"].target, dataset, **parts["adapt"])
    batches = Plain(judged, parts["statistics"], adaptation, parts["how"])
    outputs, given = outputs_of(parts["network"], batches, parts["how"])
    distance = summary.task["distance"]
    scores = verify(outputs.flatten(1).float(), given, distance)
    return Verification(
        FORMAT, run.name, dataset.name, len(judged), 2 * PAIRS, names, distance, scores
    )

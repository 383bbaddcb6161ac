"""The pilot of a study: choose epochs and resolution by training the first networks.

A score is informative once it is better than chance. So the first networks of a study are trained
for a few epochs on small images, then twice as long until their scores beat chance, then on larger
images. The study reuses these trainings from the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, median

from msgspec import Struct, structs

from archscope.datasets import Dataset
from archscope.errors import ArchscopeError, OptionError
from archscope.ir import Graph
from archscope.search.evaluation import Trainer
from archscope.search.executor import TrainingExecutor, train_all
from archscope.search.time_plan import SEARCHED, Clock
from archscope.search.training_images import training_images
from archscope.stats import beyond_chance
from archscope.train.recipe import Recipe, batch_of
from archscope.train.recipe_files import change
from archscope.units import SHARE as PERCENT

IMAGES = 4000
"""Images per epoch, if there are more."""

PROBED = 128
"""Images for measuring the speed of training."""

LEAST_IMAGES, MODEST_IMAGES = 200, 1000
LEAST_STEPS = 40
"""The most epochs if the time is not limited."""

MOST_SEEN = 64_000
"""The most images over all epochs of a brief training."""

SIDES = (32, 64)
"""Bounds on the image size in the pilot's first round."""

LIFT, MULTIPLE = 0.25, 3.0
"""A score beats chance if it is this share of the way to 1, or this multiple of chance."""

SHARE = 0.25
"""Share of the time of a search that its pilot may take."""

CROWD, FEW = 10, 5
"""The number of trainings that must fit into the time; images per epoch are reduced for it.

If that leaves fewer than `MODEST_IMAGES`, the number of trainings is reduced, too.
"""


class Pilot(Struct, frozen=True):
    """How to train candidates, and the results behind that choice; stored in pilot.json."""

    epochs: int
    resolution: int | None  # side of the images; None: the input of the space
    images: int  # per epoch; 0: all
    scores: tuple[float, ...]  # of the trained networks
    chance: float
    validated: int  # number of images behind each score
    seconds: float  # mean time of these trainings; 0 if none has ended
    about: str  # the finding, as a sentence

    def trainer(self, trainer: Trainer) -> Trainer:
        """Return a trainer with the pilot's choices."""
        recipe = {**trainer.recipe, "epochs": self.epochs}
        return structs.replace(trainer, recipe=recipe, images=self.images)


class PilotSetting(Struct, frozen=True, eq=False):
    """The inputs of a pilot.

    `graph_of` returns the network of choices for an image size; `side` is that of the space's
    input. Values already set in `trainer` or `resolution` are kept.
    """

    executor: TrainingExecutor
    trainer: Trainer
    data: Dataset
    networks: Sequence[dict[str, object]]
    graph_of: Callable[[dict[str, object], int | None], Graph]
    side: int
    resolution: int | None  # None: to be chosen; 0: the input of the space
    clock: Clock


def run_pilot(setting: PilotSetting) -> Pilot:
    """Choose how to train candidates, by training the first networks.

    Raises OptionError if the training of each fails.
    """
    trainer = setting.trainer
    executor = setting.executor
    limit = setting.clock.limit
    rounds = _rounds(setting)
    resolution, epochs = rounds[0]
    executor.deadline = setting.clock.deadline(2 * SHARE * limit) if limit else None
    images = trainer.images
    if images is None:
        images = _images(setting, resolution, epochs)
    found: Pilot | None = None
    for resolution, epochs in _rounds(setting, images):
        began = setting.clock.elapsed
        try:
            last = _round(setting, resolution, epochs, images)
        except OptionError:
            if found is None:
                raise
            break  # as for lack of memory: what was shorter or smaller has worked
        found = last if last.scores or found is None else found
        took = setting.clock.elapsed - began
        late = limit is not None and setting.clock.elapsed + 2 * took > SHARE * limit
        if _has_left_chance(found) or not last.scores or late:
            break
    executor.deadline = None
    assert found is not None
    return structs.replace(found, about=_about(setting, found))


def _rounds(setting: PilotSetting, images: int = IMAGES) -> list[tuple[int | None, int]]:
    """Return resolutions and epochs in the order in which to try them."""
    trainer = setting.trainer
    share = trainer.recipe.get("validation")
    part = training_images(setting.data, images, share, trainer.seed)
    taught = round(len(part.dataset.train) * (1 - part.validation))
    recipe = change(Recipe(), trainer.recipe)
    steps = max(1, taught // batch_of(recipe, taught))
    if "epochs" in trainer.recipe and recipe.epochs is not None:
        epochs = [recipe.epochs]
    else:
        first = 1
        while setting.clock.limit is None and first * steps < LEAST_STEPS:
            first *= 2
        epochs = [first]
        while 2 * epochs[-1] * taught <= MOST_SEEN:
            epochs.append(2 * epochs[-1])
    return [(resolution, count) for resolution in _sides(setting) for count in epochs]


def _sides(setting: PilotSetting) -> list[int | None]:
    """Return the resolutions at which the first networks can be built, in ascending order."""
    if setting.resolution is not None:
        return [setting.resolution or None]
    least, most = SIDES
    own = min(max(setting.data.train.shape[1:]), setting.side)
    side = min(max(own, least), most, setting.side)
    sides = [side]
    while 2 * sides[-1] <= own:
        sides.append(2 * sides[-1])
    possible = [side for side in sides if _is_possible(setting, side)]
    return [*possible] or [None]


def _is_possible(setting: PilotSetting, side: int) -> bool:
    try:
        for choices in setting.networks:
            setting.graph_of(choices, side)
    except ArchscopeError:
        return False
    return True


def _images(setting: PilotSetting, resolution: int | None, epochs: int) -> int:
    """Return the images per epoch, reduced if too few trainings would fit into the time."""
    clock, executor = setting.clock, setting.executor
    if clock.limit is None:
        return IMAGES
    trainer = structs.replace(setting.trainer, images=PROBED, cache=False)
    trainer = structs.replace(trainer, recipe={**trainer.recipe, "epochs": 1})
    graphs = [setting.graph_of(choices, resolution) for choices in setting.networks]
    probes = [(trainer, graph, None) for graph in graphs[: executor.workers]]
    results = [result for result in train_all(executor, probes) if result and result.speed]
    if not results:
        return LEAST_IMAGES
    speed = fmean(result.speed for result in results)
    apart = fmean(max(0.0, result.seconds - PROBED / result.speed) for result in results)

    def fitting(trainings: int) -> float:
        seconds = SEARCHED * clock.left * executor.workers / trainings
        return (seconds - apart) * speed / epochs

    images = fitting(CROWD)
    if images < MODEST_IMAGES:
        images = min(fitting(FEW), MODEST_IMAGES)
    return int(min(max(images, LEAST_IMAGES), IMAGES)) // 100 * 100


def _round(setting: PilotSetting, resolution: int | None, epochs: int, images: int) -> Pilot:
    """Train for some epochs at a resolution, and return the result without `about`.

    Raises OptionError if every training fails.
    """
    found = Pilot(epochs, resolution, images, (), 0.0, 0, 0.0, "")
    trainer = found.trainer(setting.trainer)
    graphs = [setting.graph_of(choices, resolution) for choices in setting.networks]
    ended = train_all(setting.executor, [(trainer, graph, None) for graph in graphs])
    failed = [result.reason for result in ended if result and result.outcome == "failed"]
    if failed and len(failed) == len(graphs):
        raise OptionError(f"no network of the pilot could be trained: {failed[0]}")
    results = [result for result in ended if result and result.outcome == "trained"]
    if not results:
        return found
    return structs.replace(
        found,
        scores=tuple(result.score for result in results if result.score is not None),
        chance=max(result.chance for result in results),
        validated=min(result.validated for result in results),
        seconds=fmean(result.seconds for result in results),
    )


def _has_left_chance(pilot: Pilot) -> bool:
    """Return whether scores are far enough above chance to compare networks."""
    if not pilot.scores:
        return False
    reached, chance = median(pilot.scores), pilot.chance
    wanted = min(chance + LIFT * (1 - chance), MULTIPLE * chance)
    return reached >= wanted and beyond_chance(reached, pilot.validated, chance)


def _about(setting: PilotSetting, pilot: Pilot) -> str:
    epochs = f"{pilot.epochs} epoch{'s' * (pilot.epochs != 1)}"
    side = pilot.resolution or setting.side
    part = ""
    if pilot.images and pilot.images < len(setting.data.train):
        part = f" of {pilot.images:,} images"
    text = f"pilot: {epochs}{part} at {side}x{side}"
    if not pilot.scores:
        return f"{text}: no training has ended"
    what = f"{PERCENT.format(median(pilot.scores))} against {PERCENT.format(pilot.chance)}"
    if _has_left_chance(pilot):
        return f"{text}: scores leave chance ({what})"
    return f"{text}: scores stay near chance ({what}), so they say little of networks"

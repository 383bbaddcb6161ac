"""Recipes: every knob of a training, with its meaning and the reason for its default."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args, get_type_hints

from msgspec import Meta, Struct

from archscope.errors import OptionError

Optimizer = Literal["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"]
Schedule = Literal["constant", "step", "cosine", "one-cycle"]
ClassLoss = Literal["cross-entropy", "hinge", "l1", "l2", "smooth-l1"]
MetricLoss = Literal[
    "contrastive", "triplet", "quadruplet", "coupled-clusters",
    "center", "sphereface", "cosface", "am-softmax", "arcface",
]  # fmt: skip
Loss = Literal[ClassLoss, MetricLoss]
Mining = Literal["hard", "semihard", "all"]
Distance = Literal["auto", "euclidean", "manhattan"]
Turns = Literal["none", "auto"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
Keep = Literal["zeros", "values"]
Share = Annotated[float, Meta(ge=0, lt=1)]
Amount = Annotated[float, Meta(ge=0)]
Rate = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=0)]
Some = Annotated[int, Meta(ge=1)]

BATCHES = (8, 32)
"""The smallest and the largest batch where a recipe leaves it open."""

STEPS = 40
"""Of an epoch, where the batch that they need is between those."""


class Recipe(Struct, frozen=True, kw_only=True):
    """How to train a network: a value for every knob."""

    epochs: Annotated[
        Some | None,
        "Times that all images are seen. Default 5: enough to rank networks on small images."
        " null: as often as max_time allows; the schedule then follows the clock, and the run"
        " cannot be repeated exactly.",
    ] = 5
    max_time: Annotated[
        Rate | None,
        "Seconds (or text such as 5m) after which training stops, between two steps. The schedule"
        " hurries if it falls behind. Default null: only epochs decide, which can be repeated.",
    ] = None
    batch: Annotated[
        Some | None,
        "Largest number of images of a step, over all processes together. An epoch sees every image"
        " in as few steps as that takes, all of nearly the same size. Default null: a fortieth of"
        " the images, 8 at least and 32 at most, as few epochs of a small data set should still be"
        " some hundreds of steps; always 32 of metric losses, which compare the images of a batch.",
    ] = None
    optimizer: Annotated[
        Optimizer,
        "Default adamw: it needs no tuning for networks with and without batch norm, which a"
        " search mixes.",
    ] = "adamw"
    learning_rate: Annotated[
        Rate,
        "The highest of the schedule. Default 0.003, about the largest that plain deep networks"
        " without batch norm take from adamw.",
    ] = 0.003
    momentum: Annotated[
        Share,
        "Of momentum and nesterov (v = momentum v + g, w = w - rate v), and of rmsprop if not 0;"
        " the first beta of adam and adamw. Default 0.9, as nearly everyone's.",
    ] = 0.9
    weight_decay: Annotated[
        Amount,
        "L2: this times the weight is added to its gradient; adamw takes it from the weight apart"
        " from the gradient. Biases and norms are left alone, as decay there only costs accuracy."
        " Default 0.01, torch's own for adamw.",
    ] = 0.01
    l1: Annotated[
        Amount,
        "L1: this times the sum of absolute weights is added to the loss. Default 0: it costs a"
        " pass over all weights and helps only who wants zeros.",
    ] = 0.0
    schedule: Annotated[
        Schedule,
        "How the learning rate moves from step to step. Default one-cycle: a rise, then a fall to"
        " nothing, which gives most in few epochs (Smith 2018).",
    ] = "one-cycle"
    warmup: Annotated[
        Share,
        "Share of all steps in which the rate rises to its height. Default 0.2: the steps are"
        " few, and networks without batch norm diverge without a rise.",
    ] = 0.2
    milestones: Annotated[
        tuple[Annotated[float, Meta(gt=0, lt=1)], ...],
        "Of schedule step: shares of all steps after which the rate is multiplied by gamma."
        " Default a half and three quarters, as ResNet on CIFAR-10.",
    ] = (0.5, 0.75)
    gamma: Annotated[
        Annotated[float, Meta(gt=0, le=1)],
        "Of schedule step. Default 0.1, as ResNet.",
    ] = 0.1
    loss: Annotated[
        Loss,
        "Default cross-entropy. hinge is the multi-class SVM with margin 1; l1, l2 and smooth-l1"
        " compare the outputs with 1 for the class and 0 for others. The others train embeddings:"
        " contrastive, triplet, quadruplet and coupled-clusters by the distances of images,"
        " center, sphereface, cosface, am-softmax and arcface by what they learn of each class.",
    ] = "cross-entropy"
    margin: Annotated[
        Rate | None,
        "Of metric losses: how far apart is far enough. Default null: the papers' (4 of"
        " sphereface, 0.35 of cosface and am-softmax, 0.5 radians of arcface), and for distances"
        " 1.4 of contrastive, 0.4 of triplet and 1 of others, which compare squares; all times the"
        " mean length of embeddings before training.",
    ] = None
    slack: Annotated[
        Amount,
        "Of contrastive, triplet and quadruplet: distance within which matches are near enough, in"
        " the unit of the margin. Default 0, as the papers; 1 lets a class keep an extent, which"
        " helps with classes that are not trained on.",
    ] = 0.0
    scale: Annotated[
        Rate | None,
        "Of sphereface, cosface, am-softmax and arcface: what cosines are multiplied by. Default"
        " null: the papers' (1, 64, 30 and 64), but at most 16 for fewer than 100 classes.",
    ] = None
    anchor: Annotated[
        Amount,
        "Of metric losses: weight of a term that holds the distances within a batch to those before"
        " training (the distance-wise loss of Park 2019): 25 of arcface keeps what the network told"
        " apart anyway. Default 0, none, as it holds a poor network back.",
    ] = 0.0
    distance: Annotated[
        Distance,
        "How contrastive, triplet and quadruplet compare embeddings. Default auto: as the"
        " network's own distance does, or euclidean where it has none.",
    ] = "auto"
    mining: Annotated[
        Mining,
        "Triplets of a batch that count: each anchor's hard one, all semihard, or all; of"
        " quadruplets all or the hard ones. Default hard: most triplets are easy soon, and teach"
        " nothing (Hermans 2017).",
    ] = "hard"
    per_class: Annotated[
        Annotated[int, Meta(ge=2)],
        "Of metric losses: images of a class that come together in a batch. Default 4, as Hermans"
        " 2017: three matches for each image, and still many classes.",
    ] = 4
    unseen: Annotated[
        Annotated[float, Meta(gt=0, lt=1)],
        "Of metric losses: share of the classes that are not trained on; a third of them"
        " validate, the rest test; of fewer than 6, all do both, with different images. Default"
        " 0.5, as is the custom (Song 2016).",
    ] = 0.5
    turns: Annotated[
        Turns,
        "Of metric losses: whether quarter turns and mirror images of a class count as classes of"
        " their own (Santoro 2016). auto: where fewer than 20 classes are trained on, those turns"
        " that pixels tell apart. Default none.",
    ] = "none"
    epoch_images: Annotated[
        Some | None,
        "Of metric losses: images of an epoch. With fewer, they come several times; of more, an"
        " epoch sees part. Default null: all that fill groups, once.",
    ] = None
    label_smoothing: Annotated[
        Share,
        "Share of each label given to all classes. Default 0: it helps long trainings and hinders"
        " brief ones.",
    ] = 0.0
    clip: Annotated[
        Rate | None,
        "Largest norm of the whole gradient; a larger one is scaled down to it. Default 5:"
        " ordinary steps stay below, a single wild step does no harm. null: none.",
    ] = 5.0
    accumulate: Annotated[
        Some,
        "Parts that a batch is computed in, to save memory; batch norm sees each part alone."
        " Default 1.",
    ] = 1
    ema: Annotated[
        Share,
        "Decay of the moving average of the weights, which is then what is validated and kept."
        " Default 0, none: a schedule that falls to nothing averages already.",
    ] = 0.0
    patience: Annotated[
        Some | None,
        "Epochs without a better validation after which to stop. Default null: one-cycle is at"
        " its best at its end.",
    ] = None
    keep: Annotated[
        Keep | None,
        "What weights have in common when training begins and must keep: zeros (weights that are"
        " zero stay so) or values (equal weights of a layer stay equal, and zeros zero). Default"
        " null: nothing; it is for networks that are trained on after pruning or quantization.",
    ] = None
    weight_bits: Annotated[
        Annotated[int, Meta(ge=1, le=8)] | None,
        "Bits of weights: every pass, and what is validated and kept, has them rounded to even"
        " levels in each channel, whose step is learned, and gradients move the exact ones behind."
        " The first and the last layer have 8. Default null: exact; it is for networks that have"
        " been trained so.",
    ] = None
    validation: Annotated[
        Share,
        "Share of the training images kept apart to choose the best weights; test images never"
        " do. Default 0.1.",
    ] = 0.1
    crop: Annotated[
        Count | Share,
        "Shift images by up to this many pixels, or, below 1, this share of their side. Default 0:"
        " few epochs cannot overfit, and augmented images take longer to learn.",
    ] = 0
    flip: Annotated[
        bool,
        "Mirror half of the images. Default false: digits and letters mind.",
    ] = False
    cutout: Annotated[
        Count,
        "Side of a square that is blanked (DeVries 2017). Default 0, none.",
    ] = 0
    mixup: Annotated[
        Amount,
        "Alpha of the blend of images and labels (Zhang 2018). Default 0, none.",
    ] = 0.0
    precision: Annotated[
        Precision,
        "Of convolutions and matrix products. Default auto: bfloat16 on a GPU that has it,"
        " float32 elsewhere, as CPUs rarely gain.",
    ] = "auto"
    channels_last: Annotated[
        bool | None,
        "Keep images as height, width, channels. Default null: where precision is below float32,"
        " whose kernels want it.",
    ] = None
    compile: Annotated[
        bool,
        "Compile the network with torch.compile. Default false: it takes a minute, which brief"
        " trainings do not win back.",
    ] = False
    log_every: Annotated[Some, "Steps between two lines of steps.csv. Default 20."] = 20
    checkpoint_every: Annotated[
        Amount,
        "Seconds between two states that --resume can go on from, beside the one of each epoch;"
        " looked at where a line is logged. Default 30.",
    ] = 30.0

    def __post_init__(self) -> None:
        if self.epochs is None and self.max_time is None:
            raise OptionError("a recipe without epochs needs max_time")
        if self.batch is not None and self.batch % self.accumulate:
            raise OptionError(
                f"accumulate must divide the batch of {self.batch}, got {self.accumulate}"
            )
        for knob in ("mixup", "label_smoothing"):
            if getattr(self, knob) and (self.loss == "hinge" or self.metric):
                raise OptionError(
                    f"{knob} blends labels, and the loss {self.loss} needs whole ones"
                )
        if (
            self.metric
            and self.batch is not None
            and self.batch // self.accumulate % self.per_class
        ):
            raise OptionError(
                f"the batch of {self.batch} in {self.accumulate} parts is not made of whole groups"
                f" of {self.per_class} images of a class (per_class)"
            )
        if self.loss == "sphereface" and self.margin is not None and self.margin % 1:
            raise OptionError(
                f"sphereface multiplies angles by a whole margin, got {self.margin:g}"
            )
        if self.weight_bits is not None and (self.ema or self.keep):
            raise OptionError("weight_bits rounds weights, and goes with neither ema nor keep")
        if self.patience is not None and not self.validation:
            raise OptionError("patience watches the validation images; give validation a share")

    @property
    def metric(self) -> bool:
        """Whether the loss trains embeddings."""
        return self.loss in get_args(MetricLoss)


def batch_of(recipe: Recipe, images: int, processes: int = 1) -> int:
    """Return the batch of a recipe for so many training images, over all processes together.

    Where the recipe leaves it open it can be divided as the recipe and the processes need it.
    """
    if recipe.batch is not None:
        return recipe.batch
    few, most = BATCHES
    wanted = most if recipe.metric else min(max(images // STEPS, few), most)
    unit = processes * recipe.accumulate * (recipe.per_class if recipe.metric else 1)
    return max(wanted // unit, 1) * unit


KNOBS: dict[str, Any] = get_type_hints(Recipe, include_extras=True)
"""The type of every knob, with bounds and, last of its metadata, the description."""


def meaning(knob: str) -> str:
    """Return what a knob does and why its default is what it is."""
    return str(KNOBS[knob].__metadata__[-1])

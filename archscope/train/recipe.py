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
"""The smallest and the largest batch if the recipe has none."""

STEPS = 40
"""Steps of an epoch if the recipe has no batch and these limits allow it."""


class Recipe(Struct, frozen=True, kw_only=True):
    """How to train a network: a value for every knob."""

    epochs: Annotated[
        Some | None,
        "Number of passes over the training images. Default 5: enough to rank networks on small"
        " images. null: train until max_time; the schedule then follows the clock, and the run"
        " cannot be repeated exactly.",
    ] = 5
    max_time: Annotated[
        Rate | None,
        "Training time in seconds, or as text such as 5m; training stops after the current step."
        " If training is too slow to finish in time, the schedule is shortened to fit. Default"
        " null: no limit, so that a run can be repeated exactly.",
    ] = None
    batch: Annotated[
        Some | None,
        "Maximum number of images per step, over all processes together. Each epoch uses every"
        " image, in the fewest steps possible and in batches of nearly equal size. Default null: a"
        " fortieth of the images, between 8 and 32, so that a few epochs of a small data set still"
        " have some hundreds of steps; 32 for metric losses, which compare the images of a batch.",
    ] = None
    optimizer: Annotated[
        Optimizer,
        "Optimization algorithm. Default adamw: it needs no tuning for networks with or without"
        " batch norm, both of which occur in a search.",
    ] = "adamw"
    learning_rate: Annotated[
        Rate,
        "Maximum learning rate of the schedule. Default 0.003, about the largest rate at which"
        " plain deep networks without batch norm still train with adamw.",
    ] = 0.003
    momentum: Annotated[
        Share,
        "Momentum of momentum and nesterov (v = momentum v + g, w = w - rate v) and, if not 0, of"
        " rmsprop; the first beta of adam and adamw. Default 0.9, the usual value.",
    ] = 0.9
    weight_decay: Annotated[
        Amount,
        "L2 regularization: this factor times the weight is added to its gradient; adamw decays"
        " the weight separately from the gradient. Biases and normalization parameters are not"
        " decayed, because that only costs accuracy. Default 0.01, as in torch for adamw.",
    ] = 0.01
    l1: Annotated[
        Amount,
        "L1 regularization: this factor times the sum of absolute weights is added to the loss."
        " Default 0: it costs a pass over all weights, and is useful only for sparse weights.",
    ] = 0.0
    schedule: Annotated[
        Schedule,
        "How the learning rate changes from step to step. Default one-cycle: it rises, then falls"
        " to zero, which gives the best accuracy in few epochs (Smith 2018).",
    ] = "one-cycle"
    warmup: Annotated[
        Share,
        "Fraction of all steps in which the learning rate rises to its maximum. Default 0.2:"
        " there are few steps, and networks without batch norm diverge without a warmup.",
    ] = 0.2
    milestones: Annotated[
        tuple[Annotated[float, Meta(gt=0, lt=1)], ...],
        "For schedule step: fractions of all steps after which the learning rate is multiplied by"
        " gamma. Default a half and three quarters, as for ResNet on CIFAR-10.",
    ] = (0.5, 0.75)
    gamma: Annotated[
        Annotated[float, Meta(gt=0, le=1)],
        "For schedule step: factor of the learning rate at each milestone. Default 0.1, as for"
        " ResNet.",
    ] = 0.1
    loss: Annotated[
        Loss,
        "Loss function. Default cross-entropy. hinge is the multi-class SVM loss with margin 1;"
        " l1, l2 and smooth-l1 compare the outputs with 1 for the class and 0 for all others. The"
        " other losses train embeddings: contrastive, triplet, quadruplet and coupled-clusters by"
        " distances between images; center, sphereface, cosface, am-softmax and arcface with"
        " learned parameters for each class.",
    ] = "cross-entropy"
    margin: Annotated[
        Rate | None,
        "For metric losses: the margin between classes. Default null: the papers' values (4 for"
        " sphereface, 0.35 for cosface and am-softmax, 0.5 radians for arcface); for distances,"
        " 1.4 for contrastive, 0.4 for triplet, and 1 for the others, which compare squared"
        " distances, each multiplied by the mean norm of the embeddings before training.",
    ] = None
    slack: Annotated[
        Amount,
        "For contrastive, triplet and quadruplet: distance below which a matching pair has no"
        " loss, in units of the margin. Default 0, as in the papers; with 1, a class may stay"
        " spread out, which helps with classes that are not trained on.",
    ] = 0.0
    scale: Annotated[
        Rate | None,
        "For sphereface, cosface, am-softmax and arcface: factor that cosines are multiplied by."
        " Default null: the papers' values (1, 64, 30 and 64), but at most 16 for fewer than 100"
        " classes.",
    ] = None
    anchor: Annotated[
        Amount | None,
        "For metric losses: weight of a term that keeps the distances within a batch as they were"
        " before training (the distance-wise loss of Park 2019). null: with fewer than 20 training"
        " classes, and if the untrained network has a validation auc of 0.8 or more, 2 for"
        " contrastive, 20 for triplet, 40 for quadruplet and 25 for arcface; otherwise 0. Default"
        " 0: the term limits what a poor network can learn.",
    ] = 0.0
    distance: Annotated[
        Distance,
        "For contrastive, triplet and quadruplet: the distance between embeddings. Default auto:"
        " that of the network's own distance layer, or euclidean if it has none.",
    ] = "auto"
    mining: Annotated[
        Mining,
        "Which triplets of a batch contribute to the loss: the hardest of each anchor, all"
        " semihard ones, or all; for quadruplets, the hardest or all. Default hard: most triplets"
        " soon become easy and contribute nothing (Hermans 2017).",
    ] = "hard"
    per_class: Annotated[
        Annotated[int, Meta(ge=2)],
        "For metric losses: number of images per class in a batch. Default 4, as in Hermans 2017:"
        " three matches for each image, and still many classes.",
    ] = 4
    unseen: Annotated[
        Annotated[float, Meta(gt=0, lt=1)],
        "For metric losses: fraction of the classes that are not trained on. A third of them is"
        " used for validation, the rest for testing; if there are fewer than 6, all are used for"
        " both, with different images. Default 0.5, the usual split (Song 2016).",
    ] = 0.5
    turns: Annotated[
        Turns,
        "For metric losses: whether rotations by 90 degrees and mirror images of a class are used"
        " as additional classes (Santoro 2016). auto: if fewer than 20 classes are trained on,"
        " those rotations and mirror images that can be told apart by their pixels. Default none.",
    ] = "none"
    epoch_images: Annotated[
        Some | None,
        "For metric losses: number of images per epoch. If there are fewer, images are repeated;"
        " if there are more, an epoch uses a part of them. Default null: all images that fill"
        " complete groups, once.",
    ] = None
    label_smoothing: Annotated[
        Share,
        "Fraction of each label that is spread over all classes. Default 0: it helps long"
        " trainings, but harms short ones.",
    ] = 0.0
    clip: Annotated[
        Rate | None,
        "Maximum norm of the gradient of all weights; larger gradients are scaled down to it."
        " Default 5: ordinary steps stay below it, and a single extreme one does no harm. null: no"
        " clipping.",
    ] = 5.0
    accumulate: Annotated[
        Some,
        "Number of parts into which a batch is split to save memory; batch norm sees each part"
        " separately. Default 1.",
    ] = 1
    ema: Annotated[
        Share,
        "Decay of an exponential moving average of the weights; the average is then validated and"
        " saved. Default 0, none: a schedule that falls to zero has a similar effect.",
    ] = 0.0
    interpolate: Annotated[
        bool,
        "Validate and save, after each epoch, the best weights on the line between those before"
        " training and the current ones (WiSE-FT, Wortsman 2022): either end, a half, a quarter or"
        " an eighth of the way. Without validation images, the current ones. Default false: it is"
        " useful only if the weights before training are.",
    ] = False
    patience: Annotated[
        Some | None,
        "Number of epochs without a better validation score after which training stops. Default"
        " null: with one-cycle, the best epochs are the last.",
    ] = None
    keep: Annotated[
        Keep | None,
        "What initial weights must preserve during training: zeros (weights that are zero stay"
        " zero) or values (equal weights of a layer stay equal, and zeros stay zero). Default"
        " null: nothing. For networks that are trained further after pruning or quantization.",
    ] = None
    weight_bits: Annotated[
        Annotated[int, Meta(ge=1, le=8)] | None,
        "Number of bits of the weights: in each pass, in validation and when saved, weights are"
        " rounded to evenly spaced levels with a learned step size per channel, while gradients"
        " update the exact weights. The first and the last layer have 8 bits. Default null: no"
        " rounding. For networks that have already been trained.",
    ] = None
    validation: Annotated[
        Share,
        "Fraction of the training images that is held out to choose the best weights; test images"
        " are never used for that. Default 0.1.",
    ] = 0.1
    crop: Annotated[
        Count | Share,
        "Shift images randomly by up to this number of pixels or, if below 1, this fraction of"
        " their side. Default 0: short trainings do not overfit, and augmented images take longer"
        " to learn.",
    ] = 0
    flip: Annotated[
        bool,
        "Mirror half of the images horizontally. Default false: digits and letters must not be"
        " mirrored.",
    ] = False
    cutout: Annotated[
        Count,
        "Side of a square in each image that is blanked out (DeVries 2017). Default 0, none.",
    ] = 0
    mixup: Annotated[
        Amount,
        "Alpha of mixup, which blends pairs of images and their labels (Zhang 2018). Default 0,"
        " none.",
    ] = 0.0
    precision: Annotated[
        Precision,
        "Number format of convolutions and matrix products. Default auto: bfloat16 on GPUs that"
        " support it, float32 elsewhere, because CPUs rarely gain.",
    ] = "auto"
    channels_last: Annotated[
        bool | None,
        "Store images with the channels last (height, width, channels). Default null: only with a"
        " precision below float32, whose kernels prefer it.",
    ] = None
    compile: Annotated[
        bool,
        "Compile the network with torch.compile. Default false: it takes about a minute, more"
        " than short trainings save.",
    ] = False
    log_every: Annotated[Some, "Number of steps between two rows of steps.csv. Default 20."] = 20
    checkpoint_every: Annotated[
        Amount,
        "Seconds between two checkpoints from which --resume can continue, in addition to the one"
        " after each epoch; checked whenever a row is logged. Default 30.",
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
                    f"{knob} blends labels, which the loss {self.loss} does not support"
                )
        if (
            self.metric
            and self.batch is not None
            and self.batch // self.accumulate % self.per_class
        ):
            raise OptionError(
                f"a batch of {self.batch} in {self.accumulate} parts cannot be divided into groups"
                f" of {self.per_class} images of a class (per_class)"
            )
        if self.loss == "sphereface" and self.margin is not None and self.margin % 1:
            raise OptionError(f"the margin of sphereface must be an integer, got {self.margin:g}")
        if self.weight_bits is not None and (self.ema or self.keep or self.interpolate):
            raise OptionError("weight_bits cannot be combined with ema, keep or interpolate")
        if self.patience is not None and not self.validation:
            raise OptionError("patience needs validation images; set validation above 0")

    @property
    def metric(self) -> bool:
        """Whether the loss trains embeddings."""
        return self.loss in get_args(MetricLoss)


def batch_of(recipe: Recipe, images: int, processes: int = 1) -> int:
    """Return the batch size of a recipe for a number of training images, over all processes.

    If the recipe has none, it is divisible by the processes, parts and groups that it must serve.
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

"""The kinds of kernels, and the features that their time depends on."""

from __future__ import annotations

from enum import StrEnum

FEATURES = (
    "kernels", "macs", "macs_by_8", "macs_by_16", "input", "output", "weight", "patches", "work",
    "merged", "mixed", "activated", "spilled", "streamed",
)  # fmt: skip
"""The features that the time of a kernel may depend on, for one image:

`kernels` counts kernels, whatever their size. `macs` are multiply-accumulates, `macs_by_8` and
`macs_by_16` those with channels padded to multiples of 8 and of 16. `input`, `output` and `weight`
are elements read and written; `patches` are the elements of all windows, laid out side by side;
`work` is other arithmetic; `merged` are elements that a sum in the kernel reads; `mixed` is the
geometric mean of macs and elements moved; `activated` are elements that an activation in the
kernel changes, unless it is a ReLU, which costs nothing there; `spilled` are elements read and
written beyond `CACHE`, `streamed` those beyond `NEAR`.
"""

CACHE = 4_000_000
"""Elements that fit into the last cache of a desktop processor: 16 MB in single precision."""

NEAR = 256_000
"""Elements that fit into the cache next to a core: 1 MB in single precision."""

FIXED = frozenset({"kernels", "weight"})
"""Features that are independent of the batch size."""


class Kind(StrEnum):
    """What kernels are."""

    DENSE = "dense"
    POINTWISE = "pointwise"
    DEPTHWISE = "depthwise"
    GROUPED = "grouped"
    STEM = "stem"  # a convolution of at most `FEW` channels
    TRANSPOSED = "transposed"
    LINEAR = "linear"
    PRODUCT = "product"
    ATTENTION = "attention"
    WINDOW_ATTENTION = "window attention"  # brings positions together and apart again
    RECURRENT = "recurrent"
    POOL = "pool"
    REDUCTION = "reduction"
    NORM = "norm"
    ELEMENT_WISE = "element-wise"
    FUNCTION = "function"  # element-wise, with more than `CHEAP` operations for each element
    COPY = "copy"  # moves elements as they are
    VIEW = "view"
    RESIZE = "resize"  # computes where each position comes from; in onnxruntime and eager torch

    # In onnxruntime, where what is plain does not work on blocks of channels (see `layouts`).
    PLAIN_CONV = "plain convolution"
    PLAIN_POINTWISE = "plain pointwise"
    PLAIN_DEPTHWISE = "plain depthwise"
    PLAIN_POOL = "plain pool"
    SWISH = "swish"  # x * sigmoid(x), for which there is a kernel
    TRANSPOSE = "transpose"  # moves elements one by one
    REORDER = "reorder"  # makes blocks, or resolves them
    SINGLE = "single position"  # pointwise, of one position; in onnxruntime and eager torch
    RESPONSE_NORM = "response norm"  # takes a power of each element
    SOFTMAX = "softmax"

    # In eager torch (see `eager`).
    UNFOLDED = "unfolded convolution"
    UNFOLDED_GROUPS = "unfolded groups"  # group by group
    PLAIN_GROUPED = "plain grouped"  # whose groups are no blocks
    STRIDED = "strided pointwise"
    UNALIGNED = "unaligned pointwise"  # whose rows are not aligned
    REFERENCE_DEPTHWISE = "reference depthwise"  # for which oneDNN has no fast kernel
    VOLUME = "volume convolution"
    MAX_POOL = "max pool"
    BATCH_NORM = "batch norm"
    BINARY = "binary"  # has two inputs
    SLOW_FUNCTION = "slow function"  # an error function, a hyperbolic tangent, or the like


KINDS = tuple(Kind)

RELATIONS = frozenset({Kind.ATTENTION, Kind.WINDOW_ATTENTION, Kind.RECURRENT})
PRODUCTS = RELATIONS | frozenset({
    Kind.DENSE, Kind.POINTWISE, Kind.DEPTHWISE, Kind.GROUPED, Kind.STEM, Kind.TRANSPOSED,
    Kind.LINEAR, Kind.PRODUCT, Kind.PLAIN_CONV, Kind.PLAIN_POINTWISE, Kind.PLAIN_DEPTHWISE,
    Kind.UNFOLDED, Kind.UNFOLDED_GROUPS, Kind.PLAIN_GROUPED, Kind.STRIDED, Kind.UNALIGNED,
    Kind.REFERENCE_DEPTHWISE, Kind.VOLUME, Kind.SINGLE,
})  # fmt: skip
"""The kinds that multiply and accumulate, and those that relate positions, which do more."""

FEW = 4
"""The most channels of the input of a stem."""

CHEAP = 2
"""The most operations for each element that cost no more than moving it."""

NONE, ONNXRUNTIME, INDUCTOR, EAGER, EAGER_GPU = FUSIONS = (
    "none", "onnxruntime", "inductor", "eager", "eager-gpu",
)  # fmt: skip
"""Eager torch runs every node, with kernels that `eager` tells apart on a CPU and on a GPU;
onnxruntime joins convolutions with what follows them; inductor, of torch.compile, joins
element-wise operators with one another."""

JOINED = frozenset({"Relu", "Clip", "Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid", "HardSwish"})
"""ONNX operators that onnxruntime fuses into preceding convolutions and linear layers."""

SOFTMAXES = frozenset({"Softmax", "LogSoftmax"})
PLAIN_OF: dict[str, str] = {
    **dict.fromkeys((Kind.DENSE, Kind.STEM, Kind.GROUPED), Kind.PLAIN_CONV),
    Kind.POINTWISE: Kind.PLAIN_POINTWISE, Kind.DEPTHWISE: Kind.PLAIN_DEPTHWISE,
}  # fmt: skip
CONVOLUTIONS = frozenset({Kind.DENSE, Kind.POINTWISE, Kind.DEPTHWISE, Kind.GROUPED, Kind.STEM})
TAKES_ACTIVATION = CONVOLUTIONS | {
    Kind.LINEAR, Kind.PLAIN_CONV, Kind.PLAIN_POINTWISE, Kind.PLAIN_DEPTHWISE, Kind.SINGLE,
}  # fmt: skip
TAKES_SUM = TAKES_ACTIVATION - {Kind.LINEAR}
BY_ELEMENT = frozenset({Kind.ELEMENT_WISE, Kind.FUNCTION})

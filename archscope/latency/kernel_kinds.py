"""The kinds of kernels, and the features that their time depends on."""

from __future__ import annotations

FEATURES = (
    "kernels", "macs", "macs_by_8", "macs_by_16", "input", "output", "weight", "patches", "work",
    "merged", "mixed", "activated", "spilled",
)  # fmt: skip
"""The features that the time of a kernel may depend on, for one image:

`kernels` counts kernels, whatever their size. `macs` are multiply-accumulates, `macs_by_8` and
`macs_by_16` those with channels padded to multiples of 8 and of 16. `input`, `output` and `weight`
are elements read and written; `patches` are the elements of all windows, laid out side by side;
`work` is other arithmetic; `merged` are elements that a sum in the kernel reads; `mixed` is the
geometric mean of macs and elements moved; `activated` are elements that an activation in the
kernel changes, unless it is a ReLU, which costs nothing there; `spilled` are elements read and
written beyond `CACHE`.
"""

CACHE = 4_000_000
"""Elements that fit into the last cache of a desktop processor: 16 MB in single precision."""

FIXED = frozenset({"kernels", "weight"})
"""Features that are independent of the batch size."""

DENSE, POINTWISE, DEPTHWISE, GROUPED, STEM, TRANSPOSED = (
    "dense", "pointwise", "depthwise", "grouped", "stem", "transposed",
)  # fmt: skip
LINEAR, PRODUCT, ATTENTION, WINDOW_ATTENTION, RECURRENT = (
    "linear", "product", "attention", "window attention", "recurrent",
)  # fmt: skip
POOL, REDUCTION, NORM, ELEMENT_WISE, FUNCTION, COPY, VIEW = (
    "pool", "reduction", "norm", "element-wise", "function", "copy", "view",
)  # fmt: skip
PLAIN_CONV, PLAIN_POINTWISE, PLAIN_DEPTHWISE, PLAIN_POOL = (
    "plain convolution", "plain pointwise", "plain depthwise", "plain pool",
)  # fmt: skip
SWISH, TRANSPOSE, REORDER, RESPONSE_NORM, SOFTMAX = (
    "swish", "transpose", "reorder", "response norm", "softmax",
)  # fmt: skip
UNFOLDED, UNFOLDED_GROUPS, PLAIN_GROUPED, STRIDED, UNALIGNED = (
    "unfolded convolution", "unfolded groups", "plain grouped", "strided pointwise",
    "unaligned pointwise",
)  # fmt: skip
MAX_POOL, BATCH_NORM, BINARY, SLOW_FUNCTION = "max pool", "batch norm", "binary", "slow function"
KINDS = (
    DENSE, POINTWISE, DEPTHWISE, GROUPED, STEM, TRANSPOSED, LINEAR, PRODUCT, ATTENTION,
    WINDOW_ATTENTION, RECURRENT, POOL, REDUCTION, NORM, ELEMENT_WISE, FUNCTION, COPY, VIEW,
    PLAIN_CONV, PLAIN_POINTWISE, PLAIN_DEPTHWISE, PLAIN_POOL,
    SWISH, TRANSPOSE, REORDER, RESPONSE_NORM, SOFTMAX,
    UNFOLDED, UNFOLDED_GROUPS, PLAIN_GROUPED, STRIDED, UNALIGNED,
    MAX_POOL, BATCH_NORM, BINARY, SLOW_FUNCTION,
)  # fmt: skip
"""What kernels are; a stem is a convolution of at most `FEW` channels, a function an element-wise
operator of more than `CHEAP` operations for each element, a copy moves elements as they are, a
transpose one by one. Window attention brings the positions of each window together first, and
undoes that.

In onnxruntime, what is plain does not work on blocks of channels (see `layouts`), swish is
x * sigmoid(x), for which it has a kernel, a reorder makes blocks or resolves them, and a response
norm takes a power of each element. In eager torch (see `eager`), a convolution may be unfolded,
group by group, grouped ones are plain if their groups are no blocks, and pointwise ones unaligned
if their rows are; a binary operator has two inputs, and a slow function is an error function, a
hyperbolic tangent, or the like."""

RELATIONS = frozenset({ATTENTION, WINDOW_ATTENTION, RECURRENT})
PRODUCTS = RELATIONS | frozenset({
    DENSE, POINTWISE, DEPTHWISE, GROUPED, STEM, TRANSPOSED, LINEAR, PRODUCT,
    PLAIN_CONV, PLAIN_POINTWISE, PLAIN_DEPTHWISE,
    UNFOLDED, UNFOLDED_GROUPS, PLAIN_GROUPED, STRIDED, UNALIGNED,
})  # fmt: skip
"""The kinds that multiply and accumulate, and those that relate positions, which do more."""

FEW, CHEAP = 4, 2

NONE, ONNXRUNTIME, INDUCTOR, EAGER = FUSIONS = ("none", "onnxruntime", "inductor", "eager")
"""Eager torch runs every node, on a CPU with kernels that `eager` tells apart; onnxruntime joins
convolutions with what is behind them; inductor, of torch.compile, joins element-wise operators
with one another."""

JOINED = frozenset({"Relu", "Clip", "Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid", "HardSwish"})
"""ONNX operators that onnxruntime fuses into preceding convolutions and linear layers."""

SOFTMAXES = frozenset({"Softmax", "LogSoftmax"})
PLAIN_OF = {
    DENSE: PLAIN_CONV, STEM: PLAIN_CONV, GROUPED: PLAIN_CONV, POINTWISE: PLAIN_POINTWISE,
    DEPTHWISE: PLAIN_DEPTHWISE,
}  # fmt: skip
CONVOLUTIONS = frozenset({DENSE, POINTWISE, DEPTHWISE, GROUPED, STEM})
TAKES_ACTIVATION = CONVOLUTIONS | {LINEAR, PLAIN_CONV, PLAIN_POINTWISE, PLAIN_DEPTHWISE}
TAKES_SUM = TAKES_ACTIVATION - {LINEAR}
BY_ELEMENT = frozenset({ELEMENT_WISE, FUNCTION})

"""Operators, one file per family, found by walking this folder."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from archscope.ops.registry import OPS

RARE = {
    "arithmetic": "sub div maximum minimum power atan2 add_scalar rsub pow clamp",
    "attention": "dot_product_attention window_attention",
    "axis_functions": "log_softmax glu normalize cosine_similarity",
    "cumulative": "cumsum cumprod",
    "embedding": "embedding",
    "fake_quantize": "fake_quantize",
    "fill": "fill",
    "fourier": "fourier",
    "frozen_norm": "frozen_batchnorm",
    "gather": "gather_elements one_hot",
    "grid_sample": "grid_sample",
    "held_weights": "weight_norm_conv weight_norm_linear fixed_conv fixed_linear"
    " fixed_conv_transpose",
    "index_select": "index_select concat_learned",
    "learned": "learned",
    "locally_connected": "locally_connected",
    "mask": "compare where",
    "masked_fill": "masked_fill",
    "opaque": "opaque",
    "pad": "pad",
    "parameter": "parameter",
    "product": "matmul einsum scaled_dot_product_attention",
    "prototypes": "prototypes",
    "recurrent": "lstm gru rnn",
    "recurrent_cell": "lstm_cell gru_cell rnn_cell",
    "reduction": "reduce",
    "repeat": "expand tile",
    "resize": "upsample",
    "response_norm": "lrn",
    "rms_norm": "rmsnorm",
    "shift": "roll flip",
    "sort": "sort argsort argmax",
    "stack": "stack slice_scatter",
    "tokens": "class_token position_embedding",
    "top_k": "top_k",
    "torch_arithmetic": "",
    "torch_layout": "",
    "unary": "unary",
    "unfold": "unfold fold",
    "unpool": "maxpool_indices max_unpool",
}  # fmt: skip
"""Files whose operators most networks do not have, imported when one of these names is needed."""

for _file, _names in RARE.items():
    OPS.defer(f"{__name__}.{_file}", _names.split())
for _module in iter_modules(__path__):
    if _module.name not in RARE:
        import_module(f"{__name__}.{_module.name}")

__all__ = ["OPS", "RARE"]

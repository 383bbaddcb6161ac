"""Express convolutions whose kernels are computed from each image as matrix products.

Dynamic convolutions, and correlations of two maps as in trackers, arrange the images of a batch as
groups of channels, (1, N * C, ...), so that each image has its own kernels.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional


def own_kernels(
    batch: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Tensor:
    """Return a convolution of each image of a batch with its own kernels.

    Raises NotImplementedError for any other convolution.
    """
    fits = input.dim() in (3, 4) and input.shape[0] == 1 and not isinstance(padding, str)
    if not fits or groups % batch or weight.shape[0] % batch:
        raise NotImplementedError
    if input.dim() == 3:
        words = (_of_a_row(stride, 1), _of_a_row(padding, 0), _of_a_row(dilation, 1))
        rows = own_kernels(batch, input.unsqueeze(2), weight.unsqueeze(2), bias, *words, groups)
        return rows.squeeze(2)
    each, channels, out = groups // batch, input.shape[1] // batch, weight.shape[0] // batch
    images = input.reshape(batch, channels, *input.shape[2:])
    columns = functional.unfold(images, weight.shape[2:], dilation, padding, stride)
    kernels = weight.reshape(batch, out, -1)
    if each > 1:
        columns = columns.reshape(batch, each, -1, columns.shape[-1])
        kernels = kernels.reshape(batch, each, out // each, -1)
    sizes = _sizes(input, weight, stride, padding, dilation)
    result = (kernels @ columns).reshape(1, batch * out, *sizes)
    return result if bias is None else result + bias.reshape(1, -1, 1, 1)


def _of_a_row(value: Any, across: int) -> tuple[int, int]:
    """Return the number of a map of one row, for what a row has along its length."""
    return across, value if isinstance(value, int) else value[0]


def _sizes(input: Tensor, weight: Tensor, *words: Any) -> list[int]:
    """Return the height and width of the result, for a stride, a padding and a dilation."""
    stride, padding, dilation = ((w, w) if isinstance(w, int) else (*w, *w)[:2] for w in words)
    return [
        (input.shape[2 + axis] + 2 * padding[axis] - dilation[axis] * (kernel - 1) - 1)
        // stride[axis]
        + 1
        for axis, kernel in enumerate(weight.shape[2:])
    ]

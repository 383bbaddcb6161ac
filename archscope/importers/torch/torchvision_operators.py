"""The operators of torchvision that a build of torch without its extension lacks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

_DECLARED: list[Any] = []  # libraries, whose definitions go with them
NMS = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
DEFORM = (
    "deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias,"
    " SymInt stride_h, SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dil_h, SymInt dil_w,"
    " SymInt groups, SymInt offset_groups, bool use_mask) -> Tensor"
)


def declare_for_import() -> bool:
    """Declare the operators that torchvision needs on import; return whether they were missing."""
    if _DECLARED:
        return False
    library: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    library.define(f"nms{NMS}")
    library.define(f"qnms{NMS}")
    _DECLARED.append(library)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    return True


@contextmanager
def deformable() -> Iterator[None]:
    """Make deformable convolutions traceable by defining their output shapes."""
    module = sys.modules.get("torchvision.ops.deform_conv")
    if module is None:
        yield
        return
    if not hasattr(torch.ops.torchvision, "deform_conv2d"):
        library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        library.define(DEFORM)
        library.impl("deform_conv2d", _deformed, "CompositeExplicitAutograd")
        _DECLARED.append(library)
    with patch.object(module, "_assert_has_ops", lambda: None):
        yield


def _deformed(input: Tensor, weight: Tensor, offset: Tensor, *rest: Any) -> Tensor:
    return input.new_empty((len(input), len(weight), *offset.shape[-2:]))

"""Networks that torch does not run."""

from __future__ import annotations

import pytest

from archscope.errors import GraphError
from archscope.sources import load
from archscope.verify import verify

INDICES = """
input: [3, 8, 8]
layers:
  - argmax
  - conv: {out: 4, kernel: 3}
"""


def test_a_convolution_of_indices_is_an_error() -> None:
    with pytest.raises(GraphError, match="does not run in torch: Input type"):
        verify(load(INDICES))

"""Bytes of weights as stored in files, for the weights of every operator."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import save_file

from archscope.compress.stored_weights import with_stored_weights
from archscope.contracts.op_facts import graph_of
from archscope.ir import Example
from tests.ops.cases import CASES, trained_module

HELD = [
    case for case in CASES if case.values[0].op.params(*case.values[0].ins)
    or case.values[0].op.buffers(*case.values[0].ins)
]  # fmt: skip


@pytest.mark.parametrize("case", HELD)
def test_float_weights_take_what_their_type_does(case: Example, tmp_path: Path) -> None:
    state = trained_module(case).state_dict()
    named = {f"op.{name}": tensor.contiguous() for name, tensor in state.items()}
    save_file(named, tmp_path / "weights.safetensors")
    node = with_stored_weights(graph_of(case), tmp_path / "weights.safetensors").by_name["op"]
    expected = sum(
        tensor.nbytes for name, tensor in state.items() if "num_batches_tracked" not in name
    )
    assert node.weight_bytes == expected
    assert node.weight_bits in (None, 32)

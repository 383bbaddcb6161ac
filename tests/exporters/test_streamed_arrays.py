"""Weights that are computed while they are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file
from safetensors.torch import save_file

from archscope import load
from archscope.exporters import streamed_arrays
from archscope.exporters.onnx_export import export_onnx
from archscope.exporters.onnx_model import onnx_difference
from archscope.exporters.streamed_arrays import RandomArray, ScaledArray, StreamedArray, scaled
from archscope.exporters.weight_arrays import random_arrays, read_arrays, untrained
from archscope.transforms.fused_arrays import fused_arrays, multiplied
from tests.nets import chain

SHAPES = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple)


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.integers(1, 60), st.booleans())
def test_blocks_make_up_the_whole_product(shape: tuple[int, ...], block: int, drawn: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamed_arrays, "BLOCK", block)
        source = RandomArray(shape, 1.0, 0.5, (0, 1))
        factors = np.random.default_rng(0).uniform(1, 2, (shape[0], *(1 for _ in shape[1:])))
        product = ScaledArray(source if drawn else np.asarray(source), factors)
        assert sum(len(part) for part in product.blocks()) == shape[0]
        assert sum(part.nbytes for part in product.blocks()) == product.nbytes
        expected = multiplied(np.asarray(source), factors)
        np.testing.assert_array_equal(np.asarray(product), expected)
        assert expected.dtype == np.float32


def test_random_numbers_are_uniform_and_those_of_their_key() -> None:
    values = np.asarray(RandomArray((300, 999), 2.0, 0.5, (7, 1)))
    assert 1.5 <= values.min() < 1.51 and 2.49 < values.max() <= 2.5
    assert abs(values.mean() - 2) < 0.003 and abs(values.std() - 0.5 / 3**0.5) < 0.003
    np.testing.assert_array_equal(values, np.asarray(RandomArray((300, 999), 2.0, 0.5, (7, 1))))
    other = np.asarray(RandomArray((300, 999), 2.0, 0.5, (7, 2)))
    assert abs(np.corrcoef(values.ravel(), other.ravel())[0, 1]) < 0.01


@pytest.mark.parametrize("given_weights", [True, False])
def test_large_weights_are_streamed_and_folded_as_small_ones(given_weights: bool) -> None:
    graph = chain(
        ("conv", {"out": 400, "kernel": 3, "bias": False}), ("batchnorm", {}),
        ("conv_transpose", {"out": 32, "kernel": 3, "groups": 2, "bias": False}), ("batchnorm", {}),
        ("flatten", {}), ("linear", {"out": 40}), x=(20, 5, 5),
    )  # fmt: skip
    arrays = random_arrays(graph)
    for name in arrays:
        if given_weights and name.endswith("running_var"):
            arrays[name] *= np.random.default_rng(0).uniform(1, 2, arrays[name].shape)
    exported = export_onnx(graph, arrays if given_weights else None)
    large = exported.model.arrays
    assert isinstance(untrained(graph, 0)["conv1.weight"], StreamedArray)
    assert isinstance(large["conv1.weight"], StreamedArray)
    for name, array in fused_arrays(graph, arrays).items():
        if name in large:
            np.testing.assert_array_equal(np.asarray(large[name]), array)
    chunks = b"".join(map(bytes, exported.model.chunks()))
    assert chunks == exported.model.content()


def test_small_products_are_arrays() -> None:
    assert isinstance(scaled(np.ones((2, 3), np.float32), np.ones((2, 1))), np.ndarray)


def test_files_are_read_as_safetensors_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    tensors = {
        "float": torch.randn(3, 4),
        "half": torch.randn(5).half(),
        "double": torch.randn(2).double(),
        "whole": torch.arange(3),
        "number": torch.tensor(1.5),
        "empty": torch.zeros(0, 2),
    }
    save_file(tensors, path, {"format": "pt"})
    ours, theirs = read_arrays(path), load_file(path)
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        assert (ours[name].dtype, ours[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(ours[name], array)
    ours["float"][:] = 0  # in memory
    np.testing.assert_array_equal(read_arrays(path)["float"], tensors["float"].numpy())


def test_a_zoo_network_is_the_same_with_its_weights_given() -> None:
    graph = load("mobilenet_v3_small", input=(3, 64, 64))
    arrays = random_arrays(graph.inference())
    assert export_onnx(graph, arrays).model.content() == export_onnx(graph).model.content()


def test_large_weights_in_another_form_are_computed() -> None:
    graph = chain(("lstm", {"hidden": 200}), x=(200, 3))
    assert isinstance(untrained(graph, 0)["lstm1.weight_ih_l0"], StreamedArray)
    assert onnx_difference(export_onnx(graph)) < 1e-5

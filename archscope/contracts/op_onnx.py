"""Check the ONNX form of operators, run in onnxruntime, against their torch modules."""

from __future__ import annotations

from math import prod

import torch

from archscope.contracts.check import expect
from archscope.contracts.op_cases import inputs_of, trained_module
from archscope.contracts.op_facts import graph_of
from archscope.exporters.onnx_writer import write_onnx
from archscope.exporters.weight_arrays import stated_weights
from archscope.ir import Example
from archscope.weights import COUNTER


def computes_the_same(case: Example) -> None:
    """Check that the form computes the same as the module, for two batch sizes."""
    import onnxruntime

    module, graph = trained_module(case), graph_of(case)
    weights = {f"op.{name}": tensor.numpy() for name, tensor in module.state_dict().items()}
    model = write_onnx(graph, weights)
    model.check()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.content(), options)
    for batch in (1, 3):
        inputs = [tensor.detach() for tensor in inputs_of(case, batch)]
        with torch.no_grad():
            expected = module(*(tensor.clone() for tensor in inputs))
        feeds = {f"x{place}": tensor.numpy() for place, tensor in enumerate(inputs)}
        (found,) = session.run(["y"], feeds)
        scale = max(1.0, expected.abs().max().item())
        levels = case.op.result_levels
        tolerance = (1 / levels if levels else 1e-5) * scale
        expected = expected.to(torch.float32)  # places are whole numbers in torch alone
        torch.testing.assert_close(torch.from_numpy(found), expected, rtol=0, atol=tolerance)


def has_the_weights(case: Example) -> None:
    """Check that the form has the weights of the module, by name and shape."""
    held = {
        f"op.{name}": tuple(tensor.shape)
        for name, tensor in trained_module(case).state_dict().items()
        if not name.endswith(COUNTER)
    }
    stated = {name: weight.shape for name, weight in stated_weights(graph_of(case)).items()}
    expect(stated == held, f"states the weights {stated}, its module has {held}")


def tells_what_is_learned(case: Example) -> None:
    """Check that the learned weights of the form are the params, and the others the buffers."""
    weights = stated_weights(graph_of(case)).values()
    found = tuple(
        sum(prod(weight.shape) for weight in weights if weight.learned == learned)
        for learned in (True, False)
    )
    counted = case.op.params(*case.ins), case.op.buffers(*case.ins)
    expect(
        found == counted,
        f"states {found[0]} learned and {found[1]} constant numbers of its weights,"
        f" but counts {counted[0]} params and {counted[1]} buffers",
    )


FORMS = (computes_the_same, has_the_weights, tells_what_is_learned)
"""Every check of an ONNX form on an example."""

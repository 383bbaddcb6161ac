"""The weights of a network find their places in its folded spec."""

from __future__ import annotations

import pytest
import torch

from archscope import language
from archscope.build import build
from archscope.folding.fold import readable
from archscope.module_names import module_path


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "cbam_resnet50", "siamese"])
def test_renamed_weights_give_the_same_output(name: str) -> None:
    graph = language.load(name) if name == "siamese" else language.load(name, input=(3, 64, 64))
    folded = readable(graph)
    torch.manual_seed(0)
    old = build(graph).eval()
    new = build(language.graph(language.document("folded", text=folded.text.encode()))).eval()
    paths = {module_path(name): module_path(other) for name, other in folded.names.items()}
    renamed = {}
    for key, tensor in old.state_dict().items():
        path, _, part = key.rpartition(".")
        renamed[f"{paths[path]}.{part}"] = tensor
    new.load_state_dict(renamed)
    inputs = [torch.randn(2, *node.out) for node in graph.inputs]
    with torch.no_grad():
        torch.testing.assert_close(new(*inputs), old(*inputs), rtol=0, atol=0)

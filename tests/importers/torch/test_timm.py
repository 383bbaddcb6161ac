"""Architectures of timm by their names on the command line, against torch's own counter."""

from __future__ import annotations

import warnings

import pytest
import torch

from archscope.analysis import analyze
from archscope.importers.torch import from_module
from archscope.importers.torch.import_string import load_module
from tests.importers.torch.test_modules import flops
from tests.zoo.oracle import torchvision

torchvision()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("timm", reason="needs timm, which the Makefile installs without its needs")

WHOLE = [
    "resnet:resnet26", "resnetv2:resnetv2_50", "regnet:regnety_002",
    "efficientnet:efficientnet_lite0",
    "mobilenetv3:mobilenetv3_small_050", "mobilenetv3:mobilenetv4_conv_small",
    "mobilenetv3:lcnet_050", "ghostnet:ghostnet_100", "byobnet:repvgg_a0", "dla:dla34",
    "vovnet:vovnet39a", "selecsls:selecsls42",
    "convnext:convnext_atto", "inception_next:inception_next_atto",
    "vision_transformer:vit_tiny_patch16_224", "mlp_mixer:mixer_s32_224", "resnest:resnest14d",
    "efficientvit_mit:efficientvit_b0", "convnext:convnextv2_atto", "metaformer:poolformer_s12",
    "mlp_mixer:resmlp_12_224",
]  # fmt: skip
"""Networks that archscope has all the words for."""


@pytest.mark.parametrize("name", WHOLE)
def test_params_and_macs_are_those_of_torch(name: str) -> None:
    module = load_module(f"timm.models.{name}").eval()
    result = analyze(from_module(module, (3, 224, 224)).graph)
    assert 2 * result.totals.macs == flops(module, (torch.rand(1, 3, 224, 224),))
    assert result.totals.params == sum(parameter.numel() for parameter in module.parameters())
    assert not any("macs" in one.facts for one in result.unknown)
    assert not result.opaque

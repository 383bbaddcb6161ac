"""What only a machine with a GPU can test; elsewhere these tests are skipped."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from archscope import build
from archscope.bench import bench
from archscope.bench.machine import this_machine
from archscope.datasets.lookup import load as load_data
from archscope.language import load
from archscope.latency.host import gpus
from archscope.train.recipe import Recipe
from archscope.train.trained_network import evaluate_run
from archscope.train.training import resume, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

SPEC = "INPUT 1x8x8 -> [CONV 8 -> BATCHNORM -> RELU]*2 -> GLOBAL_AVGPOOL -> FC 10"


def test_the_driver_and_torch_name_the_gpu_alike() -> None:
    assert this_machine("cuda").name in gpus()


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_network_computes_on_a_gpu_what_it_does_on_a_cpu(dtype: str) -> None:
    torch.manual_seed(0)
    network = build("shufflenet_v2_x0_5").eval()
    images = torch.rand(2, 3, 224, 224)
    with torch.inference_mode():
        expected = network(images)
        found = network.to("cuda", getattr(torch, dtype))(images.to("cuda", getattr(torch, dtype)))
    torch.testing.assert_close(found.float().cpu(), expected, rtol=0.05, atol=0.05)


def test_a_bench_on_a_gpu_waits_for_it() -> None:
    few, many = (
        bench([load("resnet18")], device="cuda", batches=[batch], seconds=0.05).networks[0]
        for batch in (1, 128)
    )
    assert many.timing.fastest_seconds > few.timing.fastest_seconds
    assert this_machine("auto").device == "cuda"


@pytest.mark.parametrize("precision", ["auto", "float32", "float16"])
def test_a_run_of_a_gpu_is_evaluated_and_resumed_anywhere(tmp_path: Path, precision: str) -> None:
    data, steps = load_data("digits"), []
    recipe = Recipe(epochs=2, precision=precision)

    def stop() -> bool:
        steps.append(1)
        return len(steps) > 5

    stopped = train(load(SPEC), data, recipe, run_dir=tmp_path / "run", device="cuda", stop=stop)
    assert stopped.summary.state == "stopped"
    other = "cuda" if precision == "float16" else "cpu"
    ended = resume(tmp_path / "run", data, device=other)
    assert (ended.summary.state, ended.summary.epochs) == ("finished", 2)
    weights = load_file(tmp_path / "run/best.safetensors")
    assert {tensor.device.type for tensor in weights.values()} == {"cpu"}
    images = data.test
    assert images is not None
    scores = [evaluate_run(tmp_path / "run", data, images, device=where).scores["loss"]
              for where in ("cuda", other)]  # fmt: skip
    assert scores[0] == pytest.approx(scores[1], rel=0.05)

from __future__ import annotations

import msgspec
import pytest
import torch

from archscope import load
from archscope.analysis.cost import costs, total
from archscope.bench import Bench, bench, latency, memory_check, timing
from archscope.bench import machine as machines
from archscope.bench.conditions import Conditions
from archscope.bench.prepare import prepare
from archscope.bench.roofline import Roofline
from archscope.errors import OptionError, UnavailableError
from tests.bench.conftest import Clock

TINY = "INPUT 3x8x8 -> CONV 4 -> BN -> RELU -> GAP -> FC 5"
FLOAT = Conditions("cpu", "float32", 1)


def test_every_network_with_every_batch() -> None:
    graphs = [load(TINY), load("siamese")]
    result = bench(graphs, batches=[1, 3], device="cpu", threads=1, seconds=0, clock=Clock(0.1))
    assert [(network.name, network.batch) for network in result.networks] == [
        ("pattern", 1), ("pattern", 3), ("siamese", 1), ("siamese", 3),
    ]  # fmt: skip
    for one, graph in zip(result.networks, [graphs[0]] * 2 + [graphs[1]] * 2, strict=True):
        assert one.macs == total(costs(graph)).macs * one.batch
        assert one.timing.median_seconds == pytest.approx(0.1)
        assert one.images_per_second == pytest.approx(one.batch / 0.1)
        assert one.gmacs_per_second == pytest.approx(one.macs / 0.1 / 1e9)


def test_json_is_read_back_and_keeps_its_keys(known_machine: Roofline) -> None:
    result = bench([load(TINY)], device="cpu", threads=1, per_layer=True, seconds=0)
    text = msgspec.json.encode(result)
    assert msgspec.json.decode(text, type=Bench) == result
    data = msgspec.json.decode(text)
    assert list(data) == [
        "format",
        "machine",
        "conditions",
        "seconds",
        "networks",
        "load",
        "roofline",
    ]
    assert data["format"] == 1
    (network,) = data["networks"]
    assert list(network) == [
        "name", "batch", "params", "macs", "timing", "images_per_second", "gmacs_per_second",
        "layers",
    ]  # fmt: skip
    assert list(network["timing"]) == [
        "median_seconds", "lower_quartile_seconds", "upper_quartile_seconds", "fastest_seconds",
        "runs",
    ]  # fmt: skip
    assert list(network["layers"]["layers"][0]) == [
        "name", "op", "out", "seconds", "share", "macs", "memory_access_bytes",
        "gmacs_per_second", "gbytes_per_second", "macs_per_byte", "bound", "least_seconds",
        "fused", "kernels",
    ]  # fmt: skip
    assert result.roofline == known_machine


def test_the_callers_torch_stays_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    bench([load(TINY)], device="cpu", threads=threads + 1, seconds=0)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_training_is_a_whole_step(optimizer: str) -> None:
    conditions = Conditions("cpu", "float32", 1, training=True, optimizer=optimizer)
    prepared = prepare(load(TINY), 4, conditions)
    before = [parameter.detach().clone() for parameter in prepared.network.parameters()]
    prepared.call()
    moved = [
        not torch.equal(old, new)
        for old, new in zip(before, prepared.network.parameters(), strict=True)
    ]
    assert sum(moved) >= len(moved) - 1  # the norm takes away what a bias before it would do


def test_training_takes_in_every_head() -> None:
    graph = load("googlenet_bn", input=(3, 64, 64))
    prepared = prepare(graph, 2, Conditions("cpu", "float32", 1, training=True))
    losses = prepared.call()
    assert isinstance(losses, list)
    assert len(losses) == len(graph.outputs)
    result = bench([graph], batches=[2], device="cpu", training=True, seconds=0, threads=1)
    assert result.networks[0].gmacs_per_second is None
    assert result.networks[0].params == total(costs(graph)).params


def test_inference_leaves_out_what_serves_only_training() -> None:
    graph = load("googlenet_bn", input=(3, 64, 64))
    result = bench([graph], device="cpu", seconds=0, threads=1)
    assert result.networks[0].params == total(costs(graph.inference())).params


def test_channels_last() -> None:
    conditions = Conditions("cpu", "float32", 1, channels_last=True)
    prepared = prepare(load("resnet18", input=(3, 32, 32)), 2, conditions)
    assert prepared.inputs[0].is_contiguous(memory_format=torch.channels_last)
    plain = prepare(load("resnet18", input=(3, 32, 32)), 2, FLOAT)
    torch.testing.assert_close(prepared.call(), plain.call(), rtol=1e-3, atol=1e-4)
    with pytest.raises(OptionError, match="no input of 2 or 3 axes"):
        prepare(load("INPUT 8 -> FC 4"), 2, conditions)


def test_dtypes() -> None:
    prepared = prepare(load(TINY), 1, Conditions("cpu", "bfloat16", 1))
    assert prepared.call().dtype == torch.bfloat16  # type: ignore[attr-defined]


def test_options_that_do_not_suit_each_other() -> None:
    with pytest.raises(OptionError, match="cannot be trained"):
        bench([load(TINY)], device="cpu", training=True, fused=True)
    with pytest.raises(OptionError, match="processor time is that of one thread"):
        bench([load(TINY)], device="cpu", threads=2, processor_time=True)
    with pytest.raises(OptionError, match="layers are timed"):
        bench([load(TINY)], device="cpu", training=True, per_layer=True)
    with pytest.raises(OptionError, match="did you mean 'float32'"):
        bench([load(TINY)], device="cpu", dtype="float23")
    with pytest.raises(OptionError, match="nothing to measure"):
        bench([], device="cpu")
    with pytest.raises(OptionError, match="nothing to measure"):
        bench([load(TINY)], batches=[0], device="cpu")
    with pytest.raises(OptionError, match="1 thread or more"):
        bench([load(TINY)], device="cpu", threads=0)
    with pytest.raises(OptionError, match="nothing to train"):
        bench([load("INPUT 3x8x8 -> RELU")], device="cpu", training=True)


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UnavailableError, match="'cuda' is not available"):
        bench([load(TINY)], device="cuda")
    with pytest.raises(OptionError, match="expected a device of auto, cpu, cuda, got 'tpu'"):
        bench([load(TINY)], device="tpu")
    assert machines.this_machine("auto").device == "cpu"


def test_a_batch_that_does_not_fit_says_which_would() -> None:
    with pytest.raises(OptionError, match=r"batch 100000000 needs at least .* a batch of \d+"):
        bench([load("vgg16")], batches=[100_000_000], device="cpu")


def test_memory_is_that_of_the_analysis() -> None:
    graph = load("vgg16")
    need = 138357544 * 4 + 2 * 2 * 64 * 224 * 224 * 4  # weights, and two maps of two images
    memory_check.check_memory([(graph, 2)], FLOAT, need)
    with pytest.raises(OptionError):
        memory_check.check_memory([(graph, 2)], FLOAT, need - 1)
    with pytest.raises(OptionError, match="beside the weights of 1 more"):
        memory_check.check_memory([(graph, 2), (graph, 1)], FLOAT, need)


@pytest.mark.parametrize(
    "error, words",
    [
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "does not fit into memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "does not fit into memory"),
        (MemoryError(), "does not fit into memory"),
        (RuntimeError("\"conv\" not implemented for 'Half'\nmore"), "not implemented for 'Half'$"),
    ],
)
def test_what_torch_says_becomes_a_sentence(error: Exception, words: str) -> None:
    wanted = pytest.raises((OptionError, UnavailableError), match=words)
    with wanted, memory_check.explained_errors(load(TINY), 7, FLOAT):
        raise error


def test_a_norm_that_cannot_train_on_one_value_is_no_traceback() -> None:
    graph = load("INPUT 3x8x8 -> GAP -> BN -> FC 5")
    with pytest.raises(UnavailableError, match="batch 1 does not run on cpu"):
        bench([graph], device="cpu", training=True)


def test_processor_time_does_not_count_what_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Clock(0.1)
    monkeypatch.setattr(timing, "thread_time", work)
    monkeypatch.setattr(timing, "timer", Clock(7.0))
    found = bench([load(TINY)], device="cpu", threads=1, processor_time=True, seconds=0)
    assert found.networks[0].timing.median_seconds == pytest.approx(0.1)
    assert str(found.conditions).endswith(", processor time")


def test_latency() -> None:
    found = latency(load(TINY), "cpu", threads=1, batch=2, seconds=0, clock=Clock(0.1))
    assert found.median_seconds == pytest.approx(0.1)


def test_containers_may_allow_less(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = machines.Path(str(tmp_path))
    monkeypatch.setattr(machines, "CGROUP", folder)
    free = machines.free_bytes("cpu")
    assert free > 0
    (folder / "memory.max").write_text("1000\n")
    (folder / "memory.current").write_text("400\n")
    assert machines.free_bytes("cpu") == 600
    (folder / "memory.max").write_text("max\n")
    assert machines.free_bytes("cpu") > 600

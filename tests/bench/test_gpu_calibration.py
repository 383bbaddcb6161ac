from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from msgspec import structs

from archscope.bench import as_profiled, gpu_calibration
from archscope.bench.calibration import Job, Sample
from archscope.bench.conditions import Conditions
from archscope.bench.gpu_calibration import GpuSample, measure_on_gpu
from archscope.bench.gpu_fit import gpu_profile_of
from archscope.bench.prepare import prepare
from archscope.errors import OptionError, UnavailableError
from archscope.language import load
from archscope.latency import host
from archscope.latency.kernel_kinds import EAGER_GPU, FEATURES, KINDS
from archscope.latency.kernels import kernels
from archscope.latency.predict import predict, scaled
from archscope.latency.profile import Machine, OnGpu
from archscope.space.additive_costs import LatencyCost
from tests.latency.stubs import stub

NAMES = ("resnet18", "mobilenet_v2_050", "squeezenet1_1")
TRUTH = {"kernels": 0.003, "macs": 0.0001, "output": 0.002}
LAUNCH = 0.01  # milliseconds of each kernel
CUDA = Conditions("cuda")


def ticking() -> Callable[[], float]:
    """Return a clock that only moves when it is read, by 10 microseconds."""
    ticks = count()
    return lambda: 1e-5 * next(ticks)


class Event:
    """An event of a GPU that runs everything at once."""

    clock = ticking()

    def __init__(self, enable_timing: bool) -> None:
        self.at = 0.0

    def record(self) -> None:
        self.at = Event.clock()

    def elapsed_time(self, later: Event) -> float:
        return 1e3 * (later.at - self.at)


@pytest.fixture(autouse=True)
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the CPU pass for a GPU."""
    known = SimpleNamespace(name="NVIDIA Toy", multi_processor_count=2)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(gpu_calibration, "perf_counter", Event.clock)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: known)
    for name in ("synchronize", "empty_cache"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    monkeypatch.setattr(torch.cuda, "_sleep", lambda cycles: None)

    def on_cpu(graph, batch, conditions):
        return prepare(graph, batch, structs.replace(conditions, device="cpu"))

    monkeypatch.setattr(gpu_calibration, "prepare", on_cpu)


def simulated() -> list[GpuSample]:
    """Return networks that take what `TRUTH` and `LAUNCH` say."""
    found = []
    for name in NAMES:
        made = kernels(load(name), EAGER_GPU)
        for batch in (1, 64):
            times = [
                1e-3 * sum(TRUTH.get(feature, 0.0) * x for feature, x in zip(
                    FEATURES, scaled(kernel.features, batch), strict=True))
                for kernel in made
            ]  # fmt: skip
            launch = 1e-3 * LAUNCH * len(made)
            wall = max(sum(times), launch)
            sample = Sample(name, name[:9], False, made, tuple(times), sum(times))
            found.append(GpuSample(sample, batch, launch, wall))
    return found


def test_what_takes_longer_is_found_for_any_batch() -> None:
    samples = simulated()
    assert {each.wall_seconds == each.launch_seconds for each in samples} == {True, False}
    profile, found = gpu_profile_of(samples, CUDA)
    assert profile.error.networks == len(NAMES)
    assert len(found) == len(samples)
    assert profile.source.startswith(f"{len(NAMES)} networks")
    assert profile.error.mape < 0.05
    assert (profile.machine.name, profile.batches) == ("NVIDIA Toy", (1, 64))
    for each in samples:
        told = predict(profile, load(each.sample.network), each.batch)
        assert told.milliseconds == pytest.approx(1e3 * each.wall_seconds, rel=0.02)
        assert sum(layer.milliseconds for layer in told.layers) == pytest.approx(told.milliseconds)
        assert not told.unlike


def test_a_small_network_is_measured_with_each_batch() -> None:
    graph = load("INPUT 3x16x16 -> [CONV 8 -> BATCHNORM -> RELU]*2 -> GLOBAL_AVGPOOL -> FC 4")
    samples, missing = measure_on_gpu(
        [Job(graph, "plain", False)], structs.replace(CUDA, channels_last=True), (4, 1),
        seconds=0.001,
    )  # fmt: skip
    assert [each.batch for each in samples] == [1, 4]
    assert not missing
    for each in samples:
        assert 0 < each.launch_seconds <= each.wall_seconds
        assert len(each.sample.seconds) == len(each.sample.kernels) == 9
        assert min(each.sample.seconds) > 0
        assert sum(each.sample.seconds) <= 3 * each.sample.whole_seconds


def test_what_does_not_fit_into_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = load("INPUT 3x8x8 -> CONV 4")

    def full(graph, batch, conditions):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")

    job = Job(graph, "plain", False)
    fitting, _ = measure_on_gpu([job], CUDA, [1], seconds=0.001)
    assert len(fitting) == 1
    monkeypatch.setattr(gpu_calibration, "prepare", full)
    with pytest.raises(UnavailableError, match="was not measured: CUDA out of memory"):
        measure_on_gpu([job], CUDA, [1], seconds=0.001)


def test_only_eager_inference_on_a_gpu() -> None:
    for conditions in (Conditions("cpu"), structs.replace(CUDA, compiled=True)):
        with pytest.raises(OptionError, match="expected torch on a GPU, got 1 thread, float32"):
            measure_on_gpu([], conditions)


def test_a_profile_of_a_gpu_is_for_machines_with_that_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = stub(EAGER_GPU, name=host.HERE_GPU, machine=Machine("NVIDIA Toy", 2),
                   runtime="torch", version=host.installed_version("torch"),
                   gpu=OnGpu({"dense": 0.01}))  # fmt: skip
    monkeypatch.setattr(host, "gpus", lambda: frozenset({"NVIDIA Toy"}))
    assert host.is_this_machine(profile)
    assert host.notes(profile) == ()
    monkeypatch.setattr(host, "gpus", frozenset)
    assert not host.is_this_machine(profile)
    (note,) = host.notes(profile)
    assert note == "measured on another machine: NVIDIA Toy, not here, with no GPU"
    assert host.notes(structs.replace(profile, name="toy")) == ()


def test_gpus_are_read_from_the_files_of_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gpus/0000:01:00.0").mkdir(parents=True)
    (tmp_path / "gpus/0000:01:00.0/information").write_text(
        "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 28\nVideo BIOS: \t 96.00\n"
    )
    (tmp_path / "version").write_text(
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build\n"
    )
    monkeypatch.setattr(host, "DRIVER", tmp_path / "gpus")
    assert host.gpus.__wrapped__() == {"NVIDIA H100 80GB HBM3"}
    assert host.driver_version() == "580.159.04"
    monkeypatch.setattr(host, "DRIVER", tmp_path / "none/gpus")
    monkeypatch.setattr(host, "QUERY", (str(tmp_path / "no-such-program"),))
    assert host.gpus.__wrapped__() == frozenset()
    assert host.driver_version() == ""


def test_the_host_of_a_gpu_limits_small_batches_of_a_space() -> None:
    """So their times are no sums over segments, and computed from the graph."""
    profile = stub(EAGER_GPU, gpu=OnGpu(dict.fromkeys(KINDS, 1000.0)))
    assert not LatencyCost("latency", profile).exact
    assert LatencyCost("latency", structs.replace(profile, gpu=None)).exact
    graph = load("INPUT 3x8x8 -> CONV 4 -> RELU")
    assert LatencyCost("latency", profile).of_graph(graph) == pytest.approx(2000.0)


@pytest.mark.parametrize("gpu", [None, OnGpu({}, channels_last=True)])
def test_networks_are_measured_as_the_profile_was(
    gpu: OnGpu | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}
    medians = iter([0.002, 0.003, 0.0025, 0.00205])  # the last two shortest agree
    on_gpu = gpu is not None

    def bench(graphs: object, **conditions: object) -> SimpleNamespace:
        asked.update(conditions)
        timed = SimpleNamespace(timing=SimpleNamespace(median_seconds=next(medians)))
        return SimpleNamespace(networks=[timed])

    monkeypatch.setattr(as_profiled, "bench", bench)
    profile = stub(EAGER_GPU, runtime="torch", dtype="float32", gpu=gpu)
    assert as_profiled.milliseconds_as_profiled(profile, [load("lenet5")]) == [2.0]
    assert len(list(medians)) == (2 if on_gpu else 0)
    assert asked["device"] == ("cuda" if on_gpu else "cpu")
    assert asked["channels_last"] == on_gpu
    assert asked["processor_time"] != on_gpu

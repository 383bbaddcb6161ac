from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from msgspec import structs

from archscope.bench import calibration
from archscope.bench.calibration import Sample, jobs, matched, measure_jobs
from archscope.bench.latency_fit import (
    coverage,
    error_of,
    fit,
    left_out,
    profile_of,
    profile_with,
    sum_of,
)
from archscope.bench.onnx_kernels import profile_kernels
from archscope.cli import main
from archscope.errors import OptionError
from archscope.exporters.onnx_export import export_onnx
from archscope.language import load
from archscope.latency.kernel_kinds import FEATURES, NEAR, Kind
from archscope.latency.kernels import Kernel, kernels
from archscope.latency.operator_kernels import piece_of
from archscope.latency.predict import milliseconds, predict, scaled
from archscope.ops.activation import ReLU

TRUTH = {"kernels": 0.01, "macs": 0.03, "output": 0.2, "weight": 0.1}
NAMES = (
    "resnet18", "mobilenet_v2", "mobilenet_v2_050", "shufflenet_v2_x1_0", "squeezenet1_1",
    "regnet_x_400mf",
)  # fmt: skip


def samples(noise: float = 0.0) -> list[Sample]:
    """Return networks whose kernels take what `TRUTH` says, but for noise of whole networks."""
    random, found = Random(0), []
    for name in NAMES:
        made = kernels(load(name), "onnxruntime")
        factor = 1 + random.uniform(-noise, noise)
        seconds = tuple(
            factor * 1e-3 * sum(
                TRUTH.get(feature, 0.0) * x
                for feature, x in zip(FEATURES, scaled(kernel.features, 1), strict=True)
            )
            for kernel in made
        )  # fmt: skip
        found.append(Sample(name, name[:9], False, made, seconds, sum(seconds)))
    return found


def test_known_coefficients_are_found_again() -> None:
    profile, out = profile_of(samples(), "onnxruntime", 1)
    for sample in samples():
        assert sum_of(profile, sample) == pytest.approx(1e3 * sample.whole_seconds, rel=0.01)
    assert profile.checksum
    assert profile.error.networks == len(NAMES)
    assert profile.error.families == 5  # both of mobilenet_v2 are left out together
    assert {each.network for each in out} == set(NAMES)
    found = predict(profile, load("resnet18"))
    assert found.low <= found.milliseconds * 1.000001
    assert not found.unlike


def test_what_hardly_varied_does_not_decide_on_other_kernels() -> None:
    """Few weights that rise with the output explain its time as well as the output itself."""
    made, times = [], []
    for output in (1e5, 2e5, 4e5):
        values = {"output": output, "weight": output / 10}
        features = tuple(values.get(name, 0.0) for name in FEATURES)
        made.append(Kernel(("up",), "transposed", features))
        times.append(0.5e-9 * output)
    found = fit([Sample("net", "net", False, tuple(made), tuple(times), sum(times))])["transposed"]
    assert found["output"] == pytest.approx(0.5, rel=0.1)
    assert found.get("weight", 0.0) < 0.1


def test_a_family_is_left_out_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = []

    def spy(some: list[Sample]) -> dict[str, dict[str, float]]:
        fitted.append({sample.family for sample in some})
        return fit(some)

    monkeypatch.setattr("archscope.bench.latency_fit.fit", spy)
    left_out(samples())
    families = {sample.family for sample in samples()}
    assert [families - some for some in fitted] == [{f} for f in dict.fromkeys(
        sample.family for sample in samples()
    )]  # fmt: skip


def test_errors_and_interval_are_those_of_the_noise() -> None:
    profile, out = profile_of(samples(noise=0.05), "onnxruntime", 1)
    assert 0 < profile.error.median < 0.15
    assert error_of(out) == profile.error
    assert profile.interval.low < 0 < profile.interval.high
    assert 0 <= coverage(out) <= 1


def test_kernels_of_the_runtime_are_matched_by_their_main_node() -> None:
    graph = load("INPUT 3x8x8 -> CONV 4 -> RELU -> CONV 4 -> SOFTPLUS -> CONV 2")
    made = kernels(graph, "onnxruntime")
    conv, relu, second, softplus, third = (node.name for node in graph.nodes if node.inputs)
    assert [kernel.kind for kernel in made].count("reorder") == 2
    times = [
        ((relu, conv), 1.0), ((second,), 2.0), ((), 0.5), ((softplus,), 3.0), ((softplus,), 4.0),
        ((), 0.25), ((third,), 5.0),
    ]  # fmt: skip
    spent = matched(made, times, graph)
    by_kind = [(kernel.kind, t) for kernel, t in zip(made, spent, strict=True)]
    assert sorted(t for kind, t in by_kind if kind == "reorder") == [0.25, 0.5]
    assert [t for kind, t in by_kind if kind != "reorder"] == [1.0, 2.0, 7.0, 5.0]


def with_wholes(*times: float) -> list[Sample]:
    made = (Kernel(("conv",), "dense", (1.0,)), Kernel(("relu",), "function", (1.0,)))
    return [
        Sample("net", "net", False, made, (0.7 * time, 0.3 * time + 0.01 * turn), time)
        for turn, time in enumerate(times)
    ]


def test_what_slows_a_round_down_is_left_out() -> None:
    sample = calibration.undisturbed(with_wholes(1.6, 1.0, 1.7, 1.02))
    assert sample.whole_seconds == 1.0
    assert sample.seconds == pytest.approx((0.7, 0.31))
    assert not sample.unsteady
    assert calibration.undisturbed(with_wholes(1.6, 1.0, 1.7)).unsteady
    assert not calibration.undisturbed(with_wholes(1.6)).unsteady


def test_only_networks_whose_rounds_disagree_are_measured_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = {
        "quiet": [1.0, 1.01],
        "busy": [1.0, 1.5, 1.4, 1.01],
        "never": [3.0, 2.0, 1.0, 4.0, 5.0],
    }
    shares: list[float] = []

    def timed(job: calibration.Job, *_: object) -> Sample:
        return with_wholes(times[job.graph.name].pop(0))[0]

    monkeypatch.setattr(calibration, "_in_torch", timed)
    graph = load("INPUT 3x8x8 -> CONV 4")
    work = [calibration.Job(structs.replace(graph, name=name), "net", False) for name in times]
    found = measure_jobs(work, "torch", 1, rounds=2, progress=lambda _, share: shares.append(share))
    assert [sample.unsteady for sample in found] == [False, False, True]
    assert all(sample.whole_seconds == 1.0 for sample in found)
    assert times == {"quiet": [], "busy": [], "never": []}
    assert shares == sorted(shares)
    assert shares[-1] < 1


def test_kernels_whose_maps_leave_the_cache_are_slower_by_element() -> None:
    """The slope changes where feature maps no longer fit into the cache next to a core."""
    made, times = [], []
    for output in (5e4, 1e5, 2e5, 4e5, 8e5, 1.6e6):
        features = piece_of(ReLU(), ((int(output), 1, 1),), "eager").features
        made.append(Kernel(("relu",), "element-wise", features))
        times.append(1e-10 * output + 4e-10 * max(2 * output - NEAR, 0))
    sample = Sample("net", "net", False, tuple(made), tuple(times), sum(times))
    profile = profile_with({"element-wise": fit([sample])["element-wise"]})
    for kernel, time in zip(made, times, strict=True):
        assert milliseconds(profile, kernel) == pytest.approx(1e3 * time, rel=0.1)


def test_probes_count_in_no_error() -> None:
    probes = [job for job in jobs() if job.family == "probes"]
    assert len(probes) == len(calibration.PROBES) and all(job.varied for job in probes)
    kinds = {k.kind for job in probes for k in kernels(job.graph, "onnxruntime")}
    assert {"plain depthwise", "plain pool", "plain convolution", "transpose", "reorder"} <= kinds
    assert {"attention", "window attention", "recurrent", "transposed", "product"} <= kinds


@pytest.mark.parametrize(
    "source",
    [
        "resnet18",
        "mobilenet_v3_small",
        "INPUT 3x16x16 -> CONV 8 -> [BATCHNORM -> RELU -> CONV 8 1x1]*2 -> GLOBAL_AVGPOOL -> FC 4",
    ],
)
def test_onnxruntime_makes_the_kernels_that_are_expected(source: str) -> None:
    exported = export_onnx(load(source))
    made = [k for k in kernels(exported.graph, "onnxruntime") if k.kind != Kind.REORDER]
    places = {name: place for place, kernel in enumerate(made) for name in kernel.nodes}
    found = profile_kernels(exported, runs=2).kernels
    taken = [{places[name] for name in kernel.layers if name in places} for kernel in found]
    assert [kernel.layers for kernel, of in zip(found, taken, strict=True) if len(of) > 1] == []
    assert set().union(*taken) == set(range(len(made)))


def test_the_kernel_of_an_output_belongs_to_its_layer() -> None:
    """onnxruntime names it by the output, which is no name of a node."""
    exported = export_onnx(load("INPUT 8x16x16 -> CONV 16 -> RELU -> CONV 8"))
    found = profile_kernels(exported, runs=2).kernels
    convolutions = [kernel.layers for kernel in found if kernel.kind == "Conv"]
    assert convolutions == [("conv0", "relu"), ("conv1",)]


def test_every_network_can_be_measured_at_two_sizes() -> None:
    work = list(jobs(["mobilenet_v3", "alexnet"]))
    assert [(job.graph.name, job.varied) for job in work][:2] == [
        ("mobilenet_v3_large", False), ("mobilenet_v3_large", True),
    ]  # fmt: skip
    assert work[1].graph.inputs[0].out == (3, 160, 160)


@pytest.mark.parametrize("runtime", ["onnxruntime", "torch"])
def test_a_small_network_is_measured(runtime: str) -> None:
    graph = load("INPUT 3x16x16 -> [CONV 8 -> BATCHNORM -> RELU]*2 -> GLOBAL_AVGPOOL -> FC 4")
    shares: list[float] = []
    (sample,) = measure_jobs(
        [calibration.Job(graph, "plain", False)], runtime, 1, seconds=0.01, rounds=2,
        progress=lambda _, share: shares.append(share),
    )  # fmt: skip
    assert sample.whole_seconds > 0
    assert sum(sample.seconds) > 0
    assert len(sample.seconds) == len(sample.kernels)
    assert shares == sorted(shares)
    assert shares[-1] < 1


def test_only_known_runtimes() -> None:
    with pytest.raises(OptionError, match="expected a runtime of onnxruntime, torch, got 'tvm'"):
        measure_jobs([], "tvm", 1)


def test_calibrate_says_which_networks_never_agreed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [structs.replace(sample, unsteady=sample.network < "r") for sample in samples()]
    monkeypatch.setattr(calibration, "jobs", lambda: iter(()))
    monkeypatch.setattr(calibration, "measure_jobs", lambda *args, **options: found)
    assert main(["device", "calibrate", "-o", str(tmp_path / "here.json")]) == 0
    assert "warning: 2 of 6 networks took different times" in capsys.readouterr().err

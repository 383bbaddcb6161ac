from __future__ import annotations

from math import exp
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from archscope.errors import OptionError
from archscope.language import load as network
from archscope.latency import profile as profiles
from archscope.latency.kernel_kinds import FEATURES, KINDS
from archscope.latency.kernels import kernels
from archscope.latency.predict import predict
from archscope.latency.profile import Correction, Error, Interval, Machine, Profile, keep, load


def made(**changes: object) -> Profile:
    known = Profile(
        name="fake",
        machine=Machine("a board", 4),
        runtime="onnxruntime",
        version="1.0",
        fusion="onnxruntime",
        threads=1,
        kinds={kind: {"kernels": 0.5, "macs": 2.0, "output": 3.0} for kind in KINDS},
        error=Error(30, 10, 0.04, 0.05, 0.9),
        interval=Interval(-0.1, 0.2),
    )
    return structs.replace(known, **changes)


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ARCHSCOPE_DATA", str(tmp_path / "data"))


def test_prediction_is_the_sum_by_hand() -> None:
    graph = network("INPUT 4x4x4 -> CONV 8 1x1 -> RELU -> CONV 16 1x1")
    found = predict(made(), graph, batch=2)
    macs, outputs = 2 * 16 * (32 + 128), 2 * 16 * (8 + 16)
    expected = 2 * 0.5 + 2.0 * macs / 1e6 + 3.0 * outputs / 1e6
    assert found.milliseconds == pytest.approx(expected)
    assert found.low == pytest.approx(expected * exp(-0.1))
    assert found.high == pytest.approx(expected * exp(0.2))
    assert sum(layer.milliseconds for layer in found.layers) == pytest.approx(expected)
    relu = next(layer for layer in found.layers if "relu" in layer.name)
    assert relu.milliseconds == 0
    assert relu.kernel in {layer.name for layer in found.layers if layer.milliseconds}
    assert found.unlike == ("a batch of 2, fitted 1",)


def test_weights_and_kernels_do_not_grow_with_the_batch() -> None:
    profile = made(kinds={kind: {"kernels": 1.0, "weight": 5.0} for kind in KINDS}, batches=(1, 8))
    graph = network("mobilenet_v2")
    times = {predict(profile, graph, batch).milliseconds for batch in (1, 8)}
    assert len(times) == 1


def test_correction_is_a_factor_of_the_sum() -> None:
    graph = network("resnet18")
    plain = predict(made(), graph)
    correction = Correction(("share.dense",), (0.5,), (2.0,), (0.3,), (0.0,), (0.25,), 0.1)
    changed = predict(made(correction=correction), graph)
    factor = exp(0.1 + 0.3 * (0.25 - 0.5) / 2.0)  # the share is above what was fitted
    assert changed.milliseconds == pytest.approx(plain.milliseconds * factor)
    assert any(part.startswith("share.dense") for part in changed.unlike)
    assert sum(x.milliseconds for x in changed.layers) == pytest.approx(changed.milliseconds)


def test_what_was_not_fitted_is_named() -> None:
    some = {kind: {"macs": 2.0} for kind in KINDS if kind not in ("depthwise", "grouped")}
    found = predict(made(kinds=some), network("mobilenet_v2"))
    assert found.unlike == ("17 kernels of a kind that was not fitted: depthwise",)
    ranges = {"pointwise": {"macs": (1.0, 10.0)}}
    found = predict(made(ranges=ranges), network("mobilenet_v2"))
    assert "macs of pointwise kernels" in found.unlike[0]


def test_a_kind_beyond_the_fitted_range_is_named_once_by_what_is_off_most() -> None:
    graph = network("mobilenet_v2")
    ranges = {"macs": (1.0, 1e5), "output": (1.0, 10.0), "weight": (1.0, 1e9)}
    found = predict(made(ranges={"pointwise": ranges}), graph)
    assert [words.partition(" kernels")[0] for words in found.unlike] == ["output of pointwise"]


def test_kernels_without_consequence_may_be_beyond_the_fitted_range() -> None:
    graph = network("mobilenet_v2")
    (linear,) = (k for k in kernels(graph.inference(), "onnxruntime") if k.kind == "linear")
    macs = linear.features[FEATURES.index("macs")]
    ranges = {"linear": {"macs": (3 * macs, 4 * macs)}}
    assert not predict(made(ranges=ranges), graph).unlike
    slow = {kind: {"kernels": 0.5} for kind in KINDS} | {"linear": {"kernels": 5.0}}
    assert predict(made(ranges=ranges, kinds=slow), graph).unlike


def test_kept_and_loaded_again_by_name_and_by_path(tmp_path: Path) -> None:
    path = keep(made())
    assert load("fake") == load(str(path)) == made().sealed()
    assert keep(made(), tmp_path / "carried.json") == tmp_path / "carried.json"


def test_changed_by_hand(tmp_path: Path) -> None:
    path = keep(made(), tmp_path / "p.json")
    path.write_text(path.read_text().replace("0.5", "0.4", 1))
    with pytest.raises(OptionError, match=r"was changed after its creation: expected the checksum"):
        load(str(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kinds": {"dens": {"macs": 1.0}}}, "unknown kind of kernel 'dens', did you mean 'dense'"),
        ({"kinds": {"dense": {"mac": 1.0}}}, "unknown feature 'mac', did you mean 'macs'"),
        ({"kinds": {"dense": {"macs": -1.0}}}, "must not be negative"),
        ({"kinds": {}}, "no kinds"),
        ({"fusion": "tvm"}, "expected a fusion of .*, eager, eager-gpu, got 'tvm'"),
        ({"format": 9}, "expected format 1, got 9"),
        ({"correction": Correction(("a",), (), (), (), (), ())}, "different lengths"),
    ],
)
def test_files_that_are_no_profiles(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = keep(made(**change), tmp_path / "p.json")
    with pytest.raises(OptionError, match=message):
        load(str(path))


def test_no_such_profile(tmp_path: Path) -> None:
    keep(made())
    with pytest.raises(OptionError, match="no latency profile 'fale', did you mean 'fake'"):
        load("fale")
    with pytest.raises(OptionError, match=r"there are .*fake.*device calibrate"):
        load("something else")
    with pytest.raises(OptionError, match="cannot read the latency profile"):
        load(str(tmp_path / "none.json"))
    with (tmp_path / "endless.json").open("wb") as file:
        file.truncate(1 << 32)  # without taking space
    with pytest.raises(OptionError, match="is larger than any latency profile"):
        load(str(tmp_path / "endless.json"))
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(OptionError, match="is not a latency profile"):
        load(str(tmp_path / "list.json"))


def test_shipped_profiles_can_be_read() -> None:
    for path in profiles.SHIPPED.glob("*.json"):
        profile = profiles.read(path)
        assert profile.name == path.stem
        assert profile.source
        assert predict(profile, network("resnet18"), profile.batches[0]).milliseconds > 0
        assert len(FEATURES) >= max(map(len, profile.kinds.values()))


def test_json_of_a_prediction_can_be_read_again() -> None:
    found = predict(made(), network("resnet18"))
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found

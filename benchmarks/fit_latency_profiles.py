"""Fit the shipped latency profiles, archscope/latency/profiles/*.json, to published speeds.

    python -m benchmarks.fit_latency_profiles TABLE.csv [--features FILE.json]

TABLE has the columns arch (a name of timm), img_size, and for each device of `DEVICES` its speed,
as in results/benchmark-infer-*.csv of huggingface/pytorch-image-models. Every network runs once on
the meta device, where torch tells which operators it calls with which shapes; what the fit needs
of them is kept by `--features`. Only coefficients and errors are written, no rows: the profiles,
and a table in docs/latency.md. Errors are those of networks whose whole family was left out.
"""

from __future__ import annotations

import argparse
import csv
import json
import warnings
from collections.abc import Iterator
from math import prod, sqrt
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from archscope.bench.latency_fit import LeftOut, coverage, error_of, interval_of
from archscope.latency.kernel_kinds import CACHE, FEATURES, FEW, NONE, Kind
from archscope.latency.predict import scaled
from archscope.latency.profile import SHIPPED, Machine, Profile, keep
from benchmarks.published_results import family_of, kin_of

PAGE = Path(__file__).parents[1] / "docs" / "latency.md"
START, END = "<!-- fitted -->", "<!-- end -->"
SOURCE = "results/benchmark-infer-*.csv of huggingface/pytorch-image-models at aa4b585, Apache-2.0"
FOLDS, STEPS, DIGITS = 10, 8, 5
SMALL = 0.03  # relative errors below count as squares, those above by their size
RIDGE = 1e-3  # keeps coefficients of features that rise together from being all or nothing

OF_PRODUCTS = (
    "kernels", "macs", "macs_by_8", "macs_by_16", "input", "output", "weight", "patches", "mixed",
)  # fmt: skip
OF_OTHERS = ("kernels", "input", "output")
PRODUCTS = (
    Kind.DENSE,
    Kind.POINTWISE,
    Kind.DEPTHWISE,
    Kind.GROUPED,
    Kind.STEM,
    Kind.LINEAR,
    Kind.PRODUCT,
)
OTHERS = (Kind.NORM, Kind.POOL, Kind.REDUCTION, Kind.ELEMENT_WISE, Kind.FUNCTION, Kind.COPY)
WEIGHT_NORM = "weight norm"  # of every run, as in NFNets; in our graphs, weights are constants
COLUMNS = [(kind, name) for kind in PRODUCTS for name in OF_PRODUCTS] + [
    (kind, name) for kind in (*OTHERS, WEIGHT_NORM) for name in OF_OTHERS
]
SPILLED = FEATURES.index("spilled")


class Device(NamedTuple):
    """A device whose speeds are published, and the conditions of its measurements."""

    name: str
    machine: str
    column: str
    batch: str  # the column of its batches; without one the batch is 1
    dtype: str
    about: str


DEVICES = (
    Device("rtx4090", "RTX 4090", "rtx4090_images_per_s", "rtx4090_batch", "float16",
           "mixed precision, NCHW, torch 2.4 without compile"),
    Device("rtx3090", "RTX 3090", "rtx3090_images_per_s", "rtx3090_batch", "float16",
           "mixed precision, NHWC, torch 2.1 without compile"),
    Device("i9-10940x", "Intel Core i9-10940X", "i9_10940x_ms", "", "float32",
           "torch 2.4, torch.compile, all cores, one image"),
    Device("i7-12700h", "Intel Core i7-12700H", "i7_12700h_ms", "", "float32",
           "torch 2.4, torch.compile, all cores, one image"),
)  # fmt: skip

FREE = frozenset({
    "view", "permute", "empty", "empty_like", "t", "split", "split_with_sizes", "as_strided",
    "slice", "unsqueeze", "squeeze", "expand", "select", "alias", "detach", "transpose", "unbind",
    "chunk", "narrow", "_unsafe_view", "zeros", "arange",
})  # fmt: skip
"""Calls that move nothing."""
MOVES = frozenset({
    "cat", "stack", "clone", "copy", "constant_pad_nd", "reflection_pad2d", "roll", "repeat",
})  # fmt: skip
REDUCES = frozenset({"mean", "sum", "linalg_vector_norm", "amax", "var", "std", "var_mean"})
FUNCTIONS = frozenset({
    "silu", "gelu", "sigmoid", "hardswish", "hardsigmoid", "mish", "elu", "softplus", "exp",
})  # fmt: skip

Sums = dict[str, dict[str, list[float]]]
"""For each kind of kernel: the sums of features over a network, and their least and most."""


def kernels_of(calls: list[Any]) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the kind and the features of each call, as `archscope.latency.kernels` has them."""
    for name, ins, out, groups in calls:
        plain = name.rstrip("_")
        if plain in FREE:
            continue
        if plain == "convolution":
            yield _convolution(ins, out, groups)
        elif plain in ("addmm", "mm"):
            (rows, inner), (_, columns) = ins[-2:]
            # A matrix product over many positions equals a pointwise convolution.
            kind = Kind.LINEAR if rows == 1 else Kind.POINTWISE
            weight = inner * columns + (columns if plain == "addmm" else 0)
            sides = (inner, columns)
            yield kind, _product(rows * inner, prod(out), weight, inner, 1 / columns, sides)
        elif plain in ("bmm", "baddbmm"):
            read = prod(ins[-2]) + prod(ins[-1])
            yield Kind.PRODUCT, _product(read, prod(out), 0, ins[-1][1], 0, ())
        elif "_norm" in plain and plain not in REDUCES:
            of_weights = "batch" in plain and len(ins[0]) == 3
            kind = (
                WEIGHT_NORM if of_weights else Kind.ELEMENT_WISE if "batch" in plain else Kind.NORM
            )
            yield kind, {"kernels": 1, "input": prod(ins[0]), "output": prod(ins[0])}
        else:
            kind = (
                Kind.POOL if "pool" in plain else Kind.COPY if plain in MOVES
                else Kind.REDUCTION if plain in REDUCES
                else Kind.FUNCTION if plain in FUNCTIONS else Kind.ELEMENT_WISE
            )  # fmt: skip
            yield kind, {"kernels": 1, "input": sum(map(prod, ins)), "output": prod(out)}


def _convolution(ins: Any, out: Any, groups: int) -> tuple[str, dict[str, float]]:
    width, met, *window = ins[1]
    taps, channels = prod(window), met * groups
    if groups > 1:
        kind = Kind.DEPTHWISE if met == 1 else Kind.GROUPED
    else:
        kind = Kind.STEM if channels <= FEW else Kind.DENSE if taps > 1 else Kind.POINTWISE
    sides = (width,) if kind in (Kind.DEPTHWISE, Kind.STEM) else (met, width // groups)
    weight = prod(ins[1]) + (width if len(ins) > 2 else 0)
    return kind, _product(prod(ins[0]), prod(out), weight, met * taps, groups / width, sides)


def _product(
    read: int, written: int, weight: int, met: int, share: float, sides: tuple[int, ...]
) -> dict[str, float]:
    macs = written * met
    padded = {
        lanes: macs * prod(-(-side // lanes) * lanes / side for side in sides) for lanes in (8, 16)
    }
    return {
        "kernels": 1, "macs": macs, "macs_by_8": padded[8], "macs_by_16": padded[16],
        "input": read, "output": written, "weight": weight, "patches": macs * share,
        "mixed": sqrt(macs * (read + written + weight)),
    }  # fmt: skip


def traced(arch: str, sides: list[int]) -> dict[int, Sums]:
    """Return the sums of a network of timm for each side of its images."""
    import torch

    from tests.zoo.oracle import torchvision

    torchvision()  # which timm imports
    import timm

    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore")
        module = timm.create_model(arch).eval()
        return {side: sums_of(calls_of(module, (3, side, side))) for side in sides}


def calls_of(module: Any, shape: tuple[int, ...]) -> list[Any]:
    """Return what a module on the meta device calls for an image: name, shapes, groups."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    made: list[Any] = []

    class Calls(TorchDispatchMode):
        def __torch_dispatch__(
            self, call: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            result = call(*args, **(kwargs or {}))
            first = result[0] if isinstance(result, (tuple, list)) else result
            if isinstance(first, torch.Tensor):
                flat = [
                    x for arg in args for x in (arg if isinstance(arg, (tuple, list)) else [arg])
                ]
                ins = [tuple(x.shape) for x in flat if isinstance(x, torch.Tensor)]
                name = call.overloadpacket.__name__
                groups = args[8] if name == "convolution" else 1
                made.append((name, ins, tuple(first.shape), groups))
            return result

    with torch.no_grad(), Calls():
        module(torch.empty(1, *shape, device="meta"))
    return made


def sums_of(calls: list[Any]) -> Sums:
    """Return the features of all calls, by kind of kernel."""
    found: Sums = {}
    for kind, features in kernels_of(calls):
        moved = features["input"] + features["output"] + features.get("weight", 0)
        for name, value in (features | {"spilled": max(moved - CACHE, 0)}).items():
            kept = found.setdefault(kind, {}).setdefault(name, [0.0, value, value])
            kept[0] += value
            kept[1:] = [min(kept[1], value), max(kept[2], value)]
    return found


class Row(NamedTuple):
    """A measured network."""

    arch: str
    sums: Sums
    batch: int
    milliseconds: float  # of the batch


def rows_of(table: Path, device: Device, known: dict[str, Sums]) -> list[Row]:
    """Return the networks that were measured on a device."""
    found = []
    with table.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if not row[device.column]:
                continue
            value, sums = float(row[device.column]), known[f"{row['arch']}:{row['img_size']}"]
            batch = int(float(row[device.batch])) if device.batch else 1
            time = 1e3 * batch / value if device.batch else value
            found.append(Row(row["arch"], sums, batch, time))
    return found


def matrix_of(rows: list[Row]) -> NDArray[Any]:
    """Return the features of the batch of each row, by `COLUMNS`, and what spills of one image."""
    values = []
    for row in rows:
        by_kind = {
            kind: scaled([features.get(name, [0.0])[0] for name in FEATURES], row.batch)
            for kind, features in row.sums.items()
        }
        values.append([
            by_kind[kind][FEATURES.index(name)] if kind in by_kind else 0.0
            for kind, name in COLUMNS
        ] + [sum(f[SPILLED] for f in by_kind.values()) if row.batch == 1 else 0.0])  # fmt: skip
    return np.array(values)


def fit(matrix: NDArray[Any], times: NDArray[Any]) -> NDArray[Any]:
    """Return non-negative coefficients whose relative errors are small, without regard of a few."""
    size = matrix.max(axis=0)
    size[size == 0] = 1
    relative, weights = matrix / size / times[:, None], np.ones(len(times))
    ridge = RIDGE * np.eye(matrix.shape[1])
    for _ in range(STEPS):
        found, _ = nnls(
            np.vstack([relative * weights[:, None], ridge]),
            np.concatenate([weights, np.zeros(len(ridge))]), maxiter=5000,
        )  # fmt: skip
        weights = 1 / np.sqrt(np.maximum(np.abs(relative @ found - 1), SMALL))
    coefficients: NDArray[Any] = found / size
    return coefficients


def left_out(rows: list[Row], groups: list[str]) -> list[LeftOut]:
    """Return every network as a fit without its group, and some other groups, predicts it."""
    matrix, times = matrix_of(rows), np.array([row.milliseconds for row in rows])
    names = sorted(set(groups))
    order = np.random.default_rng(0).permutation(len(names))
    fold = {name: place % FOLDS for name, place in zip(names, order, strict=True)}
    held = np.array([fold[name] for name in groups])
    predicted = np.zeros(len(rows))
    for number in range(FOLDS):
        coefficients = fit(matrix[held != number], times[held != number])
        predicted[held == number] = matrix[held == number] @ coefficients
    return [
        LeftOut(row.arch, group, row.milliseconds, float(p))
        for row, group, p in zip(rows, groups, predicted, strict=True)
    ]


def profile_of(device: Device, rows: list[Row]) -> tuple[Profile, list[LeftOut], list[LeftOut]]:
    """Return the profile, and the networks predicted without their families and without kin."""
    times = np.array([row.milliseconds for row in rows])
    coefficients = fit(matrix_of(rows), times)
    kinds: dict[str, dict[str, float]] = {}
    *by_column, spilled = coefficients
    for (kind, name), value in zip(COLUMNS, by_column, strict=True):
        if kind != WEIGHT_NORM and any(kind in row.sums for row in rows):
            kept = kinds.setdefault(kind, {"spilled": _rounded(spilled)} if spilled > 0 else {})
            if value > 0:
                kept[name] = _rounded(value)
    found = left_out(rows, [family_of(row.arch) for row in rows])
    kin = left_out(rows, [kin_of(row.arch) for row in rows])
    batches = [row.batch for row in rows]
    profile = Profile(
        name=device.name, about=device.about, source=SOURCE, machine=Machine(device.machine),
        runtime="torch" if device.batch else "torch-compile", fusion=NONE, dtype=device.dtype,
        batches=(min(batches), max(batches)), kinds=kinds, ranges=_ranges(rows),
        error=error_of(found), interval=interval_of(found),
    )  # fmt: skip
    return profile.sealed(), found, kin


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _ranges(rows: list[Row]) -> dict[str, dict[str, tuple[float, float]]]:
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for row in rows:
        for kind, features in row.sums.items():
            for name in ("macs", "output") if kind != WEIGHT_NORM else ():
                if name in features:
                    _, least, most = features[name]
                    low, high = found.setdefault(kind, {}).get(name, (least, most))
                    found[kind][name] = (float(min(low, least)), float(max(high, most)))
    return found


def main() -> None:
    """Fit and write the profiles and the table of their errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--features", type=Path)
    options = parser.parse_args()
    kept: Path | None = options.features
    known: dict[str, Sums] = json.loads(kept.read_text()) if kept and kept.exists() else {}
    with options.table.open() as file:
        wanted = sorted({(row["arch"], int(row["img_size"])) for row in csv.DictReader(file)})
    for arch in sorted({arch for arch, side in wanted if f"{arch}:{side}" not in known}):
        print(arch, flush=True)
        sides = [side for name, side in wanted if name == arch]
        known |= {f"{arch}:{side}": sums for side, sums in traced(arch, sides).items()}
    if kept:
        kept.write_text(json.dumps(known))
    SHIPPED.mkdir(exist_ok=True)
    lines = [
        "| profile | networks | families | median error | within 10 % | without relatives |"
        " within 10 % | interval holds |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for device in DEVICES:
        profile, found, kin = profile_of(device, rows_of(options.table, device, known))
        keep(profile, SHIPPED / f"{device.name}.json")
        error, further = profile.error, error_of(kin)
        lines.append(
            f"| {device.name} | {error.networks} | {error.families} | {error.median:.1%} |"
            f" {error.within_10_percent:.0%} | {further.median:.1%} |"
            f" {further.within_10_percent:.0%} | {coverage(found):.0%} |".replace("%", " %")
        )
        print(lines[-1], flush=True)
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(START)
    _, after = rest.split(END)
    table = "\n".join(lines)
    PAGE.write_text(f"{before}{START}\n{table}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()

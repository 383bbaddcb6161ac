"""Import networks of torchvision and timm, and check their counts and whether they build.

Each network has random weights and is imported at the smallest input that it runs on, or with
--stated at that of its weights. Params and macs are compared with the module and with torch's
FlopCounterMode; the spec is built with the weights, run, trained for one step and exported, and its
outputs are compared with the module's. One line of JSON for each network goes to a file; networks
that are in it already are not run again.

    python -m benchmarks.import_families 'torchvision:*' --stated --export onnx torch --out tv.jsonl
    python -m benchmarks.import_families 'timm:*' --sample 100 --seed 1 --minutes 30 --out t.jsonl
    python -m benchmarks.import_families --out t.jsonl --table
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from archscope.analysis import analyze
from archscope.build import build
from archscope.errors import ArchscopeError
from archscope.exporters.export import export_network
from archscope.folding.fold import readable
from archscope.importers.torch import from_module
from archscope.importers.torch.torchvision_operators import declare_for_import
from archscope.weights import state_dict_of

SIZES = (32, 64, 96, 128, 160, 192, 224, 240, 256, 288, 299, 384, 448, 512)
"""Sides of the inputs that are tried, in order."""
TOLERANCE = 1e-5
"""Accepted difference of outputs, as a fraction of the largest."""
LARGEST = 150_000_000
"""Params of the networks that are run, by default."""


def library(name: str) -> Any:
    """Return torchvision.models or timm."""
    with warnings.catch_warnings(action="ignore"):
        try:
            return import_module("torchvision.models" if name == "torchvision" else name)
        except RuntimeError:  # torchvision without its extension
            declare_for_import()
            return library(name)


def networks(pattern: str) -> dict[str, str]:
    """Return the names of a pattern such as `timm:resnet*`, with the module that each is from."""
    source, _, pattern = pattern.partition(":")
    if source == "torchvision":
        models = library("torchvision")
        names = models.list_models(module=models)
        builder = models.get_model_builder
    else:
        names, builder = library("timm").list_models(), library("timm").models.model_entrypoint
    return {f"{source}:{n}": builder(n).__module__ for n in names if fnmatch(n, pattern)}


def in_turn(families: Mapping[str, str], seed: int) -> list[str]:
    """Return names so that each family has one before any has two, drawn with a seed."""
    draw = random.Random(seed)
    members: dict[str, list[str]] = {}
    for name in sorted(families):
        members.setdefault(families[name], []).append(name)
    for names in members.values():
        draw.shuffle(names)
    order = sorted(members)
    draw.shuffle(order)
    longest = max(map(len, members.values()), default=0)
    return [members[f][i] for i in range(longest) for f in order if i < len(members[f])]


def made(name: str) -> tuple[nn.Module, list[int]]:
    """Return a network, and the side of its input that its library states, if it does."""
    source, _, name = name.partition(":")
    if source == "torchvision":
        models = library("torchvision")
        more = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
        size = models.get_model_weights(name).DEFAULT.transforms().crop_size[0]
        return models.get_model(name, **more).eval(), [size]
    network = library("timm").create_model(name).eval()
    return network, [network.default_cfg["input_size"][-1]]


def randomise(network: nn.Module) -> None:
    """Change what is the same everywhere, such as scales of 0, so that outputs depend on it."""
    with torch.no_grad():
        for part in network.modules():
            for statistics, low in (("running_mean", -0.1), ("running_var", 0.8)):
                values = part._buffers.get(statistics)
                if values is not None:
                    values.uniform_(low, low + 0.2 if low < 0 else 1.2)
        for values in network.parameters():
            if values.numel() > 1 and values.min() == values.max():
                values += torch.empty_like(values).uniform_(-0.1, 0.1)


def tensors_in(value: Any) -> list[Tensor]:
    """Return the tensors of an output, whatever holds them."""
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, Mapping) else value
    return [t for part in parts for t in tensors_in(part)]


def runs_on(network: nn.Module, sizes: Sequence[int]) -> tuple[int, int]:
    """Return the first side of an image that a network runs on, and its flops there."""
    for size in sizes:
        try:
            with (
                torch.no_grad(), warnings.catch_warnings(action="ignore"),
                sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter,
            ):  # fmt: skip
                network(torch.rand(1, 3, size, size))
        except Exception:
            continue
        return size, int(counter.get_total_flops())
    raise RuntimeError("runs on no square image of 3 channels")


def measured(
    name: str, exports: Sequence[str], smallest: int | None, largest: int
) -> Iterator[dict[str, Any]]:
    """Yield the growing record of a network; `smallest` None is its stated input."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.backends.mha.set_fastpath_enabled(False)
    network, stated = made(name)
    params = sum(parameter.numel() for parameter in network.parameters())
    if params > largest:
        yield {"skipped": f"{params:,} params"}
        return
    randomise(network)
    network.requires_grad_(False)  # or torch's counter fails on weights that are expanded
    tried = [] if smallest is None else [size for size in SIZES if size >= smallest]
    size, flops = runs_on(network, tried + stated)
    network.requires_grad_(True)
    row: dict[str, Any] = {"input": size, "torch_params": params, "torch_macs": flops / 2}
    yield row
    start = time.perf_counter()
    found = from_module(network, (3, size, size), name.partition(":")[2])
    result = analyze(found.graph)
    read = readable(found.graph)
    field = result.receptive_field
    row |= {
        "seconds": round(time.perf_counter() - start, 2),
        "params": result.totals.params, "macs": result.totals.macs,
        "unknown": sorted({fact for one in result.unknown for fact in one.facts}),
        "about": result.about, "layers": len(found.graph.nodes),
        "lines": sum(bool(line.strip()) for line in read.text.splitlines()),
        "field": list(field.size) if field and field.size else None,
        "opaque": {one.kind: one.count for one in result.opaque},
    }  # fmt: skip
    yield row
    if row["opaque"]:
        return
    state = state_dict_of(read.graph, found.weights(), read.names)
    built = build(read.graph).eval()
    built.load_state_dict(state)
    images = torch.rand(1 if smallest is None else 2, 3, size, size)
    with torch.no_grad():
        expected, got = tensors_in(network(images)), tensors_in(built(images))
    row["difference"] = max(
        ((a - b).abs().max() / a.abs().max().clamp(min=1e-30)).item()
        for a, b in zip(expected, got, strict=True)
    )
    yield row
    for to in exports:
        try:
            exported = export_network(read.graph, to, weights=state)
            row[to] = exported.difference
        except ArchscopeError as error:
            row[to] = str(error)
        yield row
    row["trained"] = _trained(built, images)
    yield row


def _trained(built: nn.Module, images: Tensor) -> bool:
    """Return whether one step of training changes every parameter that has a gradient."""
    built.train()
    sum(output.float().square().mean() for output in tensors_in(built(images))).backward()
    gradients = [p.grad for p in built.parameters() if p.requires_grad]
    return all(grad is not None and grad.isfinite().all() for grad in gradients)


def _child(pipe: Any, name: str, *how: Any) -> None:
    try:
        for row in measured(name, *how):
            pipe.send(row)
    except Exception as error:
        line = next((line for line in str(error).splitlines() if line.strip()), "")
        pipe.send({"error": f"{type(error).__name__}: {line}"[:400]})
    pipe.close()


def row_of(name: str, seconds: float, *how: Any) -> dict[str, Any]:
    """Return what is known of a network after at most some seconds, from a process of its own."""
    context = multiprocessing.get_context("fork")  # with the libraries that are imported already
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(send, name, *how))
    process.start()
    send.close()
    row: dict[str, Any] = {}
    end = time.monotonic() + seconds
    while True:
        try:
            if not receive.poll(max(0.0, end - time.monotonic())):
                row["error"] = f"not done after {seconds:.0f} s"
                process.kill()
                break
            row |= receive.recv()
        except EOFError:
            break
    process.join()
    if process.exitcode and "error" not in row:
        row["error"] = f"the process ended with {process.exitcode}"
    return row


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield lines that summarise the results of networks."""
    ran = [row for row in rows if "params" in row]
    yield f"{len(rows)} networks, {len(ran)} imported"
    left_out = "take no part"
    params = [r for r in ran if r["params"] == r["torch_params"] or left_out in r["about"]]
    exact = [r for r in ran if r["macs"] == r["torch_macs"]]
    marked = [r for r in ran if r["macs"] != r["torch_macs"] and "macs" in r["unknown"]]
    yield f"params exact: {len(params)}; macs exact: {len(exact)}, others marked >=: {len(marked)}"
    whole = [r for r in ran if not r["opaque"]]
    same = [r for r in whole if r.get("difference", 1) <= TOLERANCE]
    yield f"whole: {len(whole)}, outputs within {TOLERANCE:g}: {len(same)}"
    for to in ("onnx", "torch"):
        tried = [r for r in whole if to in r]
        yield f"{to}: {sum(isinstance(r[to], float) for r in tried)} of {len(tried)}"
    yield f"trained: {sum(bool(r.get('trained')) for r in whole)} of {len(whole)}"
    yield f"lines, median: {median([r['lines'] for r in ran] or [0])}"
    kinds = Counter(kind for r in ran for kind in r["opaque"])
    yield from (f"  opaque in {count}: {kind}" for kind, count in kinds.most_common())
    for r in rows:
        wrong = r in ran and r not in exact and r not in marked
        far = r in whole and "difference" in r and r not in same
        unlike = [r[to] for to in ("onnx", "torch") if isinstance(r.get(to), str)]
        if "error" in r or wrong or far or unlike or (r in ran and r not in params):
            facts = {k: r[k] for k in ("params", "torch_params", "macs", "torch_macs") if k in r}
            found = [r.get("error"), facts if wrong or r not in params else None, *unlike]
            yield f"  {r['name']}: {[f for f in found if f]} {r.get('difference', '')}"


def main() -> None:
    """Run networks until the time is over, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patterns", nargs="*", help="such as torchvision:* or timm:resnet*")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sample", type=int, help="how many networks, one of each family first")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seconds", type=float, default=180.0, help="for each network")
    parser.add_argument("--largest", type=int, default=LARGEST, help="params of what is run")
    parser.add_argument("--smallest", type=int, default=SIZES[0], help="side of an input")
    parser.add_argument("--stated", action="store_true", help="the inputs of their weights")
    parser.add_argument("--export", nargs="*", default=[], metavar="FORMAT")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", action="store_true", help="sum up the file")
    args = parser.parse_args()
    families: dict[str, str] = {}
    for pattern in args.patterns:
        families |= networks(pattern)
    smallest = None if args.stated else args.smallest
    end = time.monotonic() + 60 * args.minutes
    read = args.out.read_text().splitlines() if args.out.exists() else []
    rows = [json.loads(line) for line in read]
    done = {row["name"] for row in rows}
    from_module(nn.ReLU(), (1,))  # what that imports is imported once
    with args.out.open("a") as file:
        for name in in_turn(families, args.seed)[: args.sample]:
            if name in done or time.monotonic() > end:
                continue
            row = {"name": name, "family": families[name]}
            row |= row_of(name, args.seconds, args.export, smallest, args.largest)
            rows.append(row)
            print(json.dumps(row), file=file, flush=True)
    if args.table:
        print(*table(rows), sep="\n")


if __name__ == "__main__":
    main()

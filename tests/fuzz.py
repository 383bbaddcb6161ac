"""Mutated ONNX files and specs: each gives a network or an error of ours, soon, in little memory.

    python -m tests.fuzz --onnx 1000 --specs 100000 --seed 0

A failure prints the number of its case; `--first N --onnx 1` makes that case again.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct

from archscope import analyze, language, load
from archscope.errors import ArchscopeError
from archscope.folding.fold import readable

SECONDS, KILOBYTES = 5.0, 1 << 20
NUMBERS = (-(2**63), -(2**31), -7, -1, 0, 1, 2, 3, 7, 255, 65536, 2**31 - 1, 2**40, 2**63 - 1)
WORDS = ("Conv", "Relu", "Loop", "If", "Reshape", "Expand", "Tile", "Pad", "Range", "", "x", "y")


class Outcome(Struct):
    """What came of some cases."""

    taken: int = 0
    refused: int = 0
    failures: list[str] = []  # exceptions that are not ours, and cases that took too long
    slowest: float = 0.0
    slowest_case: int = 0


def onnx_cases(first: int, count: int, seed: int, folder: Path) -> Iterator[Callable[[], object]]:
    """Yield functions that import, analyse and fold one mutated file each."""
    seeds = [made.SerializeToString() for made in _models()]
    for case in range(first, first + count):
        rng = random.Random(f"{seed} onnx {case}")
        path = folder / "case.onnx"
        path.write_bytes(_mutated_model(rng.choice(seeds), rng))
        yield partial(_import, path)


def _import(path: Path) -> None:
    graph = load(str(path))
    analyze(graph)
    readable(graph)


def spec_cases(first: int, count: int, seed: int) -> Iterator[Callable[[], object]]:
    """Yield functions that read and analyse one mutated spec each."""
    root = Path(__file__).parent.parent / "specs"
    paths = [path for path in sorted(root.rglob("*.yaml")) if "spaces" not in path.parts]
    for case in range(first, first + count):
        rng = random.Random(f"{seed} spec {case}")
        path = rng.choice(paths)
        yield partial(_read, path, _mutated_text(path.read_text(), rng))


def _read(path: Path, text: str) -> None:
    analyze(language.graph(language.document(path, text=text.encode(errors="replace"))))


def run(cases: Iterator[Callable[[], object]], first: int = 0, seconds: float = SECONDS) -> Outcome:
    """Run cases one by one and return what came of them; none may take more seconds."""
    outcome = Outcome()
    for number, case in enumerate(cases, first):
        start = time.monotonic()
        try:
            case()
            outcome.taken += 1
        except ArchscopeError as error:
            outcome.refused += 1
            if "\n" in str(error):
                outcome.failures.append(f"case {number}: of several lines: {error}")
        except Exception:  # whatever it is, it is not ours
            outcome.failures.append(f"case {number}: {traceback.format_exc(limit=-4)}")
        spent = time.monotonic() - start
        if spent > outcome.slowest:
            outcome.slowest, outcome.slowest_case = spent, number
        if spent > seconds:
            outcome.failures.append(f"case {number}: took {spent:.1f} s")
    return outcome


def _mutated_model(content: bytes, rng: random.Random) -> bytes:
    """Return a file with changed bytes, or with other numbers, names and operators."""
    import onnx

    if rng.random() < 0.3:
        changed = bytearray(content)
        for _ in range(rng.randint(1, 8)):
            at = rng.randrange(len(changed))
            if rng.random() < 0.7:
                changed[at] = rng.randrange(256)
            else:
                del changed[at : at + rng.randint(1, 16)]
        return bytes(changed)
    model = onnx.load_model_from_string(content)
    for _ in range(rng.randint(1, 4)):
        rng.choice((_number, _name, _order, _shape, _weight))(model, rng)
    return bytes(model.SerializeToString())


def _nodes(model: Any) -> list[Any]:
    nodes = [*model.graph.node, *(node for part in model.functions for node in part.node)]
    for node in nodes:
        for attribute in node.attribute:
            nodes += attribute.g.node
    return nodes


def _number(model: Any, rng: random.Random) -> None:
    attributes = [part for node in _nodes(model) for part in node.attribute]
    if not attributes:
        return
    attribute = rng.choice(attributes)
    if attribute.ints:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(NUMBERS)
    elif attribute.HasField("f"):
        attribute.f = rng.choice((0.0, -1.0, 1e38, float("nan"), float("inf")))
    else:
        attribute.i = rng.choice(NUMBERS)


def _name(model: Any, rng: random.Random) -> None:
    node = rng.choice(_nodes(model))
    names = [name for other in _nodes(model) for name in (*other.input, *other.output)]
    field = rng.choice((node.input, node.output))
    if field and rng.random() < 0.7:
        field[rng.randrange(len(field))] = rng.choice([*names, "", "nowhere"])
    else:
        node.op_type = rng.choice([*WORDS, *(other.op_type for other in _nodes(model))])


def _order(model: Any, rng: random.Random) -> None:
    nodes = list(model.graph.node)
    if rng.random() < 0.5:
        nodes.insert(rng.randrange(len(nodes)), nodes[rng.randrange(len(nodes))])
    else:
        rng.shuffle(nodes)
    nodes = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _shape(model: Any, rng: random.Random) -> None:
    info = rng.choice([*model.graph.input, *model.graph.output, *model.graph.value_info])
    dims = info.type.tensor_type.shape.dim
    if dims and rng.random() < 0.8:
        dims[rng.randrange(len(dims))].dim_value = rng.choice(NUMBERS)
    else:
        info.type.tensor_type.elem_type = rng.randrange(24)


def _weight(model: Any, rng: random.Random) -> None:
    if not model.graph.initializer:
        return
    tensor = rng.choice(model.graph.initializer)
    change = rng.randrange(3)
    if change == 0 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(NUMBERS)
    elif change == 1:
        tensor.data_type = rng.randrange(24)
    else:
        tensor.raw_data = rng.randbytes(len(tensor.raw_data))


def _mutated_text(text: str, rng: random.Random) -> str:
    """Return a spec with lines and words changed, doubled and left out."""
    lines = text.splitlines()
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(lines))
        kind = rng.randrange(5)
        if kind == 0:
            lines[at] = lines[rng.randrange(len(lines))]
        elif kind == 1:
            lines.insert(at, lines[rng.randrange(len(lines))])
        elif kind == 2 and len(lines) > 1:
            del lines[at]
        elif kind == 3:
            words = lines[at].split(" ")
            words[rng.randrange(len(words))] = str(rng.choice((*NUMBERS, "=in", "!choice", "{}")))
            lines[at] = " ".join(words)
        else:
            place = rng.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:place] + rng.choice("[]{}:,=!&*#'\"\t-0") + lines[at][place:]
    return "\n".join(lines)


def _models() -> list[Any]:
    """Return small models of every kind: folded shapes, quantized, loops, functions, old opsets."""
    from tests.importers.onnx import (
        test_control_flow,
        test_limits,
        test_onnx_ops,
        test_qoperators,
        test_shared_weights,
    )
    from tests.importers.onnx.models import model

    image = (1, 4, 8, 8)
    made = [
        model(nodes, image, weights, opset)
        for _, nodes, weights, opset in test_onnx_ops.CASES.values()
    ]
    made += [
        model(nodes, image, weights) for nodes, weights, _, _ in test_control_flow.CASES.values()
    ]
    made += [
        model(nodes, image, test_qoperators.WEIGHTS, domains=("com.microsoft",))
        for nodes, _, _ in test_qoperators.CASES.values()
    ]
    made += [
        model(nodes, image, weights, 18, ("z",))
        for nodes, weights, _ in test_shared_weights.TIED.values()
    ]
    return [*made, test_limits.functions(4, 2)]


def main() -> int:
    """Run what is asked for, and return 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--onnx", type=int, default=1000)
    parser.add_argument("--specs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for what, cases in {
            "onnx": onnx_cases(given.first, given.onnx, given.seed, Path(folder)),
            "specs": spec_cases(given.first, given.specs, given.seed),
        }.items():
            outcome = run(cases, given.first)
            print(*outcome.failures, sep="\n", end="\n" if outcome.failures else "")
            print(
                f"{what}: {outcome.taken} taken, {outcome.refused} refused,"
                f" {len(outcome.failures)} failed, slowest {outcome.slowest:.2f} s"
                f" (case {outcome.slowest_case})"
            )
            failed |= bool(outcome.failures)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"memory: {used // 1024} MiB")
    return int(failed or used > KILOBYTES)


if __name__ == "__main__":
    sys.exit(main())

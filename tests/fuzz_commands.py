"""Wrong command lines and mutated specs: each ends with an exit code, none with a traceback.

    python -m tests.fuzz_commands --commands 300 --specs 1000 --seed 0

prints what raised an exception and what took more than five seconds of the processor, and exits
with 1 if anything did. The same seed gives the same inputs. Commands that train or measure get only
networks that do not exist.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import click
from msgspec import Struct

from archscope.cli import main
from archscope.cli.shared.app import FILES, archscope
from archscope.language import spaces, zoo

SECONDS = 5.0
HEAVY = {"bench", "data", "device", "evaluate", "export", "predict", "report", "search",
         "train", "verify"}  # fmt: skip
"""Commands that would take long on a network that exists."""

NETWORKS = ("lenet5", "resnet18", "mobilenet_v2", "siamese", "INPUT 3x16x16 -> CONV 4 -> FC 3", "-")
SPACES = ("tiny", "mobile")
WORDS = (
    "", " ", "-", "--", "---", "=", "=1", "width=", "width=1=2", "width={", "width=[1", "x" * 5000,
    "\x1b[2J\x1b]52;c;cm0=\x07", "\u202e", "層" * 20, "é.yaml", "a\udcff", "a\nb", "\t", "\\",
    "'", '"',
    "0", "-1", "1e400", "-1e400", "nan", "inf", "9" * 40, "1_000", "0x10", "١٢", "²", "1.5", "true",
    "null", "3x", "x3", "3x-1x2", "0x0x0", "3x8", "3x8x8", "3x8x8x8x8", "3x999999999x999999999",
    "input=3x8x8", "left=3x8x8", "NaN MiB", "5", "5M", "5Mfoo", "4MiB", "300MFLOPs", "macs<=",
    "macs 3..1M", "60%", "60% of", "60% of lenet5", "60% of nothing", "2ms@cpu", "2ms@raspi4", "@",
    ".", "~", "/dev/null", "/dev/full", "no/such/file.yaml", "x.onnx", "x.json", "x.svg",
    "x.zip", "no.such:thing", "json:nothing", ":", "a:", ":b", "INPUT 3x8x8", "INPUT 3x8x8 -> ",
    "INPUT 3x8x8 -> CONV -> CONV", "INPUT 3x8x8 -> [[CONV 4]*99999]*99999", "-> ->", "G1", "G",
    "ACT101,", "conv0", "*", "?", "%s", "$(id)", "`id`", "{}", "[]", "!choice [1", "&a *a", "vgg61",
)  # fmt: skip
NUMBERS = ("0", "-1", "1.5", "1e400", "99999999999", "true", "[]", "''", "=x", "=in", "=9**9**9",
           "!choice [1, 2]", "!int {low: 1, high: 9}", "~", ".nan", "*a", "{a: 1}")  # fmt: skip


class Case(Struct, frozen=True):
    """One command line, and what stands on its standard input."""

    words: tuple[str, ...]
    stdin: bytes = b""


def command_lines(chance: random.Random, count: int) -> Iterator[Case]:
    """Yield command lines of which something is wrong, as a rule."""
    for _ in range(count):
        name = chance.choice([*FILES])
        command = archscope.get_command(click.Context(archscope), name)
        assert command is not None
        networks = ("no_such_network",) if name in HEAVY else (*NETWORKS, *SPACES)
        words = [name, *networks[: name in HEAVY]]
        words += [
            chance.choice(WORDS if chance.random() < 0.4 else networks)
            for _ in range(chance.randrange(3))
        ]
        for _ in range(chance.randrange(4)):
            words += option(chance, command)
        if chance.random() < 0.1:
            words.insert(chance.randrange(len(words) + 1), chance.choice(WORDS))
        spec = mutated(chance) if "-" in words else b""
        yield Case(tuple(words), spec)


def option(chance: random.Random, command: click.Command) -> list[str]:
    """Return an option of a command, with a value that is often wrong."""
    options = [param for param in command.params if isinstance(param, click.Option)]
    if not options or chance.random() < 0.1:
        return [chance.choice(("--no-such", "-Z", "--format", "-o"))]
    param = chance.choice(options)
    value = chance.choice(WORDS)
    if isinstance(param.type, click.Choice) and chance.random() < 0.7:
        value = str(chance.choice([*param.type.choices]))
    word = chance.choice(param.opts)
    return [word] if param.is_flag else [word, value]


def mutated(chance: random.Random) -> bytes:
    """Return a spec of the zoo, changed in a few places."""
    source = chance.choice(sorted({**zoo(), **spaces()}.values()))
    lines = source.read_text(encoding="utf-8").splitlines()
    for _ in range(chance.randrange(1, 5)):
        place = chance.randrange(len(lines))
        line = lines[place]
        change = chance.randrange(8)
        if change == 0:
            del lines[place]
        elif change == 1:
            lines.insert(chance.randrange(len(lines)), line)
        elif change == 2:
            lines[place] = " " * chance.randrange(9) + line.lstrip()
        elif change == 3:
            lines[place] = re.sub(r"\d+", lambda _: chance.choice(NUMBERS), line, count=1)
        elif change == 4:
            cut = chance.randrange(len(line) + 1)
            lines[place] = line[:cut] + chance.choice("{}[]:,-=!&*#'\"\x00\x1b\t%é") + line[cut:]
        elif change == 5:
            lines[place] = line[: chance.randrange(len(line) + 1)]
        elif change == 6:
            words = line.split(" ")
            lines[place] = " ".join(chance.sample(words, len(words)))
        else:
            lines[place] = re.sub(r"[a-z_]+", lambda _: chance.choice(WORDS[:20]), line, count=1)
        lines = lines or [""]
    return "\n".join(lines).encode(errors="surrogateescape")


def mutated_specs(chance: random.Random, count: int) -> Iterator[Case]:
    """Yield commands that read mutated specs."""
    ways = (
        ("analyze", "-"), ("analyze", "-", "--fold", "0"), ("analyze", "-", "--format", "csv"),
        ("lint", "-"), ("convert", "-", "--flat"), ("space", "-", "--samples", "3"),
    )  # fmt: skip
    for _ in range(count):
        yield Case(chance.choice(ways), mutated(chance))


def problem_of(case: Case) -> str:
    """Run a command line in this process, and return what it raised, if anything."""
    out, err = io.StringIO(), io.StringIO()
    stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(case.stdin), encoding="utf-8")
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(case.words)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        return traceback.format_exc()
    finally:
        sys.stdin = stdin
    if code not in (0, 1, 2):
        return f"exit code {code}"
    *_, last = err.getvalue().rstrip("\n").split("\n")
    return "exit code 2 without a word" if code == 2 and not last else ""


def run() -> int:
    """Run the fuzzer and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=300)
    parser.add_argument("--specs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    cases = [*command_lines(chance, given.commands), *mutated_specs(chance, given.specs)]
    found = 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["ARCHSCOPE_CACHE"] = folder
        for case in cases:
            began = time.process_time()
            problem = problem_of(case)
            took = time.process_time() - began
            if problem or took > SECONDS:
                found += 1
                file = Path(tempfile.gettempdir()) / f"fuzz-{given.seed}-{found}.yaml"
                file.write_bytes(case.stdin)
                print(f"{took:.1f} s  {case.words!r}  < {file}\n{problem}", flush=True)
    print(f"{len(cases)} inputs, {found} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(run())

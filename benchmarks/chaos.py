"""Kill trainings and searches at random moments, resume them, and compare the results.

    python benchmarks/chaos.py --kills 5 --seed 1

Each command runs once undisturbed, and again with kills (SIGKILL, SIGTERM or SIGINT, after random
times) until it has ended. Weights, rows and trials must be the same, times and process numbers left
out; exit codes must be those of the signals; no half-written file may be left. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

DATA = "synthetic:classes=4,shape=1x12x12,images=96,test=16"
SPACE = """
input: [1, 12, 12]
let: {classes: 4}
layers:
  - conv: {out: !int {low: 3, high: 9}, kernel: !choice [1, 3]}
  - relu
  - conv: {out: !int {low: 3, high: 9}, kernel: 3}
  - global_avgpool
  - flatten
  - linear: =classes
"""
TRAIN = ["train", "net.yaml", "--data", DATA, "--epochs", "40", "--quiet", "--recipe-set",
         "checkpoint_every=0"]  # fmt: skip
SEARCH = ["search", "space.yaml", "--data", DATA, "--trials", "6", "--epochs", "2", "--resolution",
          "12", "--top", "1", "--seeds", "1", "-j", "2", "--no-cache"]  # fmt: skip
CODES = {signal.SIGKILL: {-signal.SIGKILL}, signal.SIGTERM: {143, -signal.SIGTERM},
         signal.SIGINT: {130, -signal.SIGINT}}  # fmt: skip
"""Exit codes after each signal; negative ones if it comes before archscope is imported."""
VARYING = {
    "seconds", "images_per_second", "speed", "worker", "started", "cached", "command", "name",
}  # fmt: skip


def main() -> int:
    """Compare disturbed with undisturbed runs, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=5, help="of each command")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs of a shell may ignore it
        Path("space.yaml").write_text(SPACE, encoding="utf-8")
        Path("net.yaml").write_text(SPACE.replace("!int {low: 3, high: 9}", "6")
                                    .replace("!choice [1, 3]", "3"), encoding="utf-8")  # fmt: skip
        problems = [
            *disturbed(TRAIN, "runs", ["train", "--resume"], chance, given.kills),
            *disturbed(SEARCH, "studies", None, chance, given.kills),
        ]
    print(*problems or ["all runs came to the same"], sep="\n")
    return 1 if problems else 0


def disturbed(
    command: list[str], home: str, resume: list[str] | None, chance: random.Random, kills: int
) -> list[str]:
    """Run a command with and without kills, and return the problems; `resume` continues it."""
    began = time.monotonic()
    code = started([*command, "--name", "whole"]).wait()
    length = time.monotonic() - began
    problems = [f"{command[0]}: exit code {code}"] if code else []
    whole, folder = Path(home) / "whole", Path(home) / "killed"

    def begun() -> subprocess.Popen[bytes]:
        if resume and (folder / "run.json").exists():
            return started([*resume, str(folder)])
        return started([*command, "--name", "killed"])

    for _ in range(kills):
        process, number = begun(), chance.choice(list(CODES))
        try:
            process.wait(chance.uniform(0, length))
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        code = process.wait(100)
        print(f"{command[0]}: {number.name}, exit code {code}", flush=True)
        if code not in CODES[number] | {0}:
            problems.append(f"{command[0]}: exit code {code} after {number.name}")
        if ended(folder):
            problems += differences(whole, folder)
            shutil.rmtree(folder)
    code = begun().wait()
    problems += [f"{command[0]}: exit code {code} of the last one"] if code else []
    problems += [f"{path} is half a file" for path in folder.rglob(".archscope.*")]
    return problems + differences(whole, folder)


def started(words: list[str]) -> subprocess.Popen[bytes]:
    """Start archscope in a separate process."""
    return subprocess.Popen(
        [sys.executable, "-m", "archscope", *words], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def ended(folder: Path) -> bool:
    """Return whether a run or a study has ended."""
    if (folder / "summary.json").exists():
        return True
    run = folder / "run.json"
    return run.exists() and json.loads(run.read_text())["state"] == "finished"


def differences(one: Path, other: Path) -> list[str]:
    """Return the differences between two folders, a sentence each."""
    read = {
        "best.safetensors": tensors, "last.safetensors": tensors, "steps.csv": rows,
        "epochs.csv": rows, "trials.jsonl": rows,
    }  # fmt: skip
    return [
        f"{other / name} differs"
        for name, reader in read.items()
        if (one / name).exists()
        and (not (other / name).exists() or reader(one / name) != reader(other / name))
    ]


def tensors(path: Path) -> bytes:
    """Return the tensors of a safetensors file, without its header."""
    content = path.read_bytes()
    return content[8 + int.from_bytes(content[:8], "little") :]


def rows(path: Path) -> list[Any]:
    """Return the rows of a file, without times."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file)) if path.suffix == ".csv" else list(map(json.loads, file))
    return [plain(line) for line in lines]


def plain(value: Any) -> Any:
    """Return a value without the keys that vary."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items() if key not in VARYING}
    return value


if __name__ == "__main__":
    sys.exit(main())

"""The run folder: everything that a training leaves, whole at any moment.

spec.yaml         the network, every layer under its name
recipe.yaml       every knob
environment.json  versions, machine, device, threads, seed
analysis.json     what `archscope analyze` says of the network in training
run.json          the summary
steps.csv         a row for each interval of steps
epochs.csv        a row for each epoch
best.safetensors  weights of the best validation; its header says which epoch's
last.safetensors  weights of the last whole epoch
state.pt          all that --resume needs
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from filelock import FileLock, Timeout
from msgspec import structs
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from archscope.errors import OptionError, did_you_mean
from archscope.files import put, put_json, put_text, refusal
from archscope.ir import Graph
from archscope.language import load
from archscope.records.training import Epoch, Interval, Summary
from archscope.train import recipe_files
from archscope.train.observers import Keeper, Weights
from archscope.train.recipe import Recipe

HOME = Path("runs")
"""Where runs stand that are named without a folder."""


class Folder(Keeper):
    """A run folder, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.summarize: Callable[[], Summary] | None = None
        self.lock = FileLock(path / ".lock")

    @classmethod
    def create(cls, path: Path) -> Folder:
        """Make a new folder. Raises OptionError if something is there, or it cannot be made."""
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            raise OptionError(
                f"'{path}' is there already; name the run anew, or go on with --resume {path}"
            ) from None
        except OSError as error:
            raise refusal(path, error) from None
        folder = cls(path)
        folder.hold()
        return folder

    def hold(self) -> None:
        """Keep other processes out. Raises OptionError if one is at work here."""
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            raise OptionError(f"another process is training in '{self.path}'") from None
        except OSError as error:
            raise refusal(self.path, error) from None

    def leave(self) -> None:
        """Let other processes in."""
        self.lock.release()

    def remove(self) -> None:
        """Take the folder away again."""
        self.leave()
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def held(self) -> bool:
        """Whether some process is at work here."""
        try:
            with FileLock(self.path / ".lock", timeout=0):
                return False
        except Timeout:
            return True
        except OSError:
            return False  # a folder that nobody may write to is nobody's work

    def text(self, name: str, content: str) -> None:
        """Put a text file in place."""
        put_text(self.path / name, content)

    def json(self, name: str, content: Any) -> None:
        """Put a JSON file in place."""
        put_json(self.path / name, content)

    def interval(self, row: Interval) -> None:
        """Add a row to steps.csv."""
        self._add("steps.csv", row)

    def epoch(self, row: Epoch) -> None:
        """Add a row to epochs.csv."""
        self._add("epochs.csv", row)

    def best(self, weights: Weights, row: Epoch) -> None:
        """Put best.safetensors in place."""
        self._weights("best.safetensors", weights, row)

    def last(self, weights: Weights, row: Epoch) -> None:
        """Put last.safetensors in place."""
        self._weights("last.safetensors", weights, row)

    def state(self, state: dict[str, Any]) -> None:
        """Put state.pt in place, and a summary that says how far it is."""
        content = io.BytesIO()  # torch has other words than the system for a full disk
        torch.save(state, content)
        put(self.path / "state.pt", lambda file: file.write(content.getbuffer()))
        self.summary()

    def summary(self) -> None:
        """Put run.json in place."""
        if self.summarize is not None:
            self.json("run.json", self.summarize())

    def best_weights(self) -> Weights:
        """Return the weights of best.safetensors; none if there is no such file."""
        path = self.path / "best.safetensors"
        return _load(path) if path.exists() else {}

    def saved(self) -> dict[str, Any] | None:
        """Return what state.pt holds, or None if the run ended before its first.

        Raises OptionError if it cannot be read. Nothing in it is executed.
        """
        path = self.path / "state.pt"
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch has many words for a damaged file
            reason = str(error).partition("\n")[0]
            raise OptionError(f"cannot go on from '{path}': {reason}") from None
        return state

    def rewind(self, steps: int, epochs: int) -> None:
        """Take back what was written after a state: rows, and files that were half written."""
        self._keep("steps.csv", lambda number, row: int(row["step"]) <= steps)
        self._keep("epochs.csv", lambda number, row: number < epochs)
        for path in self.path.glob(".*.*"):
            if path.name != ".lock":
                path.unlink(missing_ok=True)

    def _add(self, name: str, row: Interval | Epoch) -> None:
        """Add a row in one write; a new file gets a heading first."""
        path = self.path / name
        flat = flatten(row)
        try:
            with path.open("a", encoding="utf-8", newline="") as file:
                if not file.tell():
                    file.write(_line(list(flat)))
                file.write(_line(list(flat.values())))
        except OSError as error:
            raise refusal(path, error) from None

    def _keep(self, name: str, wanted: Callable[[int, dict[str, str]], bool]) -> None:
        path = self.path / name
        if not path.exists():
            return
        whole = path.read_text(encoding="utf-8")
        lines = list(csv.DictReader(whole[: whole.rfind("\n") + 1].splitlines()))
        rows = [row for number, row in enumerate(lines) if wanted(number, row)]
        if not rows:
            path.unlink()
            return
        put_text(path, _line(list(rows[0])) + "".join(_line(list(row.values())) for row in rows))

    def _weights(self, name: str, weights: Weights, row: Epoch) -> None:
        about = {"format": "pt", "epoch": msgspec.json.encode(row).decode()}
        whole = {key: one.contiguous() for key, one in weights.items()}
        put(self.path / name, lambda file: file.write(save(whole, about)))


def flatten(row: Interval | Epoch) -> dict[str, Any]:
    """Return a row with one column for each measure: train_loss, validation_top1 and so on."""
    flat: dict[str, Any] = {}
    for name, value in structs.asdict(row).items():
        if isinstance(value, dict):
            flat |= {f"{name}_{measure}": number for measure, number in value.items()}
        elif value is not None or name != "validation":
            flat[name] = value
    return flat


def _line(cells: Sequence[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def find(name: str | Path, home: Path = HOME) -> Path:
    """Return the folder of a run: a path, or a name in `home`. Raises OptionError."""
    for path in (Path(name), home / name):
        if (path / "run.json").is_file():
            return path
    known = [path.name for path in all_runs(home)]
    hint = did_you_mean(str(name), known) or "; `archscope runs` lists them"
    raise OptionError(f"no run '{name}'{hint}")


def all_runs(home: Path = HOME) -> list[Path]:
    """Return the folders of all runs in `home`, by name."""
    return sorted(path.parent for path in home.glob("*/run.json"))


def read_summary(path: Path) -> Summary:
    """Return the summary of a run. Raises OptionError if it cannot be read."""
    try:
        return msgspec.json.decode((path / "run.json").read_bytes(), type=Summary)
    except (OSError, msgspec.MsgspecError) as error:
        raise OptionError(f"cannot read '{path / 'run.json'}': {error}") from None


def read_environment(path: Path) -> dict[str, Any]:
    """Return what a run ran on. Raises OptionError if it cannot be read."""
    try:
        found: dict[str, Any] = msgspec.json.decode((path / "environment.json").read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise OptionError(f"cannot read '{path / 'environment.json'}': {error}") from None
    return found


def read_graph(path: Path) -> Graph:
    """Return the network of a run. Raises ArchscopeError."""
    return load(path / "spec.yaml")


def read_recipe(path: Path) -> Recipe:
    """Return the recipe of a run. Raises ArchscopeError."""
    return recipe_files.read(path / "recipe.yaml")


def read_weights(path: Path, which: str = "best") -> Weights:
    """Return the weights of a run, `best` or `last`, on the CPU. Raises OptionError."""
    file = path / f"{which}.safetensors"
    if not file.exists():
        raise OptionError(f"'{path}' has no {which} weights; did its first epoch end?")
    return _load(file)


def read_epoch(path: Path, which: str = "best") -> Epoch:
    """Return the epoch that the weights of a run are from. Raises OptionError."""
    file = path / f"{which}.safetensors"
    try:
        with safe_open(file, "pt") as opened:
            return msgspec.json.decode(opened.metadata()["epoch"], type=Epoch)
    except (OSError, SafetensorError, KeyError, TypeError, msgspec.MsgspecError) as error:
        raise OptionError(f"cannot read '{file}': {error}") from None


def _load(path: Path) -> Weights:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise OptionError(f"cannot read '{path}': {error}") from None

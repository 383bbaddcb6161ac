"""Trainings that any study has done, on disk, by what they depend on."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

import msgspec
from platformdirs import user_cache_path

from archscope import __version__
from archscope.analysis.canonical import canonical
from archscope.ir import Graph
from archscope.records.study import Verdict

if TYPE_CHECKING:
    from archscope.search.evaluation import Trainer


def folder() -> Path:
    """Return the folder of the cache: in `ARCHSCOPE_CACHE`, or where the platform wants it."""
    named = os.environ.get("ARCHSCOPE_CACHE")
    base = Path(named) if named else Path(user_cache_path("archscope", appauthor=False))
    return base / "trainings"


def key(graph: Graph, data: str, trainer: Trainer) -> str:
    """Return the name of a training: network, images, recipe, seed, device and version."""
    import torch

    parts = (
        canonical(graph), data, sorted(trainer.recipe.items()), trainer.seed, trainer.device,
        trainer.threads, sorted(trainer.adapt.items()), trainer.proxies, __version__,
        str(torch.__version__),
    )  # fmt: skip
    return sha256(msgspec.json.encode(parts)).hexdigest()


def recall(name: str) -> Verdict | None:
    """Return what a training came to, if it was done before."""
    try:
        return msgspec.json.decode(_path(name).read_bytes(), type=Verdict)
    except (OSError, msgspec.MsgspecError):
        return None


def keep(name: str, verdict: Verdict) -> None:
    """Remember a training; where that cannot be written, it will be done again."""
    path = _path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, delete=False) as temporary:
            temporary.write(msgspec.json.encode(verdict))
        Path(temporary.name).replace(path)
    except OSError:
        return


def _path(name: str) -> Path:
    return folder() / name[:2] / f"{name}.json"

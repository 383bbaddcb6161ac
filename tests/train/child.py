"""A training in a process of its own: says each step on its output, and waits to be let on."""

from __future__ import annotations

import sys
from pathlib import Path

from archscope import load
from archscope.train import Callback, Recipe, resume, train
from tests.train.nets import images


class Announcer(Callback):
    """Says that a step is done, and goes on only when it is told to."""

    def on_step(self) -> None:
        print("step", flush=True)
        sys.stdin.readline()


def main() -> None:
    folder, spec, recipe = sys.argv[1:]
    if spec == "resume":
        resume(folder, images(), progress=Announcer())
    else:
        from archscope.train.recipe_files import read

        chosen: Recipe = read(recipe)
        train(load(Path(spec)), images(), chosen, run_dir=folder, progress=Announcer())


main()

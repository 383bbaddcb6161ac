"""Which runs are the seeds of one training."""

from __future__ import annotations

import shutil
from pathlib import Path

from archscope.records.run_folder import all_runs, read_summary
from archscope.records.seeds import seed_groups
from tests.report.conftest import make_run


def groups(folder: Path) -> list[str]:
    return [
        group.name for group in seed_groups((run, read_summary(run)) for run in all_runs(folder))
    ]


def test_steps_of_compression_are_runs_of_their_own(tmp_path: Path) -> None:
    for seed, name in enumerate(("a", "b")):
        origin = make_run(tmp_path / name, seed=seed)
        for step in ("sparse50", "sparse90"):  # of the same spec and recipe
            sparse = make_run(tmp_path / f"{name}-{step}", seed=seed, compressed_from=str(origin))
            make_run(tmp_path / f"{name}-{step}-codebook4", seed=seed, compressed_from=str(sparse))
    both = ["", "-sparse50", "-sparse50-codebook4", "-sparse90", "-sparse90-codebook4"]
    assert groups(tmp_path) == [f"a{step}, b{step}" for step in both]
    shutil.rmtree(tmp_path / "a")
    assert groups(tmp_path) == [f"a{step}, b{step}" for step in both[1:]] + ["b"]

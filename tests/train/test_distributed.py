"""Two processes under torchrun train the same as a single one."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from archscope import load
from archscope.records.run_folder import read_summary
from archscope.train import train
from archscope.train.run_folder import read_weights
from tests.train.nets import SMALL, images, quick

ROOT = Path(__file__).parents[2]
DATA = "synthetic:images=160,test=40,shape=1x8x8,noise=0.3"


def test_two_processes_do_the_work_of_one(tmp_path: Path) -> None:
    recipe = quick(optimizer="momentum", learning_rate=0.05)
    train(load(SMALL), images(), recipe, run_dir=tmp_path / "alone")
    knobs = [
        f"{name}={getattr(recipe, name)}"
        for name in ("epochs", "batch", "log_every", "validation", "optimizer", "learning_rate")
    ]
    sets = [word for knob in knobs for word in ("--recipe-set", knob)]
    subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
            "--master-port", "0", "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0",
            "-m", "archscope", "train", SMALL, "--data", DATA, "--name", "two",
            "--runs-dir", str(tmp_path), "--device", "cpu", *sets,
        ],
        check=True, cwd=ROOT, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    alone, two = read_summary(tmp_path / "alone"), read_summary(tmp_path / "two")
    assert alone.test is not None
    assert two.test == pytest.approx(alone.test, rel=1e-4)
    ours, theirs = read_weights(tmp_path / "two"), read_weights(tmp_path / "alone")
    for name, one in ours.items():
        torch.testing.assert_close(one, theirs[name], rtol=1e-3, atol=1e-5)
    for name in ("steps.csv", "epochs.csv"):  # written by the first alone: no row is twice there
        rows, others = (
            list(csv.DictReader((tmp_path / run / name).read_text(encoding="utf-8").splitlines()))
            for run in ("two", "alone")
        )
        for row, other in zip(rows, others, strict=True):
            assert float(row["train_loss"]) == pytest.approx(float(other["train_loss"]), rel=1e-4)

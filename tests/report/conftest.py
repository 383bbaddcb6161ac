"""Pages of a few networks, and a run folder as training leaves it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from archscope.report.pages.answer import answer
from archscope.report.pages.content import FORMAT, NetworkSection, Page
from archscope.report.pages.inputs import ReportInputs
from archscope.report.pages.summary import measures_of, summary, winners

DATE = "2026-01-31"
FIVE = ("vgg16", "resnet50", "mobilenet_v2", "shufflenet_v1_g3", "shufflenet_v2_x1_0")
HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"


def collected(*words: str) -> ReportInputs:
    inputs = ReportInputs()
    for word in words:
        inputs.add(word)
    return inputs


def page_of(*networks: NetworkSection, inputs: ReportInputs | None = None) -> Page:
    runs = tuple(inputs.runs) if inputs else ()
    return Page(
        format=FORMAT,
        title="A title",
        date=DATE,
        archscope="0.0.0",
        answer=answer(networks, inputs.studies if inputs else ()),
        summary=summary(networks, runs, inputs.studies if inputs else ()),
        winners=winners(networks),
        measures=measures_of(networks),
        networks=networks,
        runs=runs,
        studies=tuple(inputs.studies) if inputs else (),
        problems=tuple(inputs.problems) if inputs else (),
        compressions=tuple(inputs.compressions) if inputs else (),
    )


def changed(network: NetworkSection, **values: Any) -> NetworkSection:
    return structs.replace(network, values={**network.values, **values})


@pytest.fixture(scope="session")
def five() -> tuple[NetworkSection, ...]:
    return collected(*FIVE).networks()


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    return make_run(tmp_path / "runs" / "first")


def make_run(folder: Path, **more: Any) -> Path:
    folder.mkdir(parents=True)
    shutil.copy(Path(__file__).parents[2] / "specs" / "lenet5.yaml", folder / "spec.yaml")
    scores = {"loss": 0.25, "top1": 0.95}
    epoch = {"epoch": 2, "step": 40, "train": scores, "validation": {"loss": 0.3, "top1": 0.91},
             "learning_rate": 0.001, "images_per_second": 100.0, "seconds": 3.6}  # fmt: skip
    summary = {
        "format": 1, "name": folder.name, "network": "lenet5", "state": "finished",
        "reason": "epochs", "seed": 0, "device": "cpu", "params": 61706, "macs": 416520,
        "data": {"name": "digits", "classes": ["a", "b"], "train": 1293, "validation": 144},
        "task": {"kind": "classification"}, "deterministic": False, "archscope": "0.1",
        "epochs": 2, "steps": 40, "seconds": 27.2, "goal": "top1", "test": scores,
        "best": epoch, "last": epoch, "verdict": "it underfits",
        "findings": [{"kind": "dead units", "node": "conv1", "message": "half of 'conv1' is dead",
                      "epoch": 2, "value": 0.5}],
        "started": "2026-01-30T12:00:00", **more,
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(summary))
    (folder / "epochs.csv").write_text(
        "epoch,step,train_loss,train_top1,validation_loss,validation_top1,learning_rate,seconds\n"
        "1,20,1.9,0.48,1.1,0.73,0.002,1.8\n2,40,nan,0.82,0.4,0.91,0.001,3.6\n3,60,0.3"
    )  # the last row is half written
    (folder / "steps.csv").write_text(
        "epoch,step,train_loss,gradient\n1,20,1.9,0.8\n2,40,0.7,0.6\n"
    )
    evaluation = {
        "format": 1, "run": folder.name, "data": "digits", "images": 20, "classes": ["a", "b"],
        "scores": scores, "confusion": [[9, 1], [2, 8]],
    }  # fmt: skip
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    return folder


DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="


def inspection(**more: Any) -> dict[str, Any]:
    """What `archscope evaluate --keep` leaves, with one grey dot for every picture."""
    maps = [{"layer": "conv1", "about": "channels 0, 3 of 6", "png": DOT}]
    return {
        "format": 1, "data": "digits", "images": 20, "confusion": [[8, 2], [1, 9]],
        "layers": [{"name": "conv1", "op": "conv", "gradient": 0.01, "dead": None},
                   {"name": "relu1", "op": "relu", "gradient": None, "dead": 0.5}],
        "filters": {"layer": "conv1", "about": "6 of 6 filters", "png": DOT},
        "samples": [{"label": "a", "guess": "a", "probability": 0.8, "png": DOT, "maps": maps}],
        "wrong": [{"label": "a", "guess": "b", "probability": 0.9, "png": DOT}],
        **more,
    }  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real browser without a screen, if there is one."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
    if path is None:
        pytest.skip("no Chromium on this machine")
    with api.sync_playwright() as started:
        found = started.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield found
        found.close()


def compression(**more: Any) -> dict[str, Any]:
    """What `archscope compress` writes as JSON, of one run."""
    sizes = {"whole": 4000, "whole-pruned1": 2000, "whole-pruned1, int8": 500}
    steps = [
        {"name": name, "params": size, "macs": 100 * size, "peak_bytes": 1024, "model_bytes": size,
         "seconds": 1e-6 * size, "test": {"top1": 0.9 + size / 1e6},
         **({} if "int8" in name else {"training_seconds": 2.0})}
        for name, size in sizes.items()
    ]  # fmt: skip
    return {"format": 1, "name": "whole", "steps": steps, "keep_accuracy": 1.0, "kept": True,
            "scratch": None, **more}  # fmt: skip


def make_study(folder: Path) -> Path:
    """Ten networks: trained, pruned, beyond the budget; the last line is half written."""
    folder.mkdir(parents=True)
    question = {"spec": "tiny", "budgets": ["5MMACs"], "sampler": "tpe", "seed": 0,
                "trainer": {"data": "digits"}}  # fmt: skip
    (folder / "study.json").write_text(json.dumps(question))
    lines = []
    for number in range(10):
        outcome = ("trained", "trained", "trained", "pruned", "infeasible")[number % 5]
        accuracy = 0.5 + 0.04 * number
        verdict = {"number": number, "outcome": outcome, "scores": {"top1": accuracy},
                   "score": accuracy, "seconds": 2.0, "worker": 70, "started": 2.0 * number,
                   "proxies": {"up": number, "down": -number}}  # fmt: skip
        macs = (7_500_000 if outcome == "infeasible" else 4_000_000) + number
        trial = {
            "number": number, "genes": {"width": number % 3, "kind": "ab"[number % 2], "same": 1},
            "outcome": outcome, "origin": "control" if number == 1 else "tpe",
            "costs": {"macs": macs}, "excess": {"5MMACs": macs / 5_000_000 - 1},
            "verdict": None if outcome == "infeasible" else verdict,
        }  # fmt: skip
        lines.append(json.dumps(trial))
    (folder / "trials.jsonl").write_text("\n".join(lines) + '\n{"number": 10')
    return folder

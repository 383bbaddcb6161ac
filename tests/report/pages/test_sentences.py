"""Every sentence on top of real pages, and every number in it, against the JSON of the page.

Networks of the zoo, trainings of several seeds and searches are reported as users do it. Each
sentence has a pattern here, whose groups are its numbers, and a check that computes them anew from
the records behind the tables. A sentence without a pattern fails, and so does a number that is in
no group.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archscope.cli import main
from archscope.ir import Graph
from archscope.records.study import Job, TrialResult
from archscope.search import local_executor
from archscope.search.evaluation import Trainer, evaluate
from tests.report.conftest import FIVE
from tests.report.pages.sentences.reading import hold
from tests.report.pages.test_answer import Reader

SPACE = """
name: toy
input: [1, 8, 8]
layers:
  - conv: {out: !choice [2, 4, 6, 8], kernel: !choice [1, 3, 5], padding: 2}
  - relu
  - global_avgpool
  - flatten
  - linear: 4
"""
IMAGES = "synthetic:classes=4,shape=1x8x8,images=1400,test=100"


class ThisProcess:
    """The executor of the local machine, without processes, which take seconds to start."""

    def __init__(self, trainer: Trainer, workers: int = 1, **_: Any) -> None:
        self.trainer, self.workers, self.deadline = trainer, workers, None
        self.jobs: list[Job] = []

    def submit(self, job: Job, graph: Graph) -> None:
        self.jobs.append(job)

    def collect(self) -> TrialResult:
        return evaluate(self.trainer, self.jobs.pop(0))

    def cancel(self) -> None:
        self.jobs.clear()

    def close(self, at_once: bool = False) -> None:
        self.jobs.clear()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the trainings of two networks, three and two seeds, and a search."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(local_executor, "LocalExecutor", ThisProcess)
        Path("toy.yaml").write_text(SPACE, encoding="utf-8")
        words = ["--data", IMAGES, "--epochs", "1", "-q"]
        for width, seeds in ((2, 3), (8, 2)):
            net = f"INPUT 1x8x8 -> CONV {width} -> RELU -> POOL -> FC 4"
            trained = main(["train", net, *words, "--seeds", str(seeds), "--name", f"w{width}"])
            assert trained == 0
        words += ["--trials", "10", "--control", "0.5", "--images", "400", "--resolution", "8"]
        words += ["--recipe-set", "learning_rate=0.05"]
        words += ["--top", "2", "--seeds", "2", "--stretch", "1", "--no-cache", "--name", "toy"]
        assert main(["search", "toy.yaml", *words]) == 0
        yield folder


ZOO = {
    "five": [*FIVE],
    "other inputs": ["lenet5", "resnet18", "mobilenet_v3_small", "squeezenet1_0"],
    "predicted": ["googlenet", "mobilenet_v2", "shufflenet_v2_x1_0", "--predict"],
    "alone": ["vgg16"],
    "tokens": ["deit_tiny"],
    "equal": ["vgg16", "vgg13", "resnet18"],
}
PAGES = {
    "seeds": ["runs/w2", "w8"],
    "trainings and others": ["runs/w2-seed0", "runs/w8", "resnet18"],
    "study": ["toy", "lenet5"],
    "studies and all": ["studies", "runs", "vgg16"],
    "folder": ["studies/toy"],
}


@pytest.mark.parametrize("name", PAGES)
def test_every_sentence_says_what_the_records_say(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(home)
    read_and_hold(PAGES[name], tmp_path)


@pytest.mark.parametrize("name", ZOO)
def test_every_sentence_on_the_zoo(name: str, tmp_path: Path) -> None:
    read_and_hold(ZOO[name], tmp_path)


@pytest.mark.slow
def test_a_page_of_a_prior(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--budget", "300MFLOPs", "--trials", "3", "--top", "0", "-q", "--name", "mine"]
    assert main(["search", *words]) == 0
    read_and_hold(["mine", "mobilenet_v2"], tmp_path)


def read_and_hold(words: list[str], folder: Path) -> None:
    """Hold the sentences of a report to its records, and see that they are on its page."""
    file, shown = folder / "page.json", folder / "page.html"
    for path in (file, shown):
        assert main(["report", *words, "--date", "none", "-o", str(path)]) == 0
    page = json.loads(file.read_bytes())
    assert hold(page) >= 3
    read = Reader(shown.read_text(encoding="utf-8"))
    assert {" ".join(text.split()) for text in (*page["answer"], *page["words"])} <= {
        *read.paragraphs
    }


def test_a_wrong_number_would_be_found(tmp_path: Path) -> None:
    file = tmp_path / "page.json"
    assert main(["report", "resnet50", "mobilenet_v2", "--date", "none", "-o", str(file)]) == 0
    page = json.loads(file.read_bytes())
    names = re.compile(r"resnet50|mobilenet_v2|stage\S+|ShuffleNetV2|top-1|\d+x\d+x\d+|G\d")
    changed = 0
    for part in ("answer", "words"):
        for place, text in enumerate(page[part]):
            hidden = names.sub(lambda match: "-" * len(match[0]), text)
            for found in re.finditer(r"\d(?![\d.,])", hidden):
                digit = str((int(found[0]) + 5) % 10)
                wrong = text[: found.start()] + digit + text[found.end() :]
                bullets = [*page[part][:place], wrong, *page[part][place + 1 :]]
                with pytest.raises(AssertionError):
                    hold({**page, part: bullets})
                changed += 1
    assert changed > 12

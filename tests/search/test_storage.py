"""Studies stored outside their folder."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from archscope.errors import OptionError
from archscope.search.storage import opened
from tests.cli.conftest import Run
from tests.search.test_search import WORDS, place, trials

__all__ = ["place"]
FEW = (*WORDS, "--trials", "2", "-j", "1")
SERVER = """
import sys, optuna
storage = optuna.storages.RDBStorage(sys.argv[1])
optuna.storages.run_grpc_proxy_server(storage, host="localhost", port=int(sys.argv[2]))
"""


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[int]:
    pytest.importorskip("grpc", reason="grpcio is not installed")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port: int = free.getsockname()[1]
    url = f"sqlite:///{(tmp_path / 'far.db').as_posix()}"
    server = subprocess.Popen([sys.executable, "-W", "ignore", "-c", SERVER, url, str(port)])
    yield port
    server.kill()
    server.wait()


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_trials_behind_a_proxy(run: Run, proxy: int, place: Path) -> None:
    result = run(*FEW, "--name", "one", "--storage", f"grpc://localhost:{proxy}")
    assert result.code == 0, result.err
    kept = optuna.load_study(study_name="one", storage=f"sqlite:///{place / 'far.db'}")
    assert len(kept.trials) == len(trials(place / "studies/one"))
    assert not (place / "studies/one/study.db").exists()


def test_another_study_of_this_name_is_left_alone(run: Run, place: Path) -> None:
    far = f"sqlite:///{(place / 'far.db').as_posix()}"
    assert run(*FEW, "--name", "one", "--storage", far).code == 0
    other = run(*FEW, "--name", "one", "--storage", far, "--studies-dir", "others")
    assert other.code == 2
    assert "has another study 'one'" in other.err


@pytest.mark.parametrize(
    "url, said",
    [
        ("grpc://", "expected grpc://HOST:PORT"),
        ("grpc://localhost:no", "expected grpc://HOST:PORT"),
        ("grpc://localhost:1", "no proxy answers at localhost:1"),
    ],
)
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_no_proxy(url: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archscope.search.storage.PATIENCE", 0.2)
    with pytest.raises(OptionError, match=said):
        opened(url)


def test_no_storage(run: Run, place: Path) -> None:
    result = run(*WORDS, "--storage", "nonsense://x")
    assert result.code == 2
    assert "cannot open the storage 'nonsense://x'" in result.err

"""Files are whole or not there, locks end with their process, and damaged results are none."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest

from archscope.errors import OptionError
from archscope.files import (
    Cache,
    cache_folder,
    data_folder,
    is_locked,
    locked,
    make_folder,
    write_bytes,
    write_json,
    write_text,
    writer,
)
from tests.cli.conftest import Run

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and pipes are POSIX's")


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_full_disk_is_one_error_and_leaves_the_state_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.pt"
    write_text(path, "before")

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OptionError) as caught:
        write_text(path, "after" * 1000)
    assert str(caught.value) == f"cannot write '{path}': no space left on device"
    assert path.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]


@posix
@pytest.mark.usefixtures("umask")
def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    write_json(tmp_path / "new.json", {"a": [1]})
    assert mode(tmp_path / "new.json") == 0o640
    assert (tmp_path / "new.json").read_text() == '{\n  "a": [\n    1\n  ]\n}\n'


@posix
@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("kept", [0o600, 0o664, 0o755])
def test_an_existing_file_keeps_its_mode(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "old"
    path.write_text("before")
    path.chmod(kept)
    write_text(path, "after")
    assert mode(path) == kept and path.read_text() == "after"


@posix
def test_a_read_only_file_is_refused_also_to_root(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_text("before")
    path.chmod(0o444)
    with pytest.raises(OptionError) as caught:
        write_text(path, "after")
    assert str(caught.value) == f"cannot write '{path}': the file is read-only"
    assert path.read_text() == "before" and mode(path) == 0o444
    assert list(tmp_path.iterdir()) == [path]


@posix
@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_target_is_written(tmp_path: Path, there: bool) -> None:
    target, link, chain = (tmp_path / name for name in ("folder/target", "link", "chain"))
    target.parent.mkdir()
    if there:
        target.write_text("before")
        target.chmod(0o600)
    link.symlink_to("folder/target")
    chain.symlink_to(link)
    write_text(chain, "after")
    assert chain.is_symlink() and link.is_symlink() and not target.is_symlink()
    assert target.read_text() == "after"
    assert not there or mode(target) == 0o600


@posix
def test_a_circle_of_links_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")
    with pytest.raises(OptionError, match="too many levels of symbolic links"):
        write_text(tmp_path / "one", "")


@pytest.mark.parametrize(
    "name, reason",
    [
        ("nowhere/file", "there is no folder '.*nowhere'"),
        ("file/below", "not a directory"),
        ("", "is a directory"),
    ],
)
def test_a_place_that_takes_no_file_is_one_error(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match=f"cannot write '.*': {reason}"):
        write_text(tmp_path / name, "")


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    make_folder(tmp_path / "one" / "other")
    make_folder(tmp_path / "one" / "other")
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match=r"cannot write '.*below': not a directory"):
        make_folder(tmp_path / "file" / "below")


@posix
def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_bytes(pipe, b"through")
    reader.join()
    assert read == [b"through"] and pipe.is_fifo()


@posix
def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "null").symlink_to("/dev/null")
    ways = {
        path: writer(Path(path)).__name__
        for path in ("/dev/null", "/dev/stdout", str(tmp_path / "null"), str(tmp_path / "new"))
    }
    assert list(ways.values()) == ["_write_directly", "_write_open", "_write_directly", "_replace"]


@posix
@pytest.mark.parametrize("redirected", [True, False])
def test_output_may_go_to_the_name_of_standard_output(tmp_path: Path, redirected: bool) -> None:
    code = (
        "import pathlib; from archscope.files import write_text; print('first');"
        "write_text(pathlib.Path('/dev/stdout'), 'second')"
    )
    with (tmp_path / "out").open("w+b") as file:
        file.write(b"before ")
        file.flush()
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=file if redirected else subprocess.PIPE, check=True
        )
    out = (tmp_path / "out").read_bytes() if redirected else b"before " + done.stdout
    assert out == b"before first\nsecond"


@posix
def test_fixes_keep_the_mode_and_the_link(run: Run, tmp_path: Path) -> None:
    spec, link = tmp_path / "real.yaml", tmp_path / "mine.yaml"
    text = "input: [4, 8, 8]\nlayers:\n  - conv: 8\n  - relu\n  - relu\n"
    spec.write_text(text)
    spec.chmod(0o640)
    link.symlink_to(spec)
    assert run("lint", str(link), "--fix", "--select", "ACT103").code == 0
    assert spec.read_text() != text
    assert mode(spec) == 0o640 and link.is_symlink()


def test_a_lock_names_its_holder_until_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path) and not path.exists()
    path.write_bytes(b"\xff garbage")
    lock = locked(path, "the study is in use")
    assert is_locked(path)
    with pytest.raises(OptionError, match=f"^the study is in use by process {os.getpid()}$"):
        locked(path, "the study is in use")
    path.write_bytes(b"\xff garbage")
    with pytest.raises(OptionError, match=r"^the study is in use by another process$"):
        locked(path, "the study is in use")
    lock.release()
    assert not is_locked(path)
    locked(path, "").release()


@posix
def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = (
        "import pathlib, os, signal, sys; from archscope.files import locked;"
        "locked(pathlib.Path(sys.argv[1]), ''); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL and path.exists()
    assert not is_locked(path)
    locked(path, "").release()


def test_a_folder_in_place_of_a_lock_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=f"^cannot write '{tmp_path}': is a directory$"):
        locked(tmp_path, "")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache[dict[str, int]]:
    monkeypatch.setenv("ARCHSCOPE_CACHE", str(tmp_path / "cache"))
    return Cache("sums", dict[str, int])


def test_a_cached_result_is_found_by_its_key_alone(cache: Cache[dict[str, int]]) -> None:
    assert cache.get(("one", 1)) is None
    cache.put(("one", 1), {"sum": 2})
    assert cache.get(("one", 1)) == {"sum": 2}
    assert cache.get(("one", 2)) is None
    assert cache.path(("one", 1)).is_relative_to(cache_folder() / "sums")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"sum": "two"}', b"\xff\x00"])
def test_a_damaged_result_is_none(cache: Cache[dict[str, int]], content: bytes) -> None:
    cache.put("key", {"sum": 2})
    cache.path("key").write_bytes(content)
    assert cache.get("key") is None


def test_where_nothing_can_be_cached_nothing_is(
    cache: Cache[dict[str, int]], tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file")
    cache.put("key", {"sum": 2})
    assert cache.get("key") is None


def test_the_platform_says_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCHSCOPE_CACHE", raising=False)
    assert cache_folder().name == "archscope"


@pytest.mark.parametrize(
    "variables",
    [
        {}, {"XDG_CACHE_HOME": "/c", "XDG_DATA_HOME": "/d"}, {"XDG_DATA_HOME": "relative"},
        {"XDG_CACHE_HOME": ""}, {"HOME": "relative"}, {"HOME": ""},
    ],
)  # fmt: skip
def test_folders_are_those_of_platformdirs(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ARCHSCOPE_CACHE", "ARCHSCOPE_DATA", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    folders = platformdirs.PlatformDirs("archscope", appauthor=False)
    assert cache_folder() == folders.user_cache_path
    assert data_folder() == folders.user_data_path

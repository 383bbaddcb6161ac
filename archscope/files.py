"""Write files atomically, lock between processes, and cache results.

No other module of archscope writes temporary files, locks or caches.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from archscope.errors import OptionError, reason_of

if TYPE_CHECKING:
    from filelock import FileLock

Record = TypeVar("Record")

ASIDE = ".archscope."
"""The prefix of files whose content is not complete yet."""

DESCRIPTORS = {"/dev/stdout": 1, "/dev/stderr": 2}
"""Names of files that are already open."""


Content = bytes | memoryview
"""The content of a file, or a part of it."""


def write_bytes(path: Path, content: Content | Iterable[Content]) -> None:
    """Write a file atomically, so that no reader and no crash sees a part of it.

    The content, which may come in parts, is written to a temporary file in the same folder, which
    is then renamed. A symbolic link is kept and its target replaced; an existing file keeps its
    mode and, where allowed, its owner. Devices and pipes are written to directly.

    Raises OptionError if the file is read-only or the system refuses; then the old file is kept.
    """
    try:
        writer(path)(path, [content] if isinstance(content, Content) else content)
    except OSError as error:
        raise refusal(path, error) from None


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8, as `write_bytes` does."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, as `write_bytes` does."""
    write_text(path, msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def append_bytes(path: Path, content: bytes) -> None:
    """Append to a file, and return when the content is on disk.

    Raises OptionError if the system refuses; then a part of the content may have been written.
    """
    try:
        with path.open("ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise refusal(path, error) from None


def make_folder(path: Path) -> None:
    """Create a folder and its parents if they do not exist. Raises OptionError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refusal(path, error) from None


def check_writable(path: Path) -> None:
    """Raise OptionError if no file can be written to a path, so that work for it is not lost."""
    if path.is_dir():
        raise OptionError(f"cannot write '{path}': is a directory")
    if not path.parent.is_dir():
        raise OptionError(f"cannot write '{path}': there is no folder '{path.parent}'")
    if writer(path) is _replace:
        if path.exists() and _is_read_only(path):
            raise OptionError(f"cannot write '{path}': the file is read-only")
        if not os.access(os.path.realpath(path.parent), os.W_OK):
            raise OptionError(f"cannot write '{path}': the folder '{path.parent}' is read-only")


def _is_read_only(file: Path) -> bool:
    # The mode is asked too, because root may write to everything.
    return not (file.stat().st_mode & 0o222 and os.access(file, os.W_OK))


def refusal(path: Path, error: OSError) -> OptionError:
    """Return the error for a file that the system refuses to write."""
    if isinstance(error, FileNotFoundError) and not path.parent.is_dir():
        return OptionError(f"cannot write '{path}': there is no folder '{path.parent}'")
    return OptionError(f"cannot write '{path}': {reason_of(error)}")


def writer(path: Path) -> Callable[[Path, Iterable[Content]], None]:
    """Return the function that suits what a path names: only regular files can be replaced.

    Raises OSError if the path cannot be examined.
    """
    if str(path) in DESCRIPTORS:
        return _write_open
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return _replace
    return _replace if stat.S_ISREG(mode) else _write_directly


def _replace(path: Path, parts: Iterable[Content]) -> None:
    target = Path(os.path.realpath(path))
    before = target.stat() if target.exists() else None
    if before and _is_read_only(target):
        raise PermissionError(0, "the file is read-only")
    aside = target.with_name(f"{ASIDE}{os.urandom(8).hex()}")
    try:
        # The umask decides on new files; what replaces an old one is nobody else's meanwhile.
        mode = 0o600 if before else 0o666
        with open(aside, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        if before:
            with suppress(PermissionError, AttributeError):  # no such call on Windows
                os.chown(aside, before.st_uid, before.st_gid)
            aside.chmod(stat.S_IMODE(before.st_mode))
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def _write_directly(path: Path, parts: Iterable[Content]) -> None:
    with path.open("wb") as file:
        file.writelines(parts)


def _write_open(path: Path, parts: Iterable[Content]) -> None:
    sys.stdout.flush()  # what was printed before comes first
    with open(DESCRIPTORS[str(path)], "wb", closefd=False) as file:
        file.writelines(parts)


def locked(path: Path, busy: str) -> FileLock:
    """Take a lock between processes and return it; its `release` gives it back.

    The system releases the lock of a process that ends, however it ends. `path` stays, with the
    number of the process that had the lock last.

    Raises OptionError, `busy` followed by the process, if another process has the lock, and also
    if the file cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise OptionError(f"{busy} {_holder(path)}") from None
    except OSError as error:
        raise refusal(path, error) from None
    with suppress(OSError):  # Windows does not let the holder write
        path.write_text(str(os.getpid()), encoding="ascii")
    return lock


def is_locked(path: Path) -> bool:
    """Return whether some process has a lock; a file that nobody may write to is not locked."""
    from filelock import FileLock, Timeout

    if not path.exists():  # asking must not make it
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def _holder(path: Path) -> str:
    with suppress(OSError, ValueError):
        return f"by process {int(path.read_bytes())}"
    return "by another process"


def cache_folder() -> Path:
    """Return `ARCHSCOPE_CACHE`, or the folder that the platform has for caches."""
    named = os.environ.get("ARCHSCOPE_CACHE")
    if named:
        return Path(named)
    return _user_folder("cache")


def data_folder() -> Path:
    """Return `ARCHSCOPE_DATA`, or the folder that the platform has for data of the user."""
    named = os.environ.get("ARCHSCOPE_DATA")
    if named:
        return Path(named)
    return _user_folder("data")


def _user_folder(kind: str) -> Path:
    """Return the user's folder for the files of archscope: its "cache" or its "data"."""
    home = Path(os.environ.get("HOME", ""))
    if sys.platform == "linux" and home.is_absolute():
        # Importing platformdirs, which returns the same, takes a twentieth of a short command.
        base = Path(os.environ.get(f"XDG_{kind.upper()}_HOME", ""))
        usual = home / {"cache": ".cache", "data": ".local/share"}[kind]
        return (base if base.is_absolute() else usual) / "archscope"
    from platformdirs import PlatformDirs

    folders = PlatformDirs("archscope", appauthor=False)
    return folders.user_cache_path if kind == "cache" else folders.user_data_path


class Cache(Generic[Record]):
    """Results on disk, found again by everything that they depend on.

    A file that is missing, damaged or not of the record's type is as good as none, and where
    nothing can be written nothing is kept.
    """

    def __init__(self, name: str, record: type[Record]) -> None:
        """Take the name of a folder in the cache folder, and the type of the results."""
        self.name, self.record = name, record

    def path(self, key: Any) -> Path:
        """Return the file of a result; `key` is plain data, all that the result depends on."""
        from hashlib import sha256

        digest = sha256(msgspec.json.encode(key)).hexdigest()
        return cache_folder() / self.name / digest[:2] / f"{digest}.json"

    def get(self, key: Any) -> Record | None:
        """Return the result for a key, or None if there is none that can be read."""
        try:
            return msgspec.json.decode(self.path(key).read_bytes(), type=self.record)
        except (OSError, msgspec.MsgspecError):
            return None

    def put(self, key: Any, value: Record) -> None:
        """Keep the result for a key."""
        path = self.path(key)
        with suppress(OptionError):
            make_folder(path.parent)
            write_bytes(path, msgspec.json.encode(value))

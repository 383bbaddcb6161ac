"""Specs and model files at a git revision: `main:specs/net.yaml`."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from archscope.errors import ArchscopeError, OptionError, did_you_mean, reason_of
from archscope.importers.formats import format_of
from archscope.language.files import is_file

_REVISION = re.compile(r"(?P<revision>[^:\s]+):(?P<path>[^:]+\.\w+)")
_SPECS = (".yaml", ".yml")


def is_revision(word: str) -> bool:
    """Return whether a word names a spec or model at a revision: `REVISION:PATH`."""
    match = _REVISION.fullmatch(word)
    if match is None or is_file(Path(word)):
        return False
    path = match["path"]
    return path.endswith(_SPECS) or (format_of(path) is not None and not path.endswith(".py"))


@contextmanager
def file_of(word: str) -> Iterator[str]:
    """Yield the name of a file with the content that a word names, which lasts for the context.

    For a revision, the specs in the file's folder are extracted as well, and those elsewhere whose
    names they have, since a spec may include others; any other word is yielded as it is. Raises
    OptionError if git does not have the file; errors inside the context name the revision.
    """
    match = _REVISION.fullmatch(word) if is_revision(word) else None
    if match is None:
        yield word
        return
    revision, path = match["revision"], match["path"]
    wanted = _path(revision, path)
    with TemporaryDirectory(prefix="archscope-") as folder:
        listing = _git("ls-tree", "-r", "-z", "--full-tree", revision).split(b"\0")
        entries = [line.decode(errors="replace").partition("\t") for line in listing if line]
        files = {
            name: about.split()[2]
            for about, _, name in entries
            if about.startswith("100") and (name == wanted or name.endswith(_SPECS))
        }
        contents = _contents(files)
        for name in _included(wanted, contents):
            target = Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(contents[name])
        try:
            yield Path(folder, wanted).as_posix()
        except ArchscopeError as error:
            text = str(error).replace(f"{Path(folder).as_posix()}/", f"{revision}:")
            raise OptionError(text) from None


def _included(wanted: str, contents: Mapping[str, bytes]) -> set[str]:
    """Return the files that a file may include, by the names in them, and all in its folder."""
    if not wanted.endswith(_SPECS):
        return {wanted}
    folder = PurePosixPath(wanted).parent
    found = {name for name in contents if folder in PurePosixPath(name).parents}
    new = found
    while new:
        texts = [contents[name] for name in new]
        new = {
            name
            for name in contents.keys() - found
            if any(PurePosixPath(name).name.encode() in text for text in texts)
        }
        found |= new
    return found


def _path(revision: str, path: str) -> str:
    """Return the path from the top of the repository. Raises OptionError if it does not exist."""
    prefix = _git("rev-parse", "--show-prefix").decode().strip()
    commit = f"{revision}^{{commit}}"
    _git("rev-parse", "--verify", "--quiet", commit, about=f"no revision '{revision}'")
    relative = path.startswith(("./", "../"))
    names = [] if relative else [PurePosixPath(path).as_posix()]
    parts: list[str] = []
    for part in f"{prefix}{path}".split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    names.append("/".join(parts))
    for name in names:
        if _has(revision, name):
            return name
    listing = _git("ls-tree", "-r", "-z", "--full-tree", "--name-only", revision).split(b"\0")
    near = did_you_mean(names[-1], (name.decode(errors="replace") for name in listing))
    raise OptionError(f"'{path}' is not a file of the revision '{revision}'{near}")


def _has(revision: str, name: str) -> bool:
    try:
        return _git("cat-file", "-t", f"{revision}:{name}").strip() == b"blob"
    except OptionError:
        return False


def _contents(files: dict[str, str]) -> dict[str, bytes]:
    """Return the contents of files, given their git objects."""
    answer = _git("cat-file", "--batch", given="\n".join(files.values()).encode() + b"\n")
    contents = {}
    for name in files:
        head, _, answer = answer.partition(b"\n")
        size = int(head.split()[2])
        contents[name], answer = answer[:size], answer[size + 1 :]
    return contents


def _git(*words: str, given: bytes = b"", about: str = "") -> bytes:
    """Run git and return its output. Raises OptionError with the reason if it fails."""
    command = ["git", *words]
    try:
        done = subprocess.run(command, input=given, capture_output=True, check=False)  # noqa: S603
    except OSError as error:
        raise OptionError(f"cannot run git: {reason_of(error)}") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        reason = lines[0].removeprefix("fatal: ") if lines else about
        raise OptionError(f"git: {about or reason}")
    return done.stdout

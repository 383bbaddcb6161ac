"""Profiles: the times of kernels on a machine, in a runtime, as JSON files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
from msgspec import Struct, structs

from archscope.decoding import decode_json
from archscope.errors import OptionError, RecordError, did_you_mean, reason_of
from archscope.files import check_writable, data_folder, make_folder, write_json
from archscope.latency.kernel_kinds import FEATURES, FUSIONS, KINDS

FORMAT = 1
SHIPPED = Path(__file__).parent / "profiles"
SUFFIX = ".json"
LARGEST = 1 << 26
"""The most bytes of a file that may be a profile; those that ship have some thousand."""

DEVICES = ("cpu",)
"""Devices of this machine, on which budgets measure latency; no profile has such a name."""

NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


class Machine(Struct, frozen=True):
    """The machine of a profile: a processor or GPU, and its cores if known."""

    name: str
    cores: int | None = None
    system: str = ""


class Correction(Struct, frozen=True):
    """A correction factor for the sum of kernels: exp(intercept + sum of c * (x - mean) / scale).

    Features are those of `archscope.latency.predict.graph_features`, clipped to `low` and `high`.
    """

    features: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    coefficients: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    intercept: float = 0.0


class Error(Struct, frozen=True):
    """The errors of predictions for networks whose whole families were left out of the fit."""

    networks: int
    families: int
    median: float  # of |predicted / measured - 1|
    mape: float  # mean of the same errors
    within_10_percent: float  # share of the networks


class Interval(Struct, frozen=True):
    """Quantiles of log(measured / predicted) for networks left out, and the share between them."""

    low: float
    high: float
    covers: float = 0.9


class OnGpu(Struct, frozen=True):
    """What a profile of a GPU adds: the host, which launches kernels while earlier ones run.

    `host` are the milliseconds that it takes for a kernel, by kind of kernel. A network takes what
    its kernels take on the GPU, or what their launches take on the host, whichever is longer.
    """

    host: dict[str, float]
    channels_last: bool = False
    driver: str = ""
    cuda: str = ""


class Profile(Struct, frozen=True, kw_only=True):
    """The times of kernels in a runtime on a machine.

    `kinds` are milliseconds per kernel and per million of each other feature, by kind of kernel;
    `ranges` are the minimum and maximum of the fitted features.
    """

    format: int = FORMAT
    name: str
    about: str = ""
    source: str = ""
    machine: Machine
    runtime: str
    version: str = ""
    fusion: str
    threads: int | None = None
    dtype: str = "float32"
    batches: tuple[int, int] = (1, 1)  # minimum and maximum
    kinds: dict[str, dict[str, float]]
    ranges: dict[str, dict[str, tuple[float, float]]] = {}
    correction: Correction | None = None
    error: Error
    interval: Interval
    gpu: OnGpu | None = None
    checksum: str = ""

    def sealed(self) -> Profile:
        """Return the profile with the checksum of its content."""
        bare = structs.asdict(structs.replace(self, checksum=""))
        if self.gpu is None:
            del bare["gpu"]  # which files of earlier versions do not have
        return structs.replace(self, checksum=f"{crc32(msgspec.json.encode(bare)):08x}")


def user_folder() -> Path:
    """Return the folder of the user's own profiles."""
    return data_folder() / "latency"


def files() -> dict[str, Path]:
    """Return the files of all profiles; the user's own take precedence over shipped ones."""
    found: dict[str, Path] = {}
    for folder in (SHIPPED, user_folder()):
        if folder.is_dir():
            found |= {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}
    return found


def load(name: str) -> Profile:
    """Return a profile by its name, or by the path of its file. Raises OptionError."""
    path = Path(name)
    if path.suffix != SUFFIX and not path.is_file():
        known = files()
        if name not in known:
            there = f"there are {', '.join(known)}; " if known else ""
            more = f"{there}`archscope device calibrate` creates that of this machine"
            raise OptionError(f"no latency profile '{name}'{did_you_mean(name, known)} ({more})")
        path = known[name]
    return read(path)


def read(path: Path) -> Profile:
    """Read a profile. Raises OptionError if the file is not a profile, or was changed."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise OptionError(f"'{path}' is larger than any latency profile")
        profile: Profile = decode_json(content, Profile)
    except OSError as error:
        what = f"cannot read the latency profile '{path}': {reason_of(error)}"
        raise OptionError(what) from None
    except RecordError as error:
        raise OptionError(f"'{path}' is not a latency profile: {error}") from None
    for problem in _problems(profile):
        raise OptionError(f"'{path}' is not a latency profile: {problem}")
    if profile.sealed().checksum != profile.checksum:
        raise OptionError(
            f"'{path}' was changed after its creation: expected the checksum"
            f" '{profile.sealed().checksum}', got '{profile.checksum}'; calibrate again"
        )
    return profile


def _problems(profile: Profile) -> Iterator[str]:
    if profile.format != FORMAT:
        yield f"expected format {FORMAT}, got {profile.format}"
    if profile.fusion not in FUSIONS:
        yield f"expected a fusion of {', '.join(FUSIONS)}, got '{profile.fusion}'"
    if not profile.kinds:
        yield "it has no kinds of kernels"
    for kind, coefficients in profile.kinds.items():
        if kind not in KINDS:
            yield f"unknown kind of kernel '{kind}'{did_you_mean(kind, KINDS)}"
        for feature, value in coefficients.items():
            if feature not in FEATURES:
                yield f"unknown feature '{feature}'{did_you_mean(feature, FEATURES)}"
            if not value >= 0:
                yield f"'{feature}' of '{kind}' must not be negative, got {value:g}"
    for kind, value in (profile.gpu.host if profile.gpu else {}).items():
        if kind not in KINDS:
            yield f"unknown kind of kernel '{kind}'{did_you_mean(kind, KINDS)}"
        if not value >= 0:
            yield f"the host's time for '{kind}' must not be negative, got {value:g}"
    if profile.correction is not None:
        lengths = {len(value) for value in structs.astuple(profile.correction)[:-1]}
        if len(lengths) > 1:
            yield "the lists of its correction have different lengths"


def keep(profile: Profile, path: Path | None = None) -> Path:
    """Write a profile, by default into the user's folder, and return its file."""
    path = path or own_file(profile.name)
    write_json(path, profile.sealed())
    return path


def own_file(name: str) -> Path:
    """Return the file of a profile in the user's folder, which is created. Raises OptionError."""
    make_folder(user_folder())
    path = user_folder() / f"{name}{SUFFIX}"
    check_writable(path)
    return path


def check_name(name: str) -> None:
    """Raise OptionError for a name that a profile cannot have."""
    if not NAME.fullmatch(name):
        raise OptionError(
            f"expected a name of letters, digits, '-', '_' and '.', such as pi5, got '{name}'"
        )
    if name in DEVICES:
        raise OptionError(f"'{name}' stands for measured latency in budgets; give another name")


def renamed(profile: Profile, name: str) -> Profile:
    """Return a renamed profile. Raises OptionError for an invalid name."""
    check_name(name)
    return structs.replace(profile, name=name).sealed()


def words(profile: Profile) -> str:
    """Format the machine and the conditions of a profile: `RTX 4090, torch 2.4, float16`."""
    parts: list[Any] = [profile.machine.name, f"{profile.runtime} {profile.version}".strip()]
    if profile.threads is not None:
        parts.append(f"{profile.threads} thread{'s' * (profile.threads > 1)}")
    parts.append(profile.dtype)
    if profile.gpu is not None and profile.gpu.channels_last:
        parts.append("channels last")
    return ", ".join(parts)

"""Read pickles of numpy byte arrays without running anything that they name.

A pickle is a program: it can call anything that it can import. Here it can import four names, each
of which is a stand-in that only stores its arguments. `pickle` documents this way of restricting
it; the Python implementation is used, because the one in C allocates memory for any index that a
few bytes claim.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from archscope.errors import DataError


class _Type:
    """A stand-in for a dtype; only bytes are accepted."""

    def __init__(self, code: object, *rest: object) -> None:
        if code not in ("u1", b"u1"):
            raise DataError(f"its arrays are of '{code}', expected bytes ('u1')")

    def __setstate__(self, state: object) -> None:
        """Ignore the byte order, which is irrelevant for bytes."""


class _Array:
    """A stand-in for an array until its content is known."""

    def __init__(self, *rest: object) -> None:
        self.value: NDArray[np.uint8] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, content = state
        if not isinstance(kind, _Type) or not isinstance(content, bytes):
            raise DataError("its arrays are not of bytes")
        flat = np.frombuffer(content, dtype=np.uint8)
        self.value = flat.reshape(shape, order="F" if fortran else "C")


ALLOWED = {
    (f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")
} | {("numpy", "ndarray"): _Array, ("numpy", "dtype"): _Type}  # fmt: skip
UNUSED = (
    pickle.PERSID, pickle.BINPERSID, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.INST,
    pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.BYTEARRAY8, pickle.NEXT_BUFFER,
)  # fmt: skip
"""Instructions that data sets do not need."""


class _Unpickler(pickle._Unpickler):
    dispatch: ClassVar[dict[int, Any]] = {
        code: run
        for code, run in pickle._Unpickler.dispatch.items()
        if code not in {unused[0] for unused in UNUSED}
    }

    def find_class(self, module: str, name: str, /) -> Any:
        """Return a stand-in; nothing is ever imported."""
        if (module, name) not in ALLOWED:
            raise DataError(f"it names '{module}.{name}', which no data set needs")
        return ALLOWED[module, name]


def mapping(data: bytes, path: Path | str) -> dict[str, Any]:
    """Return the dict at the top of a pickle, with byte arrays as uint8 arrays.

    Text written by Python 2 is returned as bytes; keys are text. Raises DataError for anything
    except plain values and such arrays, before it can do harm.
    """
    try:
        # Only stand-ins can be called, see above.
        value = _Unpickler(io.BytesIO(data), encoding="bytes").load()
    except DataError as error:
        raise DataError(f"'{path}' is rejected: {error}") from None
    except Exception as error:  # a broken pickle can raise anything
        raise DataError(f"'{path}' is not a valid pickle: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise DataError(f"'{path}' must contain a dict, got {type(value).__name__}")
    return {
        key.decode("latin-1") if isinstance(key, bytes) else str(key): (
            entry.value if isinstance(entry, _Array) else entry
        )
        for key, entry in value.items()
    }

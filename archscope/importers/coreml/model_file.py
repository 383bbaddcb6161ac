"""Read a model of Core ML: a `.mlmodel` file, or the folder of an `.mlpackage`."""

from __future__ import annotations

from pathlib import Path

from msgspec import MsgspecError, Struct, json

from archscope.errors import DataError, UnavailableError
from archscope.importers.coreml.messages import Message, MessageReader
from archscope.importers.coreml.schema import MESSAGES, NETWORKS, OTHERS
from archscope.importers.coreml.stored import WeightStore
from archscope.importers.file_content import content_of
from archscope.signatures import BEGIN, described

MANIFEST = "Manifest.json"
MOST_MANIFEST = 1 << 20


class Item(Struct, frozen=True):
    """An entry of a manifest."""

    path: str = ""


class Manifest(Struct, frozen=True, rename="camel"):
    """The list of what is in a package."""

    item_info_entries: dict[str, Item] = {}
    root_model_identifier: str = ""


def read_model(path: Path) -> tuple[Message, WeightStore]:
    """Return the model of a file or package, and its numbers. Raises ArchscopeError."""
    file = _model_of_package(path) if path.is_dir() else path
    content = content_of(file)
    try:
        model = MessageReader(content, MESSAGES).read("model")
    except ValueError:
        what = described(bytes(content[:BEGIN]))
        reason = f", but {what}" if what else ", or is damaged or truncated"
        raise DataError(f"is not a model of Core ML{reason}") from None
    kinds = [name for name in OTHERS.values() if name in model]
    if kinds:
        raise DataError(
            f"is a {kinds[0]}, which is no single network; expected an mlProgram or neuralNetwork"
        )
    if "mlProgram" not in model and not any(name in model for name in NETWORKS.values()):
        raise DataError("is not a model of Core ML: it has neither a program nor a network")
    return model, WeightStore(file, content)


def _model_of_package(path: Path) -> Path:
    """Return the file of the model in a package. Raises DataError."""
    manifest = path / MANIFEST
    try:
        size = manifest.stat().st_size
        text = manifest.read_bytes() if size <= MOST_MANIFEST else b""
    except OSError:
        raise UnavailableError(f"is a folder without {MANIFEST}, so it is no package") from None
    try:
        found = json.decode(text, type=Manifest)
    except (MsgspecError, UnicodeDecodeError):
        raise DataError(f"its {MANIFEST} is not a list of what is in a package") from None
    item = found.item_info_entries.get(found.root_model_identifier)
    if item is None or not item.path:
        raise DataError(f"its {MANIFEST} does not say where its model is")
    data = path / "Data"
    file = data / item.path
    try:
        inside = file.resolve().is_relative_to(data.resolve())
    except (OSError, ValueError):
        inside = False
    if not inside:
        raise DataError(f"its {MANIFEST} names '{item.path[:60]}', which is outside of the package")
    if not file.is_file():
        raise UnavailableError(f"its {MANIFEST} names 'Data/{item.path[:100]}', which is missing")
    return file

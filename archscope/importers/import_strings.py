"""Parse names of PyTorch modules: `mynet.py`, `mynet:Net`, `pkg/net.py:Net(width=32)`.

Nothing is imported here: files are parsed, and arguments in parentheses are literals.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from archscope.errors import OptionError, SpecError, WordError, did_you_mean, reason_of

_NAME = r"[A-Za-z_]\w*"
_DOTTED = rf"{_NAME}(?:\.{_NAME})*"
PATTERN = rf"[^\n]*\.py|(?:[^\n]*\.py|{_DOTTED}):{_DOTTED}(?:\([^\n]*)?"
"""The regular expression of import strings."""
REGISTRIES = {"timm": "timm", "torchvision": "torchvision.models"}
"""Packages that make models by name, and their modules with the list of names."""
_PARTS = re.compile(
    rf"(?P<file>.*\.py)?(?P<module>{_DOTTED})?(?::(?P<name>{_DOTTED})(?P<call>.*))?"
)
BASES = {"Module", "LightningModule", "Sequential", "ModuleList", "ModuleDict"}
"""Base classes of networks; a class with a `forward` is a network, too."""
OTHERS = {"ABC", "Enum", "Exception", "Generic", "NamedTuple", "Protocol", "TypedDict", "object"}
"""Base classes that do not make a class a network."""


class ImportString(Struct, frozen=True):
    """A Python module as a file or dotted name, a name in it, and arguments."""

    text: str
    file: Path | None
    module: str
    name: str  # empty: the only nn.Module of a file
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    called: bool = False


def parse(text: str) -> ImportString:
    """Parse an import string. Raises OptionError for arguments that are not literals.

    For a file without a name, the name is that of its only network. Raises WordError if there are
    several or none.
    """
    parts = _PARTS.fullmatch(text)
    assert parts is not None, "the format says which texts are import strings"
    file = Path(parts["file"]) if parts["file"] else None
    args, kwargs = _arguments(text, parts["call"] or "")
    name = parts["name"] or ""
    if file is not None and not file.is_file():
        raise _no_file(text, file)
    if file is not None and not name:
        name = only_network(file, text)
    return ImportString(text, file, parts["module"] or "", name, args, kwargs, bool(parts["call"]))


def file_of(word: str) -> Path | None:
    """Return the Python file that a bare word such as `mynet` or `pkg.net` means, if any."""
    if not re.fullmatch(_DOTTED, word):
        return None
    path = Path(*word.split("."))
    found = (path.with_name(f"{path.name}.py"), path / "__init__.py")
    return next((file for file in found if file.is_file()), None)


def with_colon(word: str) -> str | None:
    """Return `mynet:Net` for `mynet.Net` if there is a file or a package `mynet`.

    Models of packages that list them may also be written as `timm/resnet18`.
    """
    from importlib.util import find_spec

    path = re.fullmatch(rf"({'|'.join(REGISTRIES)})/({_DOTTED}(?:\([^\n]*)?)", word)
    if path is not None:
        return f"{path[1]}:{path[2]}"
    if not re.fullmatch(rf"{_DOTTED}\.{_NAME}(?:\([^\n]*)?", word) or Path(word).exists():
        return None
    dotted, bracket, rest = word.partition("(")
    module, _, name = dotted.rpartition(".")
    package = module.partition(".")[0]
    if file_of(module) is None and find_spec(package) is None:
        return None
    return f"{module}:{name}{bracket}{rest}"


def only_network(file: Path, word: str) -> str:
    """Return the name of the only network in a file. Raises WordError if there is not one."""
    tree = _tree(file)
    networks = list(networks_in(tree))
    place = file.as_posix()
    if len(networks) == 1:
        return networks[0]
    if networks:
        listed = ", ".join(f"{place}:{name}" for name in networks)
        raise WordError(
            f"'{word}' defines several networks: {listed}",
            word,
            f"{place}:{_easiest(tree, networks)}",
        )
    makers = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    if not makers and file.name == "__init__.py":
        _refuse_package(file, word)
    if not makers:
        raise OptionError(f"'{word}' defines no class that is an nn.Module, and no function")
    raise WordError(
        f"'{word}' defines no class that is an nn.Module; if a function returns one, name it",
        word,
        f"{place}:{makers[-1]}",
    )


def networks_in(tree: ast.Module) -> Iterator[str]:
    """Yield the classes of networks that no other class in the file uses, in order."""
    modules: dict[str, ast.ClassDef] = {}
    likely: dict[str, ast.ClassDef] = {}
    for node in tree.body:  # base classes come first
        if not isinstance(node, ast.ClassDef):
            continue
        bases = {_last(base) for base in node.bases}
        functions = [part.name for part in node.body if isinstance(part, ast.FunctionDef)]
        if bases & (BASES | modules.keys()) or (bases and "forward" in functions):
            modules[node.name] = node
        elif bases - OTHERS:  # from another file
            likely[node.name] = node
    modules = modules or likely
    used = {
        part.id
        for name, node in modules.items()
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and part.id != name
    }
    whole = [name for name in modules if name not in used]
    yield from whole or modules


def _refuse_package(file: Path, word: str) -> None:
    """Raise WordError for a package whose networks are in one other file of its folder."""
    others = [
        other.as_posix()
        for other in sorted(file.parent.glob("*.py"))
        if other != file and list(networks_in(_tree(other)))
    ]
    if others:
        message = f"'{word}' is a package; networks are in {', '.join(others)}"
        raise WordError(message, word, others[-1])


def _easiest(tree: ast.Module, networks: list[str]) -> str:
    """Return the last of the networks that need no arguments and take one input, or the last."""

    def trouble(name: str) -> int:
        """Return how many arguments and inputs must be named."""
        methods = {
            part.name: part for part in classes[name].body if isinstance(part, ast.FunctionDef)
        }
        made, called = (methods.get(method) for method in ("__init__", "forward"))
        return _required(made) + (abs(_required(called) - 1) if called else 0)

    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    return min(reversed(networks), key=trouble)


def _required(method: ast.FunctionDef | None) -> int:
    """Return the number of arguments without a default, but for `self`."""
    if method is None:
        return 0
    args = method.args
    named = sum(default is None for default in args.kw_defaults)
    return len(args.posonlyargs) + len(args.args) - len(args.defaults) + named - 1


def _last(base: ast.expr) -> str:
    """Return the last name of `nn.Module` or `Generic[T]`."""
    if isinstance(base, ast.Subscript):
        base = base.value
    if isinstance(base, ast.Attribute):
        return base.attr
    return base.id if isinstance(base, ast.Name) else ""


def _tree(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes())
    except OSError as error:
        raise OptionError(f"cannot read '{file.as_posix()}': {reason_of(error)}") from None
    except SyntaxError as error:
        place = f"{file.as_posix()}:{error.lineno or 1}:{error.offset or 1}"
        raise SpecError(f"invalid Python: {error.msg}", place) from None
    except ValueError as error:
        raise OptionError(f"'{file.as_posix()}' is not Python source: {error}") from None


def _no_file(text: str, file: Path) -> OptionError:
    near = did_you_mean(file.name, [path.name for path in file.parent.glob("*.py")])
    return OptionError(f"'{text}': there is no file '{file.as_posix()}'{near}")


def _arguments(text: str, call: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments in parentheses, which are never evaluated."""
    if not call:
        return (), {}
    wanted = f"'{text}': expected literals as arguments, such as (width=32, name='a'), got '{call}'"
    try:
        tree = ast.parse(f"_{call}", mode="eval").body
        if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
            raise OptionError(wanted)
        kwargs = {each.arg: ast.literal_eval(each.value) for each in tree.keywords if each.arg}
        if len(kwargs) < len(tree.keywords):
            raise OptionError(wanted)
        args = tuple(map(ast.literal_eval, tree.args))
        if Ellipsis in (*args, *kwargs.values()):  # of a message that says which are missing
            raise OptionError(wanted)
        return args, kwargs
    except (SyntaxError, ValueError, MemoryError, RecursionError, TypeError):
        raise OptionError(wanted) from None

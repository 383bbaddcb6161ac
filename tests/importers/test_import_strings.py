"""Import strings of PyTorch modules, and model files that cannot be read."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archscope.errors import ArchscopeError, OptionError, WordError
from archscope.importers.import_strings import networks_in, only_network, parse, with_colon
from archscope.importers.other_files import KINDS, READ
from archscope.sources import is_foreign, resolved
from tests.cli.conftest import Run, run

__all__ = ["run"]

NET = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        return x + self.conv(x)

class MyNet(nn.Module):
    def __init__(self, width=16, classes=10):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3)
        self.block = Block(width)
        self.head = nn.Linear(width * 26 * 26, classes)

    def forward(self, x):
        x = self.stem(x)
        return self.head(self.block(x).flatten(1))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    Path("mynet.py").write_text(NET, encoding="utf-8")
    package = Path("pkg")
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "base.py").write_text(
        "from torch import nn\nclass Base(nn.Sequential):\n"
        "    def __init__(self):\n        super().__init__(nn.Conv2d(3, 4, 3))\n"
    )
    (package / "net.py").write_text("from .base import Base\nclass Net(Base):\n    pass\n")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("mynet", "pkg"):
            del sys.modules[name]


@pytest.mark.parametrize(
    "word",
    ["mynet", "mynet.py", "./mynet.py", "mynet:MyNet", "mynet.py:MyNet", "mynet:MyNet(width=16)",
     "mynet.py:MyNet(16, classes=10)"],
)  # fmt: skip
def test_every_way_to_name_a_module_works(run: Run, folder: Path, word: str) -> None:
    assert is_foreign(word)
    result = run("analyze", word, "--input", "1x28x28", "--format", "csv")
    assert (result.code, result.err) == (0, "")
    assert "block.conv" in result.out


@pytest.mark.parametrize("word", ["pkg.net", "pkg/net.py", "pkg/net.py:Net", "pkg.net:Net"])
def test_a_file_of_a_package_may_import_from_it(run: Run, folder: Path, word: str) -> None:
    assert run("analyze", word).code == 0


def test_arguments_reach_the_class(run: Run, folder: Path) -> None:
    for width in (8, 32):
        result = run("analyze", f"mynet:MyNet(width={width})", "--input", "1x28x28")
        assert f"{width}x26x26" in result.out


def test_a_local_file_wins_over_a_module_that_is_loaded(run: Run, folder: Path) -> None:
    import code  # of the standard library

    Path("code.py").write_text(NET, encoding="utf-8")
    assert run("analyze", "code:MyNet", "--input", "1x28x28").code == 0
    assert hasattr(code, "InteractiveConsole")


def test_specs_and_the_zoo_win_over_files_of_python(folder: Path) -> None:
    Path("lenet5.py").write_text(NET, encoding="utf-8")
    assert resolved("lenet5") == "lenet5"
    assert resolved("mynet") == "mynet.py"
    assert resolved("pkg") == "pkg/__init__.py"
    assert not is_foreign("lenet5")


@pytest.mark.parametrize(
    "words, said, typed",
    [
        ("mynet", "'MyNet' does not run on 3x224x224, but on 1x28x28",
         "analyze mynet.py --input 1x28x28"),
        ("mynet.py:MyNt --batch 2", "'mynet.py' has no 'MyNt'",
         "analyze mynet.py:MyNet --batch 2"),
        ("mynet:Block", "'mynet:Block' needs 'width'", "analyze 'mynet:Block(width=...)'"),
        ("two.py --fold 1", "'two.py' defines several networks: two.py:First, two.py:Second",
         "analyze two.py:Second --fold 1"),
        ("maker.py", "'maker.py' defines no class that is an nn.Module; if a function returns one,"
         " name it", "analyze maker.py:build"),
        ("net.weights", "'net.weights' is weights of darknet", "analyze net.cfg"),
    ],
)  # fmt: skip
def test_where_the_right_command_is_known_it_is_said(
    run: Run, folder: Path, words: str, said: str, typed: str
) -> None:
    Path("two.py").write_text(
        "from torch import nn\nclass First(nn.Module): ...\nclass Second(nn.Module): ...\n",
        encoding="utf-8",
    )
    Path("maker.py").write_text("def build():\n    return None\n", encoding="utf-8")
    Path("net.weights").touch()
    Path("net.cfg").touch()
    result = run("analyze", *words.split())
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[-1] == f"error: {said}; type: archscope {typed}"


@pytest.mark.parametrize(
    "word, said",
    [
        ("nonet.py", "'nonet.py': there is no file 'nonet.py', did you mean 'mynet.py'?"),
        ("broken.py", "broken.py:2:"),
        ("empty.py", "'empty.py' defines no class that is an nn.Module, and no function"),
        ("mynet:MyNet(width=__import__('os'))", "expected literals as arguments"),
        ("mynet:MyNet(width=...)", "expected literals as arguments"),
        ("mynet:MyNet(*[1])", "expected literals as arguments"),
        ("mynet:MyNet(**{})", "expected literals as arguments"),
        ("mynet:MyNet()()", "expected literals as arguments"),
        ("mynet:MyNet(1", "expected literals as arguments"),
        ("mynet:MyNet(depth=3)", "got an unexpected keyword argument 'depth'; it takes (width=16"),
    ],
)
def test_other_mistakes_are_one_line(run: Run, folder: Path, word: str, said: str) -> None:
    Path("broken.py").write_text("x = 1\ndef net(:\n", encoding="utf-8")
    Path("empty.py").write_text("import os\n", encoding="utf-8")
    result = run("analyze", word)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ") and result.err.count("\n") == 1
    assert said in result.err


def test_arguments_are_never_evaluated(folder: Path) -> None:
    with pytest.raises(OptionError):
        parse("mynet:MyNet(width=open('made', 'w'))")
    assert not Path("made").exists()


@pytest.mark.parametrize(
    "text, found",
    [
        ("class A(nn.Module): pass", ["A"]),
        ("class A(torch.nn.Module): pass\nclass B(A): pass", ["B"]),
        ("class A(Module):\n  def f(self): return B()\nclass B(Module): pass", ["A"]),
        ("class A(pl.LightningModule): pass", ["A"]),
        ("class A(Base):\n  def forward(self, x): return x", ["A"]),
        ("class A(Base): pass", ["A"]),
        ("class A(Enum): pass\nclass B(nn.Module): pass", ["B"]),
        ("class A: pass\nclass E(Enum): pass", []),
        ("class A(nn.Module): pass\nclass B(nn.Module): pass", ["A", "B"]),
        ("class A(nn.Module):\n  b: B\nclass B(nn.Module):\n  a: A", ["A", "B"]),
        ("class A(Generic[T], nn.Module): pass", ["A"]),
    ],
)
def test_networks_of_a_file(text: str, found: list[str]) -> None:
    assert list(networks_in(ast.parse(text))) == found


@pytest.mark.parametrize("suffix", KINDS)
def test_files_that_are_not_read_say_what_they_are(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(f"some net{suffix}")
    missing = run("analyze", path.name).err
    assert "is no file" in missing or "there is no such file" in missing
    path.touch()
    what, advice = KINDS[suffix]
    for command in ("analyze", "lint", "report", "import"):
        result = run(command, path.name, *(["-o", "x.html"] if command == "report" else []))
        assert result.code == 2
        assert f"error: '{path}' is {what}; {advice}\n" == result.err
    beside = path.with_suffix(READ[1])
    beside.touch()
    result = run("compare", path.name, "--fused")
    assert result.err == (
        f"error: '{path}' is {what}; type: archscope compare '{beside.name}' --fused\n"
    )


def test_an_unknown_word_error_is_a_plain_sentence_in_python(folder: Path) -> None:
    with pytest.raises(WordError, match=r"^'two' has several networks: a, b$"):
        raise WordError("'two' has several networks: a, b", "two", "a")
    assert issubclass(WordError, ArchscopeError)


HEAD = "from torch import nn\n"


@pytest.mark.parametrize(
    ("source", "easiest"),
    [
        ("class A(nn.Module): ...\nclass B(nn.Module): ...\n", "B"),
        ("class A(nn.Module): ...\nclass B(nn.Module):\n def __init__(self, width): ...\n", "A"),
        ("class A(nn.Module): ...\nclass B(nn.Module):\n def forward(self, x, y): ...\n", "A"),
        ("class A(nn.Module): ...\nclass B(nn.Module):\n def forward(self, x, y=1): ...\n", "B"),
        ("class A(nn.Module): ...\nclass B(nn.Module):\n def __init__(self, *, w): ...\n", "A"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_of_several_networks_that_is_named_which_runs_as_it_is(source: str, easiest: str) -> None:
    Path("several.py").write_text(f"{HEAD}{source}", encoding="utf-8")
    with pytest.raises(WordError) as caught:
        only_network(Path("several.py"), "several.py")
    assert caught.value.instead == f"several.py:{easiest}"


@pytest.mark.usefixtures("folder")
def test_a_package_names_its_files_with_networks() -> None:
    with pytest.raises(WordError, match=r"is a package; networks are in pkg/base\.py") as caught:
        only_network(Path("pkg/__init__.py"), "pkg")
    assert caught.value.instead == "pkg/net.py"


@pytest.mark.parametrize(
    ("word", "right"),
    [
        ("mynet.MyNet", "mynet:MyNet"),
        ("pkg.net.Net(3, a='b')", "pkg.net:Net(3, a='b')"),
        ("json.decoder", "json:decoder"),  # packages are found, not imported
        ("nosuchpackage.Net", None),
        ("mynet", None),
        ("mynet.MyNet -> x", None),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_dot_in_place_of_the_colon(word: str, right: str | None) -> None:
    assert with_colon(word) == right

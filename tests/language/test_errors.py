"""Every mistake gives one error that says where, what was expected and what came instead.

The cases are the files of tests/errors, each with its message in the first line. What cannot be
such a file stands here; texts that ask for too much stand in test_limits.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from archscope.errors import ArchscopeError, LimitError, OptionError, SpecError
from archscope.language import load
from tests.language.texts import INPUT, refusal

CORPUS = sorted((Path(__file__).parents[1] / "errors").glob("*.yaml"))
KINDS = {"error": SpecError, "limit": LimitError}


def test_the_corpus_is_here() -> None:
    assert len(CORPUS) > 100


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_corpus(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    kind, _, message = first.removeprefix("# ").partition(": ")
    with pytest.raises(ArchscopeError) as caught:
        load(path)
    assert str(caught.value) == message.replace("{file}", path.as_posix())
    assert type(caught.value) is KINDS[kind]


@pytest.mark.parametrize(
    "data", [b"", b" \n\n", b"# only words\n", b"~", b"\xef\xbb\xbf", b"---\n"]
)
def test_nothing_in_the_file(data: bytes) -> None:
    assert refusal(data) == "the file is empty, expected a spec"


def test_bytes_that_are_no_text() -> None:
    assert refusal(b"\xff\xfei\x00") == (
        "expected a spec, but this is text in UTF-16; save it as UTF-8"
    )
    assert refusal(b"\xffi\x00") == "1:1: expected UTF-8 text, got the byte 0xff"
    assert refusal(b"about: nothing\nname: caf\xe9") == (
        "2:10: expected UTF-8 text, got the byte 0xe9"
    )
    assert refusal(b"name: \0") == "1:7: not YAML: control characters are not allowed"


def test_words_of_python_about_syntax() -> None:
    # What Python says of the syntax changes from version to version.
    for expression in ("=8 if first", "=8if 1 else 2", r'"=8\0"', "=8 +", "=for"):
        said = refusal(f"layers: [conv: {expression}]")
        assert said.startswith("2:16: not an expression (")
        assert said.endswith("' (at layers[0])")


def said_of(source: str | Path) -> str:
    with pytest.raises(ArchscopeError) as caught:
        load(source)
    return str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    (tmp_path / "resnet.yaml").touch()
    path = tmp_path / "resnt.yaml"
    assert said_of(path) == (
        f"{path.as_posix()}: there is no such file, did you mean 'resnet.yaml'?"
    )


def test_directory(tmp_path: Path) -> None:
    assert said_of(tmp_path) == (
        f"{tmp_path.as_posix()}: this is a directory, expected a spec file"
    )


@pytest.mark.parametrize(
    "name, message",
    [
        ("nul\0.yaml", r"nul\x00.yaml: there is no such file"),
        ("nul\0", r"'nul\x00' is no file, no pattern and no network of the zoo"),
        ("long" * 2000, f"'{'long' * 14}l...' is no file, no pattern and no network of the zoo"),
        ("long" * 2000 + ".yaml", f"{'long' * 249}l...: cannot read it: "),
    ],
    ids=["nul.yaml", "nul", "long", "long.yaml"],
)
def test_names_that_no_file_can_have(name: str, message: str) -> None:
    assert said_of(name).startswith(message)


def test_what_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "net.yaml"
    path.touch()
    monkeypatch.setattr(Path, "open", refuse)
    assert said_of(path) == f"{path.as_posix()}: cannot read it: permission denied"
    assert said_of(tmp_path) == f"{tmp_path.as_posix()}: this is a directory, expected a spec file"


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to(tmp_path / "b.yaml")
    (tmp_path / "b.yaml").symlink_to(tmp_path / "a.yaml")
    assert "which leads to no file" in said_of(tmp_path / "a.yaml")


def test_files_in_a_circle(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{name}.yaml").write_text(f"use: {other}.yaml\n", encoding="utf-8")
    assert said_of(tmp_path / "a.yaml") == (
        f"{(tmp_path / 'c.yaml').as_posix()}:1:6: files use each other in a circle:"
        " a.yaml -> b.yaml -> c.yaml -> a.yaml"
    )


def test_name_of_no_network() -> None:
    with pytest.raises(OptionError, match=r"^'vgg61' is no file, no pattern and no network of the"):
        load("vgg61")
    assert said_of("googlenetbn").endswith("the zoo, did you mean 'googlenet_bn'?")


def test_error_in_a_file_that_is_used(tmp_path: Path) -> None:
    blocks = tmp_path / "blocks.yaml"
    blocks.write_text("blocks:\n  b: {layers: [cnov]}\n", encoding="utf-8")
    spec = tmp_path / "net.yaml"
    spec.write_text(f"use: blocks.yaml\n{INPUT}layers: [b]\n", encoding="utf-8")
    assert said_of(spec) == (
        f"{blocks.as_posix()}:2:16: unknown operator or block 'cnov', did you mean 'conv'?"
        " (at blocks.b.layers[0])"
    )

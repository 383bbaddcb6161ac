"""Files that are no network of OpenVINO IR, and broken ones: each is refused in a line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import archscope
from archscope.errors import ArchscopeError
from archscope.importers.formats import format_of
from archscope.sources import imported
from tests.importers.openvino.writer import small_network

pytest.importorskip("onnx", reason="needs archscope[onnx]")


def refusal(path: Path) -> str:
    """Return what is said of a file."""
    with pytest.raises(ArchscopeError) as caught:
        imported(str(path))
    said = str(caught.value)
    assert said.startswith(path.as_posix())
    assert "\n" not in said
    assert len(said) < 500
    return said


ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "e"}">' for n in range(10))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'<!DOCTYPE net [{ENTITIES}]><net version="11">&e9;</net>', "a document type is not"),
        ('<!DOCTYPE net SYSTEM "/etc/passwd"><net version="11"/>', "a document type is not"),
        ('<net version="7"><layers/></net>', "is version 7 of the format, expected 10 or 11"),
        ('<net version="11"><layers/></net>', "has no layers"),
        ("<html></html>", "but XML of 'html'"),
        ('<net version="11"><layers><layer id="0"/></layers></net>', "line 1: a layer needs"),
        ("", "no valid XML"),
        ('<net version="11">' + "<a>" * 100, "nested deeper than the limit of 64"),
    ],
)
def test_what_is_no_network_is_refused(text: str, words: str, tmp_path: Path) -> None:
    from archscope.importers.openvino import from_file

    path = tmp_path / "net.xml"
    path.write_text(text)
    with pytest.raises(ArchscopeError, match=words):
        from_file(path)


def test_other_xml_is_no_network(tmp_path: Path) -> None:
    path = tmp_path / "other.xml"
    path.write_text("<project/>")
    assert format_of(str(path)) is None
    with pytest.raises(ArchscopeError, match="no network of OpenVINO; its networks"):
        archscope.load(str(path))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('to-layer="2"', 'to-layer="99"', "an edge names a layer that the file does not have"),
        ('from-port="0" to-layer="2"', 'from-port="7" to-layer="2"', "names a port"),
        ('<edge from-layer="0" from-port="0" to-layer="2" to-port="0"/>', "", "has no edge"),
        ('from-layer="0" from-port="0" to-layer="2"', 'from-layer="2" from-port="2" to-layer="2"',
         "read each other in a circle"),
        ('strides="1,1"', 'strides="1,one"', "does not follow OpenVINO's definition"),
        ('strides="1,1"', 'strides="-1,1"', "net.xml"),
        ('element_type="f32" size', 'element_type="nf4" size', "numbers of the type nf4"),
        ('size="1728"', 'size="12"', "is said to take 12 bytes, expected 1728"),
        ('offset="0"', 'offset="99999999"', "weights of"),
        ('shape="6,8,3,3"', 'shape="6,8,3,-3"', "is said to take"),
        ("<dim>3</dim>", "<dim>three</dim>", "'three' is not the size of an axis"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_line(old: str, new: str, words: str, tmp_path: Path) -> None:
    net, y = small_network()
    path = net.save(tmp_path, y)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert words in refusal(path)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    net, y = small_network()
    path = net.save(tmp_path, y)
    text, weights = path.read_text(), path.with_suffix(".bin").read_bytes()
    for end in range(100, len(text) - 10, 397):
        path.write_text(text[:end])
        refusal(path)
    path.write_text(text)
    path.with_suffix(".bin").write_bytes(weights[: len(weights) // 2])
    assert "net.bin" in refusal(path)


@pytest.mark.parametrize("value", ["0", "-1", "1000000000", "1" + "0" * 30, "nan", "abc", ""])
def test_a_wrong_number_is_refused_in_a_line_or_does_no_harm(value: str, tmp_path: Path) -> None:
    net, y = small_network()
    path = net.save(tmp_path, y)
    text = path.read_text()
    refused = 0
    for number in list(re.finditer(r'(?<=[",>])-?\d+(?=["<,])', text))[::17]:
        path.write_text(text[: number.start()] + value + text[number.end() :])
        try:
            archscope.analyze(imported(str(path)).graph)
        except ArchscopeError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 5

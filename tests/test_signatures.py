"""What files are by their first bytes."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from archscope.language import zoo
from archscope.signatures import described


def picture(form: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, form)
    return file.getvalue()


def archive() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("net.yaml"))
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("net.yaml", "")
    return file.getvalue()


def saved(write: object, value: object) -> bytes:
    file = io.BytesIO()
    write(file, value) if write is np.save else write(value, file)  # type: ignore[operator]
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (picture("PNG"), "a PNG image"),
        (picture("JPEG"), "a JPEG image"),
        (picture("GIF"), "a GIF image"),
        (picture("TIFF"), "a TIFF image"),
        (picture("PDF"), "a PDF document"),
        (zipped(), "a ZIP archive"),
        (archive(), "a tar archive"),
        (gzip.compress(b"input"), "an archive compressed with gzip"),
        (pickle.dumps({}), "a pickle of Python"),
        (saved(torch.save, {}), "a ZIP archive"),
        (saved(np.save, np.zeros(3)), "a NumPy array"),
        (save({"a": torch.zeros(3)}), "a file of weights (.safetensors)"),
        ("input".encode("utf-16"), "text in UTF-16"),
        ("input".encode("utf-32"), "text in UTF-32"),
        (b"\n<HTML>", "a web page"),
    ],
)
def test_files_that_others_write(data: bytes, what: str) -> None:
    assert described(data).startswith(what)


@pytest.mark.parametrize(
    "text", ["", "i", "\ufeffinput: [3, 8, 8]", 'inputs: {"image": [3, 8, 8]}', "# %PDF", "---\n"]
)
def test_text_that_may_be_a_spec(text: str) -> None:
    assert described(text.encode()) == ""


def test_no_network_of_the_zoo_is_taken_for_something_else() -> None:
    assert not any(described(path.read_bytes()) for path in zoo().values())

"""Files of data sets: read as they are meant, refused when broken, never run."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from archscope.datasets import Dataset, archives, restricted_pickle
from archscope.datasets.sources import cifar, mnist
from archscope.errors import DataError

RANDOM = np.random.default_rng(0)
SIDE, COUNT = 5, 12
PICTURES = RANDOM.integers(0, 256, (COUNT, SIDE, SIDE), dtype=np.uint8)
LABELS = np.arange(COUNT, dtype=np.uint8) % 10


def idx_bytes(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def read_pair(folder: Path, images: bytes, labels: bytes, sums: tuple[str, str]) -> Any:
    paths = folder / "train-images-idx3-ubyte.gz", folder / "train-labels-idx1-ubyte"
    paths[0].write_bytes(images)
    paths[1].write_bytes(labels)
    return mnist.pair(*paths, COUNT, sums, SIDE)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


IMAGES, KINDS = idx_bytes(PICTURES), idx_bytes(LABELS)
SUMS = (md5(IMAGES), md5(KINDS))


def test_idx(tmp_path: Path) -> None:
    got = read_pair(tmp_path, gzip.compress(IMAGES), KINDS, SUMS)
    assert np.array_equal(got.images[:, 0].numpy(), PICTURES)
    assert np.array_equal(got.labels.numpy(), LABELS)
    again = read_pair(tmp_path, IMAGES, gzip.compress(KINDS), SUMS)  # packed or not, by content
    assert torch.equal(got.images, again.images)


@pytest.mark.parametrize(
    "images, message",
    [
        (gzip.compress(IMAGES)[:-9], "is incomplete"),
        (gzip.compress(IMAGES)[:-8] + bytes(8), "is damaged: CRC check failed"),
        (IMAGES[:-1], "should have 316 bytes for 12x5x5, has 315"),
        (IMAGES + b"x", "should have 316 bytes for 12x5x5, has 317"),
        (idx_bytes(PICTURES[1:]), "should hold 12x5x5 bytes, holds 11x5x5"),
        (KINDS, "expected magic number 00000803, got 00000801"),
        (b"", "got nothing"),
        (b"\x00\x00\x08\x03", "should have"),
        (b"\x00\x00\x08\x03" + b"\xff" * 12, "has 16"),
        (IMAGES[:-1] + b"x", "is not the official file: expected md5"),
    ],
)
def test_idx_broken(tmp_path: Path, images: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_pair(tmp_path, images, KINDS, SUMS)
    assert "train-images-idx3-ubyte.gz" in str(caught.value)


def test_files_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(2000))
    with pytest.raises(DataError, match="larger than the limit of 1,999 bytes"):
        archives.raw(path, 1999)
    with pytest.raises(DataError, match="larger than the limit of 1,999 bytes"):
        archives.unpacked(gzip.compress(bytes(2000)), path, 1999)
    with pytest.raises(DataError, match=r"cannot read .* no such file"):
        archives.raw(tmp_path / "none")


PER_FILE = 20
PIXELS = RANDOM.integers(0, 256, (6 * PER_FILE, 3072), dtype=np.uint8)


def small(layout: cifar.CifarLayout) -> cifar.CifarLayout:
    """The layout with few images and no known checksums."""
    files_of_training = len(layout.binary.train)
    return structs.replace(
        layout,
        train=PER_FILE * files_of_training,
        test=PER_FILE,
        classes=10,
        binary=structs.replace(layout.binary, sums={}),
        python=structs.replace(layout.python, sums={}),
    )


LAYOUTS = {"10": small(cifar.CIFAR10), "100": small(cifar.CIFAR100)}
NAMES = [f"kind{number}" for number in range(10)]


def parts(layout: cifar.CifarLayout, binary: bool) -> dict[str, bytes]:
    """Files as the official archives have them: binary records, or pickles of protocol 2."""
    form = layout.binary if binary else layout.python
    made: dict[str, bytes] = {}
    for number, name in enumerate((*form.train, *form.test)):
        pixels = PIXELS[number * PER_FILE : (number + 1) * PER_FILE]
        labels = np.arange(PER_FILE, dtype=np.uint8) % 10
        if binary:
            columns = [np.full((PER_FILE, 1), 9, np.uint8)] * (layout.label_bytes - 1)
            made[name] = np.concatenate([*columns, labels[:, None], pixels], axis=1).tobytes()
        else:
            made[name] = pickle.dumps({"data": pixels, layout.label_key: labels.tolist()}, 4)
    names = "\n".join(NAMES).encode() + b"\n\n"
    made[form.meta] = names if binary else pickle.dumps({layout.names_key: NAMES}, 4)
    return made


def packed(members: dict[str, bytes], prefix: str = "some/folder/") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def read(layout: cifar.CifarLayout, folder: Path) -> Dataset:
    paths = cifar.files(layout, folder)
    assert not isinstance(paths, str), paths
    return cifar.read(layout, paths, "cifar", "")


@pytest.mark.parametrize("name", LAYOUTS)
def test_cifar_in_every_form(name: str, tmp_path: Path) -> None:
    layout, digests = LAYOUTS[name], set()
    for binary in (True, False):
        form, members = layout.binary if binary else layout.python, parts(LAYOUTS[name], binary)
        archive, unpacked = tmp_path / f"archive{binary}", tmp_path / f"unpacked{binary}"
        (unpacked / form.folder).mkdir(parents=True)
        archive.mkdir()
        (archive / form.archive).write_bytes(packed(members, "../../etc/"))  # never extracted
        for file, data in members.items():
            (unpacked / form.folder / file).write_bytes(data)
        for folder in (archive, unpacked, unpacked / form.folder):
            data = read(layout, folder)
            digests.add(data.digest)
            assert data.classes == tuple(NAMES)
            assert data.test is not None
            expected = PIXELS[: layout.train].reshape(-1, 3, 32, 32)
            np.testing.assert_array_equal(data.train.images.numpy(), expected)
            assert data.test.labels.tolist() == [place % 10 for place in range(PER_FILE)]
    assert len(digests) == 1, "one content, one digest"
    assert not (tmp_path.parent / "etc").exists()


BINARY = parts(LAYOUTS["10"], True)
PYTHON = parts(LAYOUTS["10"], False)
FIRST = "data_batch_1"


def batch(**changes: object) -> bytes:
    return pickle.dumps({**pickle.loads(PYTHON[FIRST]), **changes}, 4)


@pytest.mark.parametrize(
    "members, message",
    [
        ({f"{FIRST}.bin": BINARY[f"{FIRST}.bin"][:-1]}, "records of 3,073 bytes, has 61,459 bytes"),
        ({f"{FIRST}.bin": b""}, "records of 3,073 bytes, has 0 bytes"),
        ({f"{FIRST}.bin": BINARY[f"{FIRST}.bin"] * 2}, "expected 100 images, got 120"),
        ({f"{FIRST}.bin": b"\x0a" + BINARY[f"{FIRST}.bin"][1:]}, "label 10, expected 0 to 9"),
        ({"batches.meta.txt": b"cat dog"}, "names 2 classes, expected 10"),
        ({FIRST: PYTHON[FIRST][:-50]}, "is not a valid pickle"),
        ({FIRST: b""}, "is not a valid pickle"),
        ({FIRST: pickle.dumps([1, 2])}, "must contain a dict, got list"),
        ({FIRST: batch(labels=[0])}, "holds 20 images and 1 labels"),
        ({FIRST: batch(labels=[0] * 19 + [10**30])}, "has label 10000.* expected 0 to 9"),
        ({FIRST: batch(labels=["a"] * 20)}, "should hold a list of numbers under 'labels'"),
        ({FIRST: batch(data=[1])}, r"should hold pixels \(n, 3072\)"),
        ({FIRST: batch(data=PIXELS[:20].astype(np.int64))}, "its arrays are of 'i8'"),
        ({FIRST: batch(data=np.array([None] * 20))}, "its arrays are of 'O8'"),
        ({"batches.meta": pickle.dumps({"label_names": NAMES[1:]})}, "names 9 classes"),
        ({"batches.meta": pickle.dumps({})}, "list of names under 'label_names'"),
    ],
)  # fmt: skip
def test_cifar_broken(members: dict[str, bytes], message: str, tmp_path: Path) -> None:
    (name,) = members
    binary = name in BINARY
    form = LAYOUTS["10"].binary if binary else LAYOUTS["10"].python
    (tmp_path / form.archive).write_bytes(packed({**(BINARY if binary else PYTHON), **members}))
    with pytest.raises(DataError, match=message) as caught:
        read(LAYOUTS["10"], tmp_path)
    assert form.archive in str(caught.value)


def test_archives_broken(tmp_path: Path) -> None:
    path = tmp_path / LAYOUTS["10"].python.archive
    whole = packed(PYTHON)
    lacking = {name: data for name, data in PYTHON.items() if name != FIRST}
    for data, message in (
        (whole[:-2000], "is incomplete"),
        (whole[:-8] + bytes(8), "is damaged"),
        (gzip.compress(gzip.decompress(whole)[:100_000]), "not a valid tar archive|is incomplete"),
        (b"", "not a valid tar archive"),
        (b"not a tar" * 999, "not a valid tar archive"),
        (packed(lacking), "has no data_batch_1"),
    ):
        path.write_bytes(data)
        with pytest.raises(DataError, match=message) as caught:
            read(LAYOUTS["10"], tmp_path)
        assert path.name in str(caught.value)


def test_links_in_archives_are_not_followed(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            info = tarfile.TarInfo(FIRST)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    with pytest.raises(DataError, match=r"'data_batch_1' in .* is not a regular file"):
        archives.members(buffer.getvalue(), tmp_path / "a.tar", [FIRST])


def test_names_that_occur_twice(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in "ab":
            archive.addfile(tarfile.TarInfo(f"{folder}/{FIRST}"))
    with pytest.raises(DataError, match="holds two files named 'data_batch_1'"):
        archives.members(buffer.getvalue(), tmp_path / "a.tar", [FIRST])


def test_checksums_are_checked(tmp_path: Path) -> None:
    layout = cifar.CIFAR10
    path = tmp_path / layout.python.archive
    path.write_bytes(packed(PYTHON))
    with pytest.raises(DataError, match="expected md5 c58f30108f718f92721af3b95e74349a, got"):
        read(layout, tmp_path)
    path.unlink()
    for name, data in PYTHON.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match="data_batch_1' is not the official file"):
        read(layout, tmp_path)


def protocol_2(module: str, name: str, argument: str) -> bytes:
    """A pickle that calls module.name(argument)."""
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"U\x04" + argument.encode() + b"\x85R."


class Runs:
    """What attackers pickle: an object whose loading calls a function."""

    def __init__(self, call: object, *arguments: object) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> Any:
        return self.call, self.arguments


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("call", [os.mkdir, eval, exec, getattr, __import__, np.load, np.zeros])
def test_malicious_pickles_are_refused(
    call: object, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for value in (Runs(call, "harm"), {"data": Runs(call, "harm")}):
        with pytest.raises(DataError, match=r"'x' is rejected: it names '[\w.]+', which no data"):
            restricted_pickle.mapping(pickle.dumps(value, protocol), "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "data",
    [
        protocol_2("numpy", "dtype.__class__", "harm"),
        b"\x80\x04\x8c\x05numpy\x8c\x0dndarray.__new__\x93.",
        b"\x80\x02c__main__\nRuns\n.",
        b"cos\nsystem\n(S'harm'\ntR.",
        b"(S'harm'\nios\nsystem\n.",
        b"\x80\x02\x82\x01.",  # a code of the extension registry
        b"P1\n.",  # a persistent id
        b"\x80\x05\x96" + b"\xff" * 7 + b"\x7f.",  # an array of 2^63 bytes
        b"\x80\x02Nr\xff\xff\xff\xff.",  # a memo of 2^32 places
        b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00O8\x85R.",
    ],
)
def test_other_tricks_are_refused(data: bytes) -> None:
    with pytest.raises(
        DataError, match=r"'x' (is rejected|is not a valid pickle|must contain a dict)"
    ):
        restricted_pickle.mapping(data, "x")


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_in_words(data: bytes) -> None:
    try:
        restricted_pickle.mapping(data, "x")
    except DataError:
        return
    assert pickle.loads(data) == restricted_pickle.mapping(data, "x")


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_changed_byte_never_gets_through_unseen(place: int, byte: int) -> None:
    data = bytearray(pickle.dumps({"data": np.arange(6, dtype=np.uint8).reshape(2, 3)}, 2))
    data[place % len(data)] = byte
    try:
        value = restricted_pickle.mapping(bytes(data), "x")
    except DataError:
        return
    assert all(not callable(one) for one in value.values())


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_in_either_order(protocol: int, order: Any) -> None:
    array = np.asarray(PIXELS[:4], order=order)
    data = pickle.dumps({"data": array}, protocol)
    np.testing.assert_array_equal(restricted_pickle.mapping(data, "x")["data"], array)


def test_what_python_2_wrote() -> None:
    """The official files: protocol 2, strings of bytes, numpy's old module names."""
    raw = PIXELS[:2].tobytes()
    data = (
        b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03(K\x06K\x09eU\x04dataq\x04"
        b"cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87R"
        b"(K\x01K\x02M\x00\x0c\x86cnumpy\ndtype\nq\x07U\x02u1K\x00K\x01\x87R"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"T" + len(raw).to_bytes(4, "little") + raw + b"tbu."
    )
    got = restricted_pickle.mapping(data, "x")
    assert got["labels"] == [6, 9]
    np.testing.assert_array_equal(got["data"], PIXELS[:2])

"""Data sets that are included or generated, and errors of users."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from archscope.datasets import Images, fit, load, statistics
from archscope.datasets.images import dataset
from archscope.datasets.source import SYSTEM, VARIABLE
from archscope.datasets.sources import image_folder
from archscope.errors import ArchscopeError, DataError, OptionError, UnavailableError


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def test_digits_are_scikit_learn_s() -> None:
    from sklearn.datasets import load_digits

    data, bunch = load("digits"), load_digits()
    assert data.test is not None
    assert (len(data.train), len(data.test)) == (1442, 355)
    pixels = torch.cat([data.train.images, data.test.images]).flatten(1).sum(0)
    exact = np.rint(bunch.data * 255 / 16).sum(0)
    np.testing.assert_array_equal(pixels.numpy(), exact)
    labels = torch.cat([data.train.labels, data.test.labels])
    assert torch.bincount(labels).tolist() == np.bincount(bunch.target).tolist()
    first = bunch.images[bunch.target == 3][4]  # the fifth 3 is the first one to test with
    got = data.test.images[data.test.labels == 3][0, 0]
    np.testing.assert_array_equal(got.numpy(), np.rint(first * 255 / 16))
    assert data.digest == "dcced1ceb6349d79cef31bc588c1e2970dd5f9dc9110f3703133a71434ccbcd5"


@pytest.mark.skipif(not (SYSTEM / "fashion-mnist").is_dir(), reason="needs dataset-fashion-mnist")
def test_fashion_mnist_of_the_system() -> None:
    data = load("fashion-mnist")
    assert data.test is not None
    assert torch.bincount(data.train.labels).tolist() == [6000] * 10
    assert torch.bincount(data.test.labels).tolist() == [1000] * 10
    assert data.train.shape == (1, 28, 28)
    got = statistics(data.train)  # what tutorials normalise this data set by
    assert (round(got.mean[0], 4), round(got.std[0], 4)) == (0.2860, 0.3530)


def test_synthetic_is_repeatable() -> None:
    one = load("synthetic:classes=5,shape=2x6x4,images=50,test=10,seed=3")
    other = load("synthetic", classes=5, shape=(2, 6, 4), images=50, test=10, seed=3)
    assert one.digest == other.digest
    assert one.digest != load("synthetic:classes=5,shape=2x6x4,images=50,test=10").digest
    assert one.train.shape == (2, 6, 4)
    assert torch.bincount(one.train.labels).tolist() == [10] * 5
    assert load("synthetic:test=0").test is None


@pytest.mark.parametrize(
    "name, options, error, message",
    [
        ("fashion_mnist", {}, OptionError, "unknown data set 'fashion_mnist', did you mean"),
        ("imagenet", {}, OptionError, "expected one of cifar10, "),
        ("synthetic:clases=3", {}, OptionError, "no option 'clases', did you mean 'classes'"),
        ("synthetic:3", {}, OptionError, "takes options as name=value after the colon, got '3'"),
        ("synthetic:classes=x", {}, OptionError, "option 'classes' of data set 'synthetic'"),
        ("synthetic:shape=3x32", {}, OptionError, "shape is 3 sizes such as 3x32x32, got '3x32'"),
        ("synthetic:shape=3x0x2", {}, OptionError, "shape is 3 sizes"),
        ("synthetic:classes=1", {}, OptionError, "classes are from 2"),
        ("synthetic:seed=-1", {}, OptionError, "a seed must be 0 or greater"),
        ("synthetic:images=9999999", {}, OptionError, "the limit is 1,073,741,824"),
        ("synthetic:seed=1,seed=2", {}, OptionError, "'seed' of data set 'synthetic' is given tw"),
        ("synthetic:seed=1", {"seed": 2}, OptionError, "'seed' of data set 'synthetic' is given"),
        ("digits:x=1", {}, OptionError, "data set 'digits' has no option 'x', it takes none"),
        ("digits", {"folder": Path("a")}, OptionError, "is included and takes no folder"),
        ("folder", {}, OptionError, "needs a path: folder:PATH"),
        ("folder:a", {"folder": Path("b")}, OptionError, "gets two folders, 'a' and 'b'"),
        ("folder:no/such", {}, UnavailableError, r"was not found in no/such \(no such folder\)"),
    ],
)
def test_mistakes(
    name: str, options: dict[str, object], error: type[ArchscopeError], message: str
) -> None:
    with pytest.raises(error, match=message):
        load(name, **options)


def test_missing_data_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archscope.datasets.source.SYSTEM", tmp_path / "system")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    (tmp_path / "mine" / "cifar10" / "cifar-10-batches-bin").mkdir(parents=True)
    (tmp_path / "mine" / "cifar10" / "cifar-10-batches-bin" / "data_batch_1.bin").touch()
    with pytest.raises(UnavailableError) as caught:
        load("cifar10")
    assert str(caught.value).replace(str(tmp_path), "") == (
        "data set 'cifar10' was not found in /mine/cifar10 (lacks data_batch_2.bin),"
        " /mine/cifar-10 (no such folder), /system/cifar10 (no such folder),"
        " /system/cifar-10 (no such folder): download cifar-10-python.tar.gz or"
        " cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html; put the files"
        " there, or give their folder by --data-dir (ARCHSCOPE_DATA names a folder of data sets)"
    )
    with pytest.raises(UnavailableError) as caught:
        load("mnist", tmp_path)
    assert "/mine" not in str(caught.value), "a folder that was given is looked through alone"


def picture(path: Path, shade: int, size: tuple[int, int] = (6, 4), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, (shade, 0, 255 - shade) if mode == "RGB" else shade).save(path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name, shade in (("cat", 10), ("dog", 200)):
        for number in range(3):
            picture(tmp_path / "my,pictures" / name / f"{number}.png", shade + number)
    (tmp_path / "my,pictures" / "cat" / "notes.txt").write_text("no image")
    return tmp_path / "my,pictures"


def test_folder(photos: Path) -> None:
    data = load(f"folder:{photos}")
    assert data.classes == ("cat", "dog")
    assert data.train.shape == (3, 4, 6)
    assert data.test is None
    assert data.train.images[:, 0, 0, 0].tolist() == [10, 11, 12, 200, 201, 202]
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.digest == load("folder", photos).digest
    small = load(f"folder:{photos},size=2x3,channels=1")
    assert small.train.shape == (1, 2, 3)
    assert load("folder", photos, size=5).train.shape == (3, 5, 5)


def test_folder_with_a_test_split(photos: Path, tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            picture(tmp_path / "both" / part / name / "a.png", 50)
    data = load("folder", tmp_path / "both")
    assert data.test is not None
    assert (len(data.train), len(data.test)) == (2, 2)
    picture(tmp_path / "both" / "test" / "cow" / "a.png", 50)
    with pytest.raises(DataError, match="class 'cow' without training images"):
        load("folder", tmp_path / "both")


def test_folder_of_wrong_images(photos: Path) -> None:
    picture(photos / "dog" / "9.png", 1, size=(5, 5))
    with pytest.raises(DataError, match=r"9.png' is 5x5, .*0.png' is 4x6; give a size"):
        load("folder", photos)
    (photos / "dog" / "9.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(DataError, match=r"9.png' cannot be read as an image"):
        load("folder", photos, size=4)
    (photos / "dog" / "9.png").unlink()
    (photos / "empty").mkdir()
    with pytest.raises(DataError, match="no training images of empty"):
        load("folder", photos)


def test_folder_of_images_too_large(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("1", (9000, 9000)).save(photos / "dog" / "9.png")
    with pytest.raises(DataError, match=r"9.png' has 81,000,000 pixels, more than the limit"):
        load("folder", photos, size=4)
    (photos / "dog" / "9.png").unlink()
    monkeypatch.setattr(image_folder, "UNPACKED_BYTES", 0)
    monkeypatch.setattr(image_folder, "GROWTH", 0)
    with pytest.raises(DataError, match="the limit is 0; give a smaller size"):
        load("folder", photos)


def test_dataset_refuses_wrong_parts() -> None:
    def images(labels: list[int], side: int = 2) -> Images:
        return Images(
            torch.zeros((len(labels), 1, side, side), dtype=torch.uint8), torch.tensor(labels)
        )

    with pytest.raises(DataError, match="labels must be from 0 to 1, got 2"):
        dataset("x", images([0, 2]), None, ("a", "b"), "")
    with pytest.raises(DataError, match="labels must be from 0, got -1"):
        images([0, -1])
    with pytest.raises(DataError, match="training images of 1x2x2, test images of 1x3x3"):
        dataset("x", images([0, 1]), images([0], 3), ("a", "b"), "")
    with pytest.raises(DataError, match="expected images as uint8"):
        Images(torch.zeros(1, 1, 2, 2), torch.zeros(1, dtype=torch.int64))
    with pytest.raises(DataError, match="expected labels as int64"):
        Images(torch.zeros((2, 1, 2, 2), dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))


def test_digest_is_of_the_content() -> None:
    pixels = torch.arange(16, dtype=torch.uint8).view(4, 1, 2, 2)
    labels = torch.tensor([0, 1, 0, 1])
    digests = {
        dataset("x", Images(one, kinds), None, classes, "").digest
        for one, kinds, classes in (
            (pixels, labels, ("a", "b")), (pixels + 1, labels, ("a", "b")),
            (pixels, 1 - labels, ("a", "b")), (pixels, labels, ("a", "c")),
            (pixels.view(4, 1, 1, 4), labels, ("a", "b")),
        )
    }  # fmt: skip
    assert len(digests) == 5
    turned = pixels.transpose(2, 3).contiguous().transpose(2, 3)  # the same in another layout
    again = dataset("y", Images(turned, labels), None, ("a", "b"), "other words")
    assert again.digest in digests


GREY, COLOUR = "synthetic:shape=1x8x8,images=8,test=0", "synthetic:shape=3x8x6,images=8,test=0"


def test_adaptations_are_data() -> None:
    import msgspec

    from archscope.datasets import Adaptation

    data = load(GREY)
    for options in ({}, {"how": "pad"}, {"channels": "repeat"}):
        target = (3 if "channels" in options else 1, 12, 9)
        adaptation = fit(target, data, **options)
        text = msgspec.json.encode(adaptation)
        assert msgspec.json.decode(text, type=Adaptation) == adaptation
        assert adaptation.apply(data.train.images).shape == (8, *target)
    assert fit((1, 8, 8), data).how == "none"
    padded = fit((1, 11, 8), data, how="pad").apply(data.train.images)
    assert torch.equal(padded[:, :, 1:9], data.train.images)
    assert not padded[:, :, 0].any()
    assert not padded[:, :, 9:].any()


def test_resize_is_pillow_s() -> None:
    data = load(GREY)
    for target in ((1, 5, 6), (1, 20, 13)):
        got = fit(target, data).apply(data.train.images)
        for ours, image in zip(got, data.train.images, strict=True):
            theirs = Image.fromarray(image[0].numpy()).resize(
                (target[2], target[1]), Image.Resampling.BILINEAR
            )
            difference = np.abs(np.asarray(theirs).astype(int) - ours[0].numpy().astype(int))
            assert difference.max() <= 1  # Pillow calculates with whole numbers


@pytest.mark.parametrize(
    "name, shape, options, message",
    [
        (GREY, (3, 8, 8), {}, r"has 1 channel, the spec takes 3 channels; .*--input 1x8x8\), or"),
        (COLOUR, (1, 8, 6), {}, r"has 3 channels, the spec takes 1 channel; .*--input 3x8x6\)$"),
        (COLOUR, (6, 8, 6), {"channels": "repeat"}, "has 3 channels, the spec takes 6 channels"),
        (GREY, (1, 6, 9), {"how": "pad"}, "8x8 cannot be padded to 6x9, which is smaller"),
        (
            GREY,
            (1, 6, 9),
            {"how": "rezise"},
            "how must be one of resize, pad, got 'rezise', did you",
        ),
        (GREY, (64,), {}, "holds images .* of 1x8x8, the spec takes 64"),
    ],
)
def test_images_that_do_not_fit(
    name: str, shape: tuple[int, ...], options: dict[str, str], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        fit(shape, load(name), **options)

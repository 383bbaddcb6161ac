"""Folders of images as people have them: of all sizes and kinds, with splits, and broken ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archscope.datasets import Dataset, load
from archscope.datasets.image_files import read_pixels
from archscope.datasets.splits import split_dataset
from archscope.errors import DataError, OptionError


def save(path: Path, size: tuple[int, int] = (8, 8), mode: str = "RGB", shade: int = 9) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, shade).convert(mode).save(path)
    return path


def folder(root: Path, *parts: str, images: int = 2) -> Path:
    for part in parts or ("",):
        for kind in ("cat", "dog"):
            for number in range(images):
                save(root / part / kind / f"{number}.png")
    return root


def counts(data: Dataset) -> tuple[int, int | None, int | None]:
    held, test = (None if part is None else len(part) for part in (data.validation, data.test))
    return len(data.train), held, test


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        (("train", "val", "test"), (4, 4, 4)),
        (("train", "valid"), (4, 4, None)),
        (("Training", "Testing"), (4, None, 4)),
        (("train",), (4, None, None)),
    ],
)
def test_folders_of_splits(
    tmp_path: Path, parts: tuple[str, ...], found: tuple[int, int | None, int | None]
) -> None:
    data = load("folder", folder(tmp_path / "pets", *parts))
    assert (data.name, data.classes, counts(data)) == ("pets", ("cat", "dog"), found)
    train, held = split_dataset(data, 0.5, 0)
    assert len(train) + len(held) == found[0] + (found[1] or 0)
    assert len(split_dataset(data, 0, 0)[1]) == 0


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    for kind in ("train", "plane"):
        save(tmp_path / kind / "2020" / "a.png")
    save(tmp_path / "__MACOSX" / "a.png")
    assert load("folder", tmp_path).classes == ("plane", "train")


def test_sizes_that_differ_are_brought_to_the_network(tmp_path: Path) -> None:
    save(folder(tmp_path) / "cat" / "wide.jpg", (20, 6), "L")
    with pytest.raises(DataError, match=r"is 6x20, .*; give a size .* such as folder:.*,size=6"):
        load("folder", tmp_path)
    data = load("folder", tmp_path, network=(3, 8, 8))
    assert data.train.shape == (3, 8, 8)
    assert data.notes == (
        "images of 8x8 to 6x20 are scaled and cut to 8x8, the input of the network",
        "1 of 5 images are smaller than 8x8 and enlarged",
    )
    given = load("folder", tmp_path, size=4, network=(3, 8, 8))
    assert (given.train.shape, given.notes) == ((3, 4, 4), ())


def test_images_of_one_size_stay_and_channels_follow_the_network(tmp_path: Path) -> None:
    data = load("folder", folder(tmp_path), network=(1, 32, 32))
    assert data.train.shape == (1, 8, 8)
    assert data.notes == ("4 images in colour are read as grey, as the network takes 1 channel",)
    assert load("folder", tmp_path, channels=3, network=(1, 32, 32)).train.shape == (3, 8, 8)


def test_broken_files_are_named_together_or_skipped(tmp_path: Path) -> None:
    folder(tmp_path)
    whole = (tmp_path / "cat" / "0.png").read_bytes()
    for name, content in (("a.jpg", b"no image"), ("b.png", b""), ("c.png", whole[:45])):
        (tmp_path / "dog" / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        load("folder", tmp_path)
    text = str(caught.value)
    assert "a.jpg' cannot be read as an image: Pillow does not know its format; nor can" in text
    assert "b.png'" in text and f"leave it out by folder:{tmp_path},broken=skip" in text
    assert "\n" not in text
    data = load("folder", tmp_path, broken="skip")
    assert len(data.train) == 4
    assert data.train.labels.tolist() == [0, 0, 1, 1]
    assert sum(note.startswith("left out ") for note in data.notes) >= 1


def test_a_folder_of_broken_files_is_refused(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"no image")
    for options in ({}, {"size": "8"}):
        with pytest.raises(DataError, match=r"none of the images of .* can be read"):
            load("folder", tmp_path, broken="skip", **options)


def test_files_that_are_no_images_by_their_ending_are_counted(tmp_path: Path) -> None:
    for name in ("a.heic", "b.heic", "notes.txt", ".hidden"):
        (folder(tmp_path) / "cat" / name).write_text("x")
    told = "left out 3 files, which are no images by their ending (.heic, .txt)"
    assert load("folder", tmp_path).notes == (told,)


def test_what_is_no_folder_of_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "flat" / "a.png")
    with pytest.raises(DataError, match="2 or more classes; it holds 1 images themselves"):
        load("folder", tmp_path / "flat")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match="the images in that folder are folder:flat"):
        load("flat")


def test_pixels_of_other_modes(tmp_path: Path) -> None:
    deep = np.full((4, 4), 40_000, dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert set(read_pixels(tmp_path / "deep.png", None, 1).ravel()) == {40_000 >> 8}
    for mode in ("RGBA", "P", "LA", "1", "CMYK"):
        path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
        assert read_pixels(save(path, mode=mode), None, 3).shape == (3, 8, 8)


def test_an_image_is_turned_upright(tmp_path: Path) -> None:
    image = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6))
    exif = image.getexif()
    exif[0x112] = 6
    for kind in ("cat", "dog"):
        save(tmp_path / kind / "a.png", (4, 6))
        image.save(tmp_path / kind / "turned.png", exif=exif)
    assert load("folder", tmp_path).train.shape == (3, 6, 4)
    turned = read_pixels(tmp_path / "cat" / "turned.png", None, 1)[0]
    assert (turned == np.rot90(np.asarray(image), -1)).all()

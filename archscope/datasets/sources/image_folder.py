"""Image folders: the user's own images in sub-folders by class."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, structs

from archscope.datasets.image_files import (
    Measured,
    images_in,
    is_image,
    measure,
    of_each,
    read_pixels,
)
from archscope.datasets.images import Dataset, Images, dataset
from archscope.datasets.lookup import sizes
from archscope.datasets.source import DatasetSource, register
from archscope.errors import DataError, OptionError
from archscope.ir import text_of

LIMIT_BYTES = 2**33
UNPACKED_BYTES, GROWTH = 2**29, 100  # images that take more, for each byte in files, are no photos
PARTS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""Names of folders of splits."""

NOT_CLASSES = ("__MACOSX",)  # what archives leave behind
NAMED = 3  # files that a message lists


class ImageFolderOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """How images are unified.

    `size` is height and width; 1 channel is grey, 3 are colours. Files that cannot be read are an
    error, or skipped.
    """

    size: str | int | tuple[int, ...] = ()
    channels: Literal[1, 3] | Literal["1", "3"] | None = None
    broken: Literal["error", "skip"] = "error"


class _FittedOptions(ImageFolderOptions, frozen=True):
    """The options, and the shape (C, H, W) that decides where they say nothing."""

    shape: tuple[int, ...] = ()


@register
class ImageFolder(DatasetSource):
    """Images in sub-folders, one for each class: PATH/cat/1.png.

    If there are sub-folders `train`, `val` and `test` (or two of them, `train` among them), the
    classes are in each of them. With a size, images are scaled until they cover it and cut to its
    centre; without one they are brought to the size of the network's input if they differ in size.
    Hidden files and files that are no images by their ending are left out.
    """

    name = "folder"
    about = "images in sub-folders, one for each class"
    get = "give a folder with one sub-folder of images for each class"
    options = ImageFolderOptions
    argument = "path"

    @classmethod
    def places(cls, folder: Path | None) -> tuple[Path, ...]:
        if folder is None:
            raise OptionError("data set 'folder' needs a path: folder:PATH, or --data-dir PATH")
        return (folder,)

    @classmethod
    def files(cls, place: Path) -> tuple[Path, ...] | str:
        if place.is_dir():
            return (place,)
        return "a file, no folder" if place.exists() else "no such folder"

    @classmethod
    def fitted(cls, options: ImageFolderOptions, shape: Sequence[int]) -> ImageFolderOptions:
        return _FittedOptions(**structs.asdict(options), shape=tuple(shape))

    @classmethod
    def read(cls, files: tuple[Path, ...], options: ImageFolderOptions) -> Dataset:
        """Return the images. Raises DataError for broken images, and for sizes that differ."""
        return _Folder(files[0], options).dataset()


class _Folder:
    """One folder of images, and what is to be said of reading it."""

    def __init__(self, root: Path, options: ImageFolderOptions) -> None:
        self.root, self.skip = root, options.broken == "skip"
        shape = options.shape if isinstance(options, _FittedOptions) else ()
        self.target = tuple(shape[1:]) if len(shape) == 3 else ()
        """Height and width of the network's input, if it is known."""
        self.size = _size(options)
        self.channels = int(options.channels or (shape[0] if shape[:1] in ((1,), (3,)) else 3))
        self.said_channels = options.channels is not None
        self.notes: list[str] = []
        self.roots = _parts(root)
        self.classes = _classes(self.roots["train"])

    def dataset(self) -> Dataset:
        """Return all images."""
        found = {part: self._files(part, root) for part, root in self.roots.items()}
        found = {part: files for part, files in found.items() if files or part == "train"}
        if not found["train"]:
            raise DataError(
                f"'{self.roots['train']}' holds no images in the folders of its classes"
            )
        self._note_left_out()
        measured = self._readable(measure, [path for files in found.values() for path in files])
        if not measured:
            raise DataError(f"none of the images of '{self.root}' can be read")
        self._decide_size(measured)
        parts = {
            part: self._images(self.roots[part], {p: k for p, k in files.items() if p in measured})
            for part, files in found.items()
        }
        return dataset(
            self.root.resolve().name or ImageFolder.name,
            parts["train"], parts.get("test"), self.classes, f"images of {self.root}",
            validation=parts.get("validation"), notes=tuple(self.notes),
        )  # fmt: skip

    def _files(self, part: str, root: Path) -> dict[Path, int]:
        """Return the images of a part with their labels, in the order of class and path."""
        unknown = [path.name for path in _folders(root) if path.name not in self.classes]
        if unknown:
            raise DataError(f"'{root}' has a class '{unknown[0]}' without training images")
        files = {
            path: label
            for label, name in enumerate(self.classes)
            for path in images_in(root / name)
        }
        if not files:
            self.notes.append(f"'{root}' holds no images, and is left out")
        return files

    def _note_left_out(self) -> None:
        """Note files that are no images by their ending, as photos of a telephone may be."""
        endings = Counter(
            path.suffix.lower() or path.name
            for root in self.roots.values()
            for name in self.classes
            for path in (root / name).rglob("*")
            if path.is_file() and not path.name.startswith(".") and not is_image(path)
        )
        if endings:
            total, named = endings.total(), ", ".join(sorted(endings)[:NAMED])
            files = "1 file, which is no image by its ending" if total == 1 else (
                f"{total} files, which are no images by their ending"
            )  # fmt: skip
            self.notes.append(f"left out {files} ({named})")

    def _readable(self, work: Any, paths: Sequence[Path]) -> dict[Path, Any]:
        """Return what a function makes of the files that can be read; note or refuse the rest."""
        done = of_each(work, paths)
        broken = [(path, result) for path, result in done if isinstance(result, DataError)]
        if broken:
            others = [f"'{path}'" for path, _ in broken[1:NAMED]]
            hidden = len(broken) - 1 - len(others)
            others += [f"{hidden} more"] if hidden else []
            text = f"{broken[0][1]}{'; nor can ' + ', '.join(others) if others else ''}"
            if not self.skip:
                raise DataError(
                    f"{text}; remove what is broken, or leave it out by"
                    f" folder:{self.root},broken=skip"
                )
            count = "1 file" if len(broken) == 1 else f"{len(broken)} files"
            self.notes.append(f"left out {count}: {text}")
        return {path: result for path, result in done if not isinstance(result, DataError)}

    def _decide_size(self, measured: dict[Path, Measured]) -> None:
        """Decide on a size if none was given and images differ; note what is done to them."""
        given = self.size is not None
        kinds = Counter((image.height, image.width) for image in measured.values())
        if self.size is None and len(kinds) > 1:
            if not self.target:
                first, other = _first_that_differ(measured)
                size = min(min(kind) for kind in kinds)
                raise DataError(
                    f"'{other}' is {_words(measured[other])}, '{first}' is"
                    f" {_words(measured[first])}; give a size to make them alike, such as"
                    f" folder:{self.root},size={size} (`archscope train` takes that of the"
                    " network's input)"
                )
            self.size = self.target
        if self.size is not None:
            self._note_size(kinds, given)
        colour = sum(not image.grey for image in measured.values())
        if self.channels == 1 and colour and not self.said_channels:
            self.notes.append(
                f"{colour} images in colour are read as grey, as the network takes 1 channel"
            )

    def _note_size(self, kinds: Counter[tuple[int, int]], given: bool) -> None:
        assert self.size is not None
        low, high = min(kinds, key=math.prod), max(kinds, key=math.prod)
        if not given:
            self.notes.append(
                f"images of {text_of(low)} to {text_of(high)} are scaled and cut to"
                f" {text_of(self.size)}, the input of the network"
            )
        height, width = self.size
        small = sum(n for kind, n in kinds.items() if kind[0] < height or kind[1] < width)
        if small:
            self.notes.append(
                f"{small} of {kinds.total()} images are smaller than {text_of(self.size)} and"
                " enlarged"
            )

    def _images(self, root: Path, files: dict[Path, int]) -> Images:
        """Return the images of a part, all of one size."""
        import numpy as np
        import torch

        if not files:
            empty = torch.empty((0, self.channels, 1, 1), dtype=torch.uint8)
            return Images(empty, torch.empty(0, dtype=torch.int64))
        shape = self._check_total(root, list(files))
        images = np.empty((len(files), *shape), dtype=np.uint8)
        places = {path: place for place, path in enumerate(files)}

        def decode(path: Path) -> None:
            pixels = read_pixels(path, self.size, self.channels)
            if pixels.shape != shape:
                raise DataError(f"'{path}' cannot be read as an image: its header has another size")
            images[places[path]] = pixels

        read = [places[path] for path in self._readable(decode, list(files))]
        labels = torch.tensor(list(files.values()), dtype=torch.int64)
        if len(read) < len(files):
            images, labels = images[read], labels[read]
        return Images(torch.from_numpy(images), labels)

    def _check_total(self, root: Path, paths: Sequence[Path]) -> tuple[int, int, int]:
        """Return the shape (C, H, W) of each image.

        Raises DataError for images that take more memory than their files make likely.
        """
        height, width = self.size or structs.astuple(measure(paths[0]))[:2]
        total = len(paths) * self.channels * height * width
        limit = min(LIMIT_BYTES, max(UNPACKED_BYTES, GROWTH * sum(p.stat().st_size for p in paths)))
        if total > limit:
            raise DataError(
                f"the {len(paths):,} images of '{root}' take {total:,} bytes, the limit is"
                f" {limit:,}; give a smaller size"
            )
        return self.channels, height, width


def _size(options: ImageFolderOptions) -> tuple[int, ...] | None:
    """Return height and width as options give them, None if they do not."""
    if options.size == ():
        return None
    size = sizes(options.size, "size", (1, 2))
    return size if len(size) == 2 else (size[0], size[0])


def _parts(root: Path) -> dict[str, Path]:
    """Return the folder of each split; the root trains where there are no splits.

    A class may be called `train`: splits are there if a second one is, or nothing else is.
    """
    inside = _folders(root)
    found = {
        part: path
        for part, names in PARTS.items()
        for path in inside
        if path.name.lower() in names and _folders(path)
    }
    if "train" in found and (len(found) > 1 or len(inside) == 1):
        return found
    return {"train": root}


def _classes(root: Path) -> tuple[str, ...]:
    classes = tuple(path.name for path in _folders(root))
    if len(classes) < 2:
        direct = sum(map(is_image, root.iterdir()))
        has = f"it holds {direct} images themselves" if direct else "it has " + (
            f"'{classes[0]}' alone" if classes else "none"
        )  # fmt: skip
        raise DataError(
            f"'{root}' should hold a sub-folder of images for each of 2 or more classes; {has}"
        )
    return classes


def _folders(path: Path) -> list[Path]:
    return sorted(
        folder
        for folder in path.iterdir()
        if folder.is_dir() and not folder.name.startswith(".") and folder.name not in NOT_CLASSES
    )


def _first_that_differ(measured: dict[Path, Measured]) -> tuple[Path, Path]:
    first, *others = measured
    size = _words(measured[first])
    return first, next(path for path in others if _words(measured[path]) != size)


def _words(image: Measured) -> str:
    return text_of((image.height, image.width))

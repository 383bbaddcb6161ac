"""A look inside of a run's network, kept in its folder for `archscope report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archscope.datasets import Dataset, Images


def keep_look(path: Path, dataset: Dataset, images: Images, device: str = "auto") -> Path:
    """Put `look.json` into a run folder and return it. Raises ArchscopeError."""
    from archscope.files import put_json
    from archscope.train.inspection import FILE, look_at

    file = path / FILE
    put_json(file, look_at(path, dataset, images, device))
    return file

"""The `look.json` of a run folder -> pictures and layers that the page shows. No torch."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from archscope.report.pages.content import Look

FILE = "look.json"
LARGEST = 1 << 24  # bytes of pictures; more would make the page slow to open
BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


def read_look(run: Path, missing: list[str]) -> Look | None:
    """Return the look inside of a run's network; what is broken is named in `missing`."""
    file = run / FILE
    if not file.exists():
        return None
    try:
        if file.stat().st_size > LARGEST:
            raise ValueError(f"larger than {LARGEST >> 20} MiB")
        look = msgspec.json.decode(file.read_bytes(), type=Look)
    except (OSError, ValueError) as error:  # those of msgspec are ValueErrors
        missing.append(f"{FILE}: {error}")
        return None
    seen = [*look.samples, *look.wrong]
    pictures = [one.png for one in seen] + [sheet.png for one in seen for sheet in one.maps]
    pictures += [look.filters.png] if look.filters else []
    if not all(map(BASE64.fullmatch, pictures)):
        missing.append(f"{FILE}: its pictures are no PNG in base64")
        return None
    return look

"""The date on a page."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime

from archscope.errors import OptionError

ENVIRONMENT = "SOURCE_DATE_EPOCH"
"""The variable of reproducible builds: seconds since 1970."""


def date_of(day: str | None) -> str:
    """Return the given date, "" for `none`, else that of SOURCE_DATE_EPOCH or today, as ISO 8601.

    Raises OptionError.
    """
    if day == "none":
        return ""
    if day is not None:
        try:
            return date.fromisoformat(day).isoformat()
        except ValueError:
            raise OptionError(f"date is a day such as 2026-01-31, or none, got '{day}'") from None
    epoch = os.environ.get(ENVIRONMENT)
    if epoch is None:
        return datetime.now(UTC).date().isoformat()
    try:
        return datetime.fromtimestamp(int(epoch), UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        raise OptionError(f"{ENVIRONMENT} needs seconds since 1970, got '{epoch}'") from None

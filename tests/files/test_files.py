"""Files are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from archscope.errors import OptionError
from archscope.files import put_text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_one_error_and_leaves_the_state_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.pt"
    put_text(path, "before")

    def full(**options: object) -> object:
        aside = tmp_path / ".aside"
        aside.symlink_to("/dev/full")
        return aside.open("wb", buffering=0)

    monkeypatch.setattr("tempfile.NamedTemporaryFile", full)
    with pytest.raises(OptionError, match="no space left on device"):
        put_text(path, "after" * 1000)
    assert path.read_text(encoding="utf-8") == "before"

"""The manual as a site: it builds without a warning, and asks no other machine for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from archscope.cli.shared.app import FILES
from archscope.metrics import METRICS

ROOT = Path(__file__).parents[1]


def test_the_site_builds_and_is_complete(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    pages = {path: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")}
    remote = re.compile(r'<(?:script|img|link|iframe)\b[^>]*(?:src|href)="(?:https?:)?//.*')
    for path, text in pages.items():
        loads = remote.findall(text)
        assert not loads, f"{path} loads {loads[0]}"
    reference = "".join(text for path, text in pages.items() if "reference" in path.parts)
    for name in FILES:
        assert f'id="archscope-{name}"' in reference, f"no page explains `archscope {name}`"
    for name in ("bench-search", "device-calibrate"):
        assert f'id="archscope-{name}"' in reference
    for escaped in ("\\|", "&amp;gt;", "&amp;lt;"):
        assert escaped not in reference, "a sign is escaped twice"
    for name in METRICS:
        assert f"<code>{name}</code>" in reference
    for name in ("archscope.analyze", "archscope.train.train", "archscope.compress.prune"):
        assert f'id="{name}"' in reference

"""Puts the plotly.js that reports embed into the wheel, as the package plotly takes 64 MB."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SCRIPT = "package_data/plotly.min.js"
PLACE = "archscope/report/pages/plotly.min.js"


class PlotlyScript(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the script of the plotly that the build has; a checkout uses that of its environment."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the script to a wheel that is no link to a checkout."""
        spec = find_spec("plotly")
        if version != "editable" and spec is not None and spec.origin is not None:
            build_data["force_include"][str(Path(spec.origin).parent / SCRIPT)] = PLACE

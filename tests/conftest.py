"""Settings and fixtures of all tests."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Two threads of torch on two busy cores wait for each other more than they work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What happens to be installed, or in a folder above, must not decide about a test.
os.environ.setdefault("ARCHSCOPE_NO_PLUGINS", "1")

# Workers of pytest-xdist say how wide the terminal is; output is compared as a pipe gets it.
os.environ.pop("COLUMNS", None)

# The same examples at every run; `--hypothesis-profile explore` looks for new ones.
common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("fixed", derandomize=True, **common)
settings.register_profile("explore", max_examples=2000, print_blob=True, **common)
settings.load_profile("fixed")


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name a parameter of bytes by its argument: files may hold the time at which they are made.

    Workers of pytest-xdist collect at different times and must find the same names.
    """
    return argname if isinstance(val, bytes) else None

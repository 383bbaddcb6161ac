"""Settings and fixtures of all tests."""

from __future__ import annotations

import os

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

"""`python -m archscope` is `archscope`."""

from __future__ import annotations

import sys

from archscope.cli import main

sys.exit(main())

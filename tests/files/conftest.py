"""The command line of the other tests."""

from tests.cli.conftest import run

__all__ = ["run"]

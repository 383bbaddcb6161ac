"""Print the tests of the files that git says have changed, for `make check`.

Tests mirror the package: `archscope/space/budget.py` is tested by `tests/space/test_budget.py`, or
by the folder `tests/space` where no test bears the file's name.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ALWAYS = ("tests/test_floors.py", "tests/test_light.py")


def tests_of(file: str) -> list[str]:
    """Return the tests of a file, as paths from the root of the project."""
    path = Path(file)
    if path.suffix != ".py" or path.parts[0] not in ("archscope", "tests"):
        return []
    if path.parts[0] == "tests":
        return [file] if path.name.startswith("test_") else []
    folder = Path("tests", *path.parts[1:-1])
    own = folder / f"test_{path.stem}.py"
    if (ROOT / own).exists():
        return [own.as_posix()]
    # A file at the top of the package has a folder of its name, not the folder of all tests.
    return [(folder if len(path.parts) > 2 else Path("tests", path.stem)).as_posix()]


def changed(base: str) -> list[str]:
    """Return the files that differ from `base`, new ones included."""
    commands = (
        ["git", "diff", "--name-only", "--diff-filter=d", base],
        ["git", "ls-files", "--others", "--exclude-standard"],
    )
    return [
        line
        for command in commands
        for line in subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
    ]


if __name__ == "__main__":
    wanted = {test for file in changed(sys.argv[1]) for test in tests_of(file)}
    print(*ALWAYS, *sorted(test for test in wanted if (ROOT / test).exists()))

from __future__ import annotations

import pytest

from archscope.report.naming import told_apart


@pytest.mark.parametrize(
    "names, sources, shown",
    [
        (["a", "b"], ["x/a.yaml", "b"], ["a", "b"]),
        (["a", "a"], ["x/a.yaml", "y/a.yaml"], ["x/a.yaml", "y/a.yaml"]),
        (["vgg16", "vgg16", "b"], ["vgg16", "vgg16.yaml", "b"], ["vgg16", "vgg16.yaml", "b"]),
        (["a", "a"], ["a.yaml", "a.yaml"], ["a.yaml (1)", "a.yaml (2)"]),
        (["a", "a", "a"], ["a", "a", "x/a"], ["a (1)", "a (2)", "x/a"]),
        ([], [], []),
    ],
)
def test_names_beside_each_other(names: list[str], sources: list[str], shown: list[str]) -> None:
    assert told_apart(names, sources) == shown
    assert len({*shown}) == len(shown)

"""Expressions of sizes: ncnn's semantics, and what is refused."""

from __future__ import annotations

import pytest

from archscope.errors import SpecError
from archscope.importers.ncnn.size_expression import FUNCTIONS, evaluated
from archscope.ir import Source

AT = Source("net.param", 3, 1)
SHAPES = ((6, 5, 7), (4, 9), (8,), (2, 3, 4, 5))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1w,1h,128", [9, 4, 128]),
        ("0w,0h,0c,0d,0n", [7, 5, 6, 1, 1]),
        ("2w,2h,2c", [8, 1, 1]),
        ("3w,3h,3d,3c", [5, 4, 3, 2]),
        ("*(+(0c,1h),2)", [20]),
        ("-(-1,0),//(0w,2)", [-1, 3]),
        ("//(-7,2),//(7,-2),//(-7.0,2)", [-3, -3, -4]),  # whole numbers as in C
        ("/(0w,2),ceil(/(0w,2)),round(/(0w,2)),round(neg(2.5))", [3, 4, 4, -3]),
        ("max(0w,0c),min(0w,2.5),square(3),abs(-4),sign(-4)", [7, 2, 9, 4, -1]),
        ("and(6,3),or(6,3),xor(6,3),lshift(1,4),rshift(16,2)", [2, 7, 5, 16, 4]),
        ("remainder(-7,3),fmod(-7,3),pow(2,10),trunc(-1.5)", [2, -1, 1024, -1]),
        ("*(0.1,320)", [32]),  # in single precision
        ("floor(*(0w,sqrt(4))) , 2", [14, 2]),
    ],
)
def test_values(text: str, values: list[int]) -> None:
    assert evaluated(text, SHAPES, AT) == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("+(1)", r"cannot compute '\+'"),
        ("//(0w,0)", "cannot compute '//'"),
        ("7w", "cannot compute '7w'"),
        ("lshift(1,40)", "cannot compute 'lshift'"),
        ("pow(10,100)", "cannot compute 'pow'"),
        ("square(square(square(square(99))))", "cannot compute 'square'"),
        ("and(1.5,2)", "cannot compute 'and'"),
        ("log(-1)", "cannot compute 'log'"),
        ("florr(0w)", "got 'florr', did you mean 'floor'"),
        ("__import__(os)", "got 'os'"),
    ],
)
def test_errors(text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        evaluated(text, SHAPES, AT)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_take_their_arguments(name: str) -> None:
    found, number = [], "0.5" if name == "atanh" else "1"
    for count in (1, 2):
        try:
            found.append(len(evaluated(f"{name}({','.join([number] * count)})", SHAPES, AT)))
        except SpecError:
            found.append(0)
    assert found in ([0, 1], [1, 2])

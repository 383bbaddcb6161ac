"""What operators refuse, and that they say expected and got."""

from __future__ import annotations

from typing import Any

import pytest

from archscope.errors import ShapeError
from archscope.ir import Builder, Shape
from archscope.ops import OPS
from archscope.ops.attributes import KINDS

MAP = (8, 6, 6)


@pytest.mark.parametrize(
    ("name", "attributes", "ins", "words"),
    [
        ("conv", {"out": 6, "groups": 4}, [MAP], "output channels divisible by 4, got 6"),
        ("conv", {"out": 6, "groups": 3}, [MAP], "input channels divisible by 3, got 8"),
        ("conv", {"out": 4, "kernel": 7}, [MAP], "window of 7 but its input 8x6x6"),
        ("conv", {"out": 4, "kernel": (3, 3, 3)}, [MAP], "has 3 values, the input has 2 spatial"),
        ("conv", {"out": 4}, [(8,)], "1 to 3 spatial axes, got 8"),
        ("conv_transpose", {"out": 4, "output_padding": 2}, [MAP], "below its stride or dilation"),
        ("conv_transpose", {"out": 4, "padding": "same"}, [MAP], "one number for each axis"),
        ("maxpool", {"kernel": 3, "padding": 2}, [MAP], "at most half its kernel 3, got 2"),
        ("maxpool", {"kernel": 3, "padding": ((0, 1),) * 2, "ceil": True}, [MAP], "both sides"),
        ("avgpool", {"kernel": 3, "padding": ((0, 1),) * 2}, [MAP], "both sides of an axis"),
        ("linear", {"out": 4}, [MAP], "needs a flat input, got 8x6x6; put 'flatten' before it"),
        ("prelu", {"slopes": 3}, [MAP], "1 slope or one for each of 8 channels, got 3"),
        ("add", {}, [MAP, (8, 6, 5)], "needs equal shapes, got 8x6x6 and 8x6x5"),
        ("mul", {}, [MAP, (8, 3, 1)], "equal or 1 on each axis, got 8x6x6 and 8x3x1"),
        ("mul", {}, [MAP, (8,)], "equal or 1 on each axis"),
        ("concat", {}, [MAP, (8, 6, 5)], "equal shapes but for the channels"),
        ("distance", {}, [(4,), (5,)], "two flat inputs of one length, got 4 and 5"),
        ("distance", {}, [MAP, MAP], "two flat inputs of one length"),
        ("slice", {"start": 4, "stop": 9}, [MAP], "does not lie within 8 channels"),
        ("slice", {"start": 4, "stop": 4}, [MAP], "does not lie within 8 channels"),
        ("channel_shuffle", {"groups": 3}, [MAP], "channels divisible by it, got 8"),
        ("upsample", {}, [MAP], "either scale or size"),
        ("upsample", {"scale": 2, "size": 12}, [MAP], "either scale or size"),
        ("add", {}, [MAP], "'add' takes at least 2 input(s), got 1"),
        ("relu", {}, [MAP, MAP], "'relu' takes 1 input(s), got 2"),
        ("conv_transpose", {"out": 1, "padding": 3}, [(1, 1, 1)], "leaves nothing of 1x1x1"),
    ],
)
def test_refused_shapes_are_explained(
    name: str, attributes: dict[str, Any], ins: list[Shape], words: str
) -> None:
    builder = Builder()
    for number, shape in enumerate(ins):
        builder.add(f"x{number}", OPS["input"](size=shape))
    with pytest.raises(ShapeError) as caught:
        builder.add("it", OPS[name](**attributes), list(builder.nodes))
    assert words in str(caught.value)
    assert "it" not in builder.nodes


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("Positive", 0),
        ("Positive", 1.5),
        ("Positive", True),
        ("Positive", "3"),
        ("Positive", 2**31),
        ("Count", -1),
        ("Number", float("nan")),
        ("Number", float("inf")),
        ("Number", "0.1"),
        ("Number", True),
        ("Share", 1),
        ("Share", -0.1),
        ("Flag", 1),
        ("Size", 0),
        ("Size", []),
        ("Size", [3, 3, 3, 3]),
        ("Size", [3, 0]),
        ("Padding", -1),
        ("Padding", "valid"),
        ("Padding", [[1, 2, 3]]),
        ("Shape", []),
        ("Shape", 3),
        ("Shape", [3, 0]),
        ("Interpolation", "cubic"),
        ("Interpolation", ["nearest"]),
        ("Metric", None),
    ],
)
def test_kinds_refuse_what_they_are_not(kind: str, value: Any) -> None:
    with pytest.raises(ValueError):
        KINDS[kind].read(value)


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("Positive", 2.0, 2),
        ("Count", 0, 0),
        ("Number", 1, 1.0),
        ("Share", 0, 0.0),
        ("Size", [1, 7], (1, 7)),
        ("Padding", [0, 3], (0, 3)),
        ("Padding", [[0, 1], [2, 0]], ((0, 1), (2, 0))),
        ("Padding", [[0, 1], 2], ((0, 1), 2)),
        ("Padding", "same", "same"),
        ("Shape", [3, 224, 224], (3, 224, 224)),
    ],
)
def test_kinds_read_what_yaml_gives(kind: str, value: Any, read: Any) -> None:
    got = KINDS[kind].read(value)
    assert (got, type(got)) == (read, type(read))

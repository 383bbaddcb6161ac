"""Input that operators refuse, with messages that state expected and got."""

from __future__ import annotations

from typing import Any

import pytest

from archscope.errors import ShapeError
from archscope.graph_builder import GraphBuilder
from archscope.ir import Shape
from archscope.ops import OPS
from archscope.ops.attributes import (
    COUNT,
    FLAG,
    NUMBER,
    PADDING,
    POSITIVE,
    SHAPE,
    SHARE,
    SIZE,
    Kind,
    attributes,
)  # fmt: skip

MAP = (8, 6, 6)
MODE = attributes(OPS["upsample"])["mode"].kind
METRIC = attributes(OPS["distance"])["metric"].kind


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
        ("avgpool", {"kernel": 3, "padding": ((0, 1),) * 2, "ceil": True}, [MAP], "both sides"),
        ("linear", {"out": 4}, [MAP], "needs a flat input, got 8x6x6; put 'flatten' before it"),
        ("prelu", {"slopes": 3}, [MAP], "1 slope or one for each of 8 channels, got 3"),
        (
            "add",
            {},
            [MAP, (8, 6, 5)],
            "equal or 1 on each axis, got 8x6x6 and 8x6x5",
        ),
        ("mul", {}, [MAP, (8, 3, 1)], "equal or 1 on each axis, got 8x6x6 and 8x3x1"),
        ("mul", {}, [MAP, (8,)], "equal or 1 on each axis"),
        ("concat", {}, [MAP, (8, 6, 5)], "equal shapes but for the channels"),
        ("distance", {}, [(4,), (5,)], "two flat inputs of one length, got 4 and 5"),
        ("distance", {}, [MAP, MAP], "two flat inputs of one length"),
        ("slice", {"start": 4, "stop": 9}, [MAP], "does not lie within 8 channels"),
        ("slice", {"start": 4, "stop": 4}, [MAP], "does not lie within 8 channels"),
        ("channel_shuffle", {"groups": 3}, [MAP], "channels divisible by it, got 8"),
        ("upsample", {}, [MAP], "either scale, size or factor"),
        ("upsample", {"scale": 2, "size": 12}, [MAP], "either scale, size or factor"),
        ("add", {}, [MAP], "'add' takes at least 2 input(s), got 1"),
        ("relu", {}, [MAP, MAP], "'relu' takes 1 input(s), got 2"),
        ("conv_transpose", {"out": 1, "padding": 3}, [(1, 1, 1)], "leaves nothing of 1x1x1"),
    ],
)
def test_refused_shapes_are_explained(
    name: str, attributes: dict[str, Any], ins: list[Shape], words: str
) -> None:
    builder = GraphBuilder()
    for number, shape in enumerate(ins):
        builder.add(f"x{number}", OPS["input"](size=shape))
    with pytest.raises(ShapeError) as caught:
        builder.add("it", OPS[name](**attributes), list(builder.nodes))
    assert words in str(caught.value)
    assert "it" not in builder.nodes


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (POSITIVE, 0),
        (POSITIVE, 1.5),
        (POSITIVE, True),
        (POSITIVE, "3"),
        (POSITIVE, 2**31),
        (COUNT, -1),
        (NUMBER, float("nan")),
        (NUMBER, float("inf")),
        (NUMBER, "0.1"),
        (NUMBER, True),
        (SHARE, 1),
        (SHARE, -0.1),
        (FLAG, 1),
        (SIZE, 0),
        (SIZE, []),
        (SIZE, [3, 3, 3, 3]),
        (SIZE, [3, 0]),
        (PADDING, -1),
        (PADDING, "valid"),
        (PADDING, [[1, 2, 3]]),
        (SHAPE, []),
        (SHAPE, 3),
        (SHAPE, [3, 0]),
        (MODE, "lanczos"),
        (MODE, ["nearest"]),
        (METRIC, None),
    ],
)
def test_kinds_refuse_what_they_are_not(kind: Kind, value: Any) -> None:
    with pytest.raises(ValueError):
        kind.read(value)


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (POSITIVE, 2.0, 2),
        (COUNT, 0, 0),
        (NUMBER, 1, 1.0),
        (SHARE, 0, 0.0),
        (SIZE, [1, 7], (1, 7)),
        (PADDING, [0, 3], (0, 3)),
        (PADDING, [[0, 1], [2, 0]], ((0, 1), (2, 0))),
        (PADDING, [[0, 1], 2], ((0, 1), 2)),
        (PADDING, "same", "same"),
        (SHAPE, [3, 224, 224], (3, 224, 224)),
    ],
)
def test_kinds_read_what_yaml_gives(kind: Kind, value: Any, read: Any) -> None:
    got = kind.read(value)
    assert (got, type(got)) == (read, type(read))

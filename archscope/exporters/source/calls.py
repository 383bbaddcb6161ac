"""Torch calls with the names, values and defaults of all arguments."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

from msgspec import Struct
from torch import nn

from archscope.build import module_class
from archscope.ir import Call

NONE = object()  # no default
SIZES = "size"
KINDS = dict.fromkeys(
    (
        "in_channels", "out_channels", "num_features", "in_features", "out_features", "channels",
        "num_channels", "normalized_shape", "num_parameters", "groups", "out", "start", "stop",
    ),
    SIZES,
)  # fmt: skip
"""Arguments that count channels, so that the same parameter may set several of them."""


class Argument(Struct, frozen=True):
    """One argument of a call."""

    name: str
    value: Any
    default: Any = NONE
    positional: bool = False

    @property
    def kind(self) -> str:
        """The quantity it counts; arguments of different kinds never share a parameter."""
        return KINDS.get(self.name, self.name)


def arguments(call: Call) -> tuple[Argument, ...]:
    """Return all arguments of a call, including those left to their defaults."""
    names, defaults = _signature(call.target)
    given = dict(call.kwargs)
    positional = [
        Argument(names[number] if number < len(names) else f"value{number}", value, NONE, True)
        for number, value in enumerate(call.args)
    ]
    done = {argument.name for argument in positional}
    rest = [name for name in (*names, *given) if name not in done]
    return (
        *positional,
        *(
            Argument(name, given.get(name, defaults.get(name)), defaults.get(name, NONE))
            for name in dict.fromkeys(rest)
            if name in given or name in defaults
        ),
    )


@cache
def _signature(target: str) -> tuple[list[str], dict[str, Any]]:
    """Return the names of a module's arguments in order, and their defaults."""
    names: list[str] = []
    defaults: dict[str, Any] = {}
    for number, cls in enumerate(module_class(target).__mro__):
        if cls is nn.Module:
            break
        parameters = list(inspect.signature(cls).parameters.values())
        open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
        for parameter in parameters:
            plain = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
            if not plain or parameter.name in ("device", "dtype"):
                continue
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                names.append(parameter.name)
            if parameter.default is not parameter.empty:
                defaults[parameter.name] = parameter.default
        if not open_ended or number > 3:
            break
    return names, defaults

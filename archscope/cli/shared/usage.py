"""Format click's errors about a command line as one line, like all other errors."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

import click

from archscope.errors import ArchscopeError, WordError, did_you_mean
from archscope.sources import resolved


def error_line(error: ArchscopeError, words: Sequence[str]) -> str:
    """Return an error as one line, with a corrected command for these words if it is known."""
    if not isinstance(error, WordError):
        return f"error: {error}"
    right = [error.instead if error.given in (word, resolved(word)) else word for word in words]
    return f"error: {error}; type: {shlex.join(['archscope', *right, *error.more])}"


def usage_text(error: click.ClickException, words: Sequence[str]) -> str:
    """Return an error about a command line as a sentence that names the option and its value."""
    context = getattr(error, "ctx", None)
    command = next((word for word in words if word[:1] != "-"), "")
    path = context.command_path if context is not None else f"archscope {command}".strip()
    text = _sentence(error)
    return text if text.endswith("?") or "; type: " in text else f"{text}; see '{path} --help'"


def _sentence(error: click.ClickException) -> str:
    text = error.message.strip().removesuffix(".")
    text = f"{text[:1].lower()}{text[1:]}"
    parameter = getattr(error, "param", None)
    if isinstance(error, click.NoSuchOption):
        known = error.ctx.command.params if error.ctx else ()
        # Dashes, which all options share, would make short names look alike.
        options = {
            option.lstrip("-"): option
            for param in known
            if param.param_type_name == "option"
            for option in (*param.opts, *param.secondary_opts)
        }
        hint = did_you_mean(error.option_name.lstrip("-"), options)
        for name, option in options.items():
            hint = hint.replace(f"'{name}'", f"'{option}'")
        return f"no such option '{error.option_name}'{hint}"
    if isinstance(error, click.MissingParameter) and parameter is not None:
        return f"missing {_name(parameter)}"
    if isinstance(error, click.BadParameter) and parameter is not None:
        return f"{_name(parameter)}: {_value(text, parameter.type)}"
    if isinstance(error, click.BadOptionUsage):
        start = f"option '{error.option_name}' "
        return f"{error.option_name}: {text.removeprefix(start)}"
    extra = re.fullmatch(r"got unexpected extra arguments? \((.*)\)", text, re.DOTALL)
    return f"unexpected argument '{extra[1]}'" if extra else text


def _name(parameter: click.Parameter) -> str:
    """Return an option as it is typed, or an argument as the usage shows it."""
    if parameter.param_type_name == "option":  # rich-click replaces the classes of click
        return max(parameter.opts, key=len)
    return (parameter.metavar or parameter.name or "").upper().strip("[].")


def _value(text: str, kind: click.ParamType[Any]) -> str:
    """Return the error about a value: what was expected and what was given."""
    given = re.match(r"'?(.*?)'? is not (?:a valid|one of|in the range)", text, re.DOTALL)
    if given is None:
        return text
    if isinstance(kind, click.Choice):
        choices = list(filter(None, map(str, kind.choices)))
        hint = did_you_mean(given[1], choices) or f"; there are {', '.join(choices)}"
        return f"there is no '{given[1]}'{hint}"
    if isinstance(kind, click.IntRange | click.FloatRange):
        whole = "a whole number" if isinstance(kind, click.IntRange) else "a number"
        bounds = (("above" if kind.min_open else "from", kind.min), ("to", kind.max))
        limits = "".join(f" {word} {bound:g}" for word, bound in bounds if bound is not None)
        return f"expected {whole}{limits}, got '{given[1]}'"
    wanted = {"integer": "a whole number", "float": "a number"}.get(kind.name)
    return f"expected {wanted}, got '{given[1]}'" if wanted else text

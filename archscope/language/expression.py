"""Expressions such as `=4*width`: parsed to an AST, whitelisted, compiled to closures.

`eval` is never used. Names, attributes and calls are looked up in our own tables, numbers are
bounded after every operation, and there are no loops.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import ceil, floor, prod
from typing import Any

from archscope.errors import LimitError, SpecError, did_you_mean, quoted, shortened
from archscope.ir import Shape, Source
from archscope.language.limits import LIMITS

UNQUOTED = "; inside {...} an expression that holds , [ ] { } must be quoted"
"""The hint for an unquoted expression that YAML has cut short."""
Scope = Mapping[str, Any]
Compute = Callable[[Scope], Any]


class ExpressionError(Exception):
    """An error in an expression or its values, without its location."""

    kind: type[SpecError] = SpecError

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint  # printed after the quoted expression

    def at(self, text: str, place: Source) -> SpecError:
        """Return the user's error for the expression `text` at its location."""
        return self.kind(f"{self} in '{shortened(text, 120)}'{self.hint}", place)


class ExpressionLimitError(ExpressionError):
    """An expression exceeds a limit."""

    kind = LimitError


class Expression:
    """A compiled expression, which can be computed in many scopes."""

    __slots__ = ("at", "compute", "cost", "text")

    def __init__(self, text: str, at: Source) -> None:
        """Compile `text`, which begins with `=`. Raises SpecError."""
        self.text, self.at = text, at
        try:
            self.compute, self.cost = _compiled(text)
        except ExpressionError as refusal:
            raise refusal.at(text, at) from None

    def __call__(self, scope: Scope) -> Any:
        """Return the value in a scope. Raises SpecError."""
        try:
            return self.compute(scope)
        except ExpressionError as refusal:
            raise refusal.at(self.text, self.at) from None
        except RecursionError:
            raise LimitError("values depend on one another too deeply", self.at) from None


class Frame(dict[str, Any]):
    """A scope that looks up unknown names in its parent."""

    __slots__ = ("parent",)

    def __init__(self, parent: Frame | None, values: Mapping[str, Any] = {}) -> None:
        super().__init__(values)
        self.parent = parent

    def __missing__(self, name: str) -> Any:
        if self.parent is None:
            raise KeyError(name)
        return self.parent[name]

    def names(self) -> set[str]:
        """Return all names known in this scope."""
        return {*self, *(() if self.parent is None else self.parent.names())}


def divisible(value: float, by: int = 8) -> int:
    """Round to a multiple of `by` without losing more than a tenth, as MobileNet does.

    The rule comes from the reference code of Sandler et al. 2018.
    """
    rounded = max(by, int(value + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * value else rounded


def _numbers(values: Sequence[Any]) -> Sequence[Any]:
    """Return the arguments of `min` and similar: numbers, or a single list or shape of numbers."""
    if len(values) == 1 and isinstance(values[0], list | tuple):
        values = values[0]
    _check_length(values)
    if not all(isinstance(value, int | float) for value in values):
        raise TypeError
    return values


def _check_length(values: Sequence[Any]) -> None:
    if len(values) > LIMITS.elements:
        raise ExpressionLimitError(f"a list longer than the limit of {LIMITS.elements}")


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": lambda *values: min(_numbers(values)),
    "max": lambda *values: max(_numbers(values)),
    "sum": lambda values: sum(_numbers([values])),
    "int": int,
    "round": lambda value: round(value),  # a second argument of -10**9 would take minutes
    "ceil": ceil, "floor": floor, "abs": abs, "len": len, "divisible": divisible,
}  # fmt: skip

_SHAPE: dict[str, Callable[[Shape], Any]] = {
    "channels": lambda shape: shape[0],
    "height": lambda shape: shape[-2] if len(shape) > 2 else 1,
    "width": lambda shape: shape[-1] if len(shape) > 1 else 1,
    "depth": lambda shape: shape[-3] if len(shape) > 3 else 1,
    "rank": lambda shape: len(shape) - 1,
    "elements": prod,
}

_BINARY: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}  # fmt: skip


def _plain(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Reject lists and rows in a comparison, as nested lists could take forever."""

    def checked(a: Any, b: Any) -> Any:
        if isinstance(a, list | dict) or isinstance(b, list | dict):
            raise TypeError
        return compare(a, b)

    return checked


def _within(value: Any, values: Any) -> bool:
    if isinstance(value, list | dict) or not isinstance(values, list | tuple):
        raise ExpressionError(f"cannot look for {quoted(value)} in {quoted(values)}")
    _check_length(values)
    return value in values


_COMPARE: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Eq: _plain(operator.eq), ast.NotEq: _plain(operator.ne),
    ast.Lt: _plain(operator.lt), ast.LtE: _plain(operator.le),
    ast.Gt: _plain(operator.gt), ast.GtE: _plain(operator.ge),
    ast.In: _within, ast.NotIn: lambda a, b: not _within(a, b),
}  # fmt: skip

# `in` is a keyword to Python's parser, so it is replaced by a name that no spec can use.
_IN = "_i"
_TOKEN = re.compile(r"""'[^']*'|"[^"]*"|\w+|[^\w\s]""")
_OPERATORS = {"and", "or", "not", "if", "else", "in"}


def _name_in(text: str) -> str:
    """Rename `in` where a value is expected; after a value it is an operator."""
    behind = False

    def renamed(match: re.Match[str]) -> str:
        nonlocal behind
        word = match.group()
        if word == "in" and not behind:
            behind = True
            return _IN
        # A dot continues a value, and the `not` of `not in` still needs its `in`.
        if word != "." and not (word == "not" and behind):
            behind = word not in _OPERATORS and (word[-1].isalnum() or word[-1] in "_)]'\"")
        return word

    return _TOKEN.sub(renamed, text)


def names_in(text: str) -> set[str]:
    """Return the names that an expression reads. Raises ExpressionError."""
    return {name for name, _ in reads_in(text)}


def reads_in(text: str) -> list[tuple[str, str | None]]:
    """Return the names that an expression reads, each with the attribute that it reads."""
    nodes = list(ast.walk(_parse(text[1:].strip())))
    behind = {node.value: node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return [
        ("in" if node.id == _IN else node.id, behind.get(node))
        for node in nodes
        if isinstance(node, ast.Name)
    ]


# Specs repeat the same expressions many times.
@lru_cache(maxsize=1 << 12)
def _compiled(text: str) -> tuple[Compute, int]:
    """Return a function that computes an expression, and a measure of its work."""
    if len(text) > LIMITS.text:
        raise ExpressionLimitError(f"more than the limit of {LIMITS.text} characters")
    # A call or a search may read an entire list.
    cost = len(text) + 32 * (text.count("(") + text.count("in"))
    return _compile(_parse(text[1:].strip())), cost


def _parse(text: str) -> ast.expr:
    if not text:
        raise ExpressionError("nothing to compute")
    if _IN in text and re.search(rf"\b{_IN}\b", text):
        raise ExpressionError(f"the name '{_IN}' is reserved")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Python only warns of `1if x else 2`
            return ast.parse(_name_in(text) if "in" in text else text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError, Warning) as error:
        if any(text.count(a) != text.count(b) for a, b in ("()", "[]", "{}")):
            raise ExpressionError("brackets that do not match", UNQUOTED) from None
        reason = error.msg if isinstance(error, SyntaxError) else str(error) or "it is too deep"
        raise ExpressionError(f"not an expression ({reason})") from None


def _compile(node: ast.expr, depth: int = 0) -> Compute:
    if depth > LIMITS.depth:
        raise ExpressionLimitError(f"nested deeper than the limit of {LIMITS.depth}")

    def sub(child: ast.expr) -> Compute:
        return _compile(child, depth + 1)

    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            value = node.value
            _bounded(value)
            return lambda scope: value
        case ast.Name(id=name):
            return _name("in" if name == _IN else name)
        case ast.Attribute(value=base, attr=attr):
            holder = sub(base)
            return lambda scope: _attribute(holder(scope), attr)
        case ast.BinOp(left=left, op=kind, right=right) if type(kind) in _BINARY:
            return _binary(_BINARY[type(kind)], sub(left), sub(right))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _binary(operator.mul, lambda scope: -1, sub(operand))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = sub(operand)
            return lambda scope: not inner(scope)
        case ast.BoolOp(op=kind, values=values):
            conjunction, terms = isinstance(kind, ast.And), [sub(value) for value in values]
            return lambda scope: _bool(conjunction, terms, scope)
        case ast.Compare(left=left, ops=kinds, comparators=rights) if all(
            type(kind) in _COMPARE for kind in kinds
        ):
            compares = [_COMPARE[type(kind)] for kind in kinds]
            first, others = sub(left), [sub(right) for right in rights]
            return lambda scope: _compare(first(scope), compares, others, scope)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            condition, yes, no = sub(test), sub(body), sub(orelse)
            return lambda scope: yes(scope) if condition(scope) else no(scope)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            if name not in FUNCTIONS:
                raise ExpressionError(f"unknown function '{name}'", did_you_mean(name, FUNCTIONS))
            function, given = FUNCTIONS[name], [sub(arg) for arg in args]
            return lambda scope: _call(name, function, [arg(scope) for arg in given])
        case ast.Subscript(value=base, slice=index) if not isinstance(index, ast.Slice):
            holder, place = sub(base), sub(index)
            return lambda scope: _item(holder(scope), place(scope))
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            parts = [sub(element) for element in elements]
            return lambda scope: [part(scope) for part in parts]
    raise ExpressionError(f"{_WORDS.get(type(node), 'this')} is not allowed")


_WORDS = {
    ast.Lambda: "a lambda", ast.ListComp: "a comprehension", ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension", ast.GeneratorExp: "a comprehension", ast.Call: "such a call",
    ast.Dict: "a dictionary", ast.Set: "a set", ast.JoinedStr: "an f-string",
    ast.NamedExpr: "an assignment", ast.Starred: "a star", ast.Subscript: "a slice",
    ast.BinOp: "such an operator", ast.UnaryOp: "such an operator",
    ast.Compare: "such a comparison", ast.Constant: "such a constant",
}  # fmt: skip


def _bounded(value: Any) -> Any:
    if isinstance(value, int | float) and not abs(value) <= LIMITS.number:
        raise ExpressionLimitError(f"a number beyond the limit of {LIMITS.number}")
    return value


def _name(name: str) -> Compute:
    def compute(scope: Scope) -> Any:
        try:
            return scope[name]
        except KeyError:
            known = {*(scope.names() if isinstance(scope, Frame) else scope), "True", "False"}
            raise ExpressionError(f"unknown name '{name}'", did_you_mean(name, known)) from None

    return compute


def _attribute(value: Any, attr: str) -> Any:
    if isinstance(value, tuple):
        if attr not in _SHAPE:
            raise ExpressionError(f"a shape has no '{attr}'", did_you_mean(attr, _SHAPE))
        return _SHAPE[attr](value)
    if isinstance(value, dict):
        if attr not in value:
            raise ExpressionError(f"no '{attr}' in this row", did_you_mean(attr, value))
        return value[attr]
    raise ExpressionError(f"'.{attr}' of {quoted(value)}, which is no shape or row")


def _binary(combine: Callable[[Any, Any], Any], left: Compute, right: Compute) -> Compute:
    power = combine is operator.pow

    def compute(scope: Scope) -> Any:
        a, b = left(scope), right(scope)
        if not isinstance(a, int | float) or not isinstance(b, int | float):
            wrong = b if isinstance(a, int | float) else a
            raise ExpressionError(f"arithmetic needs numbers, got {quoted(wrong)}")
        if power and (abs(b) > 64 or (a < 0 and b != int(b))):
            raise ExpressionError("a power must be real, with an exponent of at most 64")
        try:
            return _bounded(combine(a, b))
        except ZeroDivisionError:
            raise ExpressionError("division by zero") from None
        except OverflowError:
            raise ExpressionLimitError(f"a number beyond the limit of {LIMITS.number}") from None

    return compute


def _bool(conjunction: bool, terms: list[Compute], scope: Scope) -> Any:
    """Return the first term that decides an `and` or an `or`, or the last."""
    value: Any = conjunction
    for term in terms:
        value = term(scope)
        if bool(value) is not conjunction:
            break
    return value


def _compare(
    left: Any, compares: list[Callable[[Any, Any], Any]], others: list[Compute], scope: Scope
) -> bool:
    """Return whether each comparison of a chain `a < b < c` holds."""
    for compare, other in zip(compares, others, strict=True):
        right = other(scope)
        try:
            if not compare(left, right):
                return False
        except TypeError:
            raise ExpressionError(f"cannot compare {quoted(left)} with {quoted(right)}") from None
        left = right
    return True


def _call(name: str, function: Callable[..., Any], values: list[Any]) -> Any:
    try:
        return _bounded(function(*values))
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        given = ", ".join(map(quoted, values)) or "nothing"
        raise ExpressionError(f"'{name}' cannot take {given}") from None


def _item(values: Any, at: Any) -> Any:
    if not isinstance(values, list | tuple):
        raise ExpressionError(f"[{quoted(at)}] of {quoted(values)}, which is no list")
    try:
        return values[at]
    except (IndexError, TypeError):
        raise ExpressionError(f"no element {quoted(at)} in a list of {len(values)}") from None

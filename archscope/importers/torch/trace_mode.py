"""Intercept functions of torch during a trace, in which tensors have shapes but no values."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

from archscope.importers.aten.batch import Batch
from archscope.importers.torch.joined_batches import JoinedBatches, SomeImagesError
from archscope.importers.torch.rows_of_steps import RowsOfSteps
from archscope.importers.torch.spelled import spelled
from archscope.importers.torch.spelled_folded import FOLDED

WHOLE = {functional.local_response_norm, functional.normalize}
"""Functions that torch decomposes, but that are operators of ours."""


DATA = torch.Tensor.data.__get__  # type: ignore[attr-defined]  # a property in C
"""Reads `x.data`, of which torch's tracer takes the result for a constant."""


class _NotKnownError(Exception):
    """A Python number depends on the input."""


class TraceMode(TorchFunctionMode):
    """Stops traces that split batches, and supplies the values of weights and buffers.

    A loop over images would be traced once for each of many images, hence SomeImagesError. Python
    numbers that a module reads from its buffers, as by `.item()`, are those of the real buffers.
    """

    PART = frozenset({"__getitem__", "select", "narrow", "index_select"})
    PARTS = {"unbind": 1, "split": 2, "chunk": 2, "tensor_split": 2, "split_with_sizes": 2}
    """Functions that return one or more parts of a tensor, with the index of the axis argument."""
    NUMBERS = frozenset({"item", "tolist", "__bool__", "__int__", "__float__", "__index__"})
    """Functions that convert a tensor to Python numbers."""
    PLACES = frozenset({"nonzero", "argwhere", "where"})
    """Functions whose results have as many rows as a tensor has values that are not 0."""

    def __init__(self, model: nn.Module, batch: Batch) -> None:
        super().__init__()
        self.model, self.batch = model, batch
        self.real = dict(_tensors(model))
        self.made: dict[int, tuple[Any, ...]] = {}  # results, and the calls that returned them
        self.joined = JoinedBatches(self._leads, self._run)
        self.followed = self.joined, RowsOfSteps(batch.size, self._leads, self._run)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run a function, or raise SomeImagesError if its result has lost the batch."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in self.NUMBERS:
            return self._number(func, args, kwargs)
        if func == DATA and self._whole(args[0]):
            return self._run(torch.Tensor.detach, *args)
        if name in self.PLACES and len(args) == 1 and not self._whole(args[0]):
            return self._places(func, args[0], **kwargs)
        if name == "__getitem__" or (name == "__setitem__" and self._whole(args[2])):
            args = (args[0], self._with_places(args[1]), *args[2:])
        for followed in self.followed:
            found = followed.result(func, args, kwargs)
            if found is not None:
                return found
        if name in self.PARTS and self._whole(args[0]):
            place = self.PARTS[name]
            axis = args[place] if len(args) > place else kwargs.get("dim", 0)
            if args[0].shape[axis] % self.batch.size == 0:
                raise SomeImagesError
        result = self._result(func, args, kwargs)
        if args and (name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))):
            self._change(func, args, kwargs)
        if name in self.PART and self._whole(args[0]) and not self._whole(result):
            raise SomeImagesError
        parts = result if isinstance(result, tuple | list) else [result]
        for place, part in enumerate(parts):
            if isinstance(part, torch.Tensor):
                if part is kwargs.get("out"):
                    self.made[id(part)] = (part,)
                elif all(given is not part for given in (*args, *kwargs.values())):
                    maker = func if part is result else partial(_part, func, place)
                    self.made[id(part)] = (part, maker, args, kwargs)
        return result

    def check_outputs(self, module: nn.Module, inputs: Any, outputs: Any) -> None:
        """Raise SomeImagesError for outputs that a change of another tensor would have changed."""
        self.joined.check_returned(outputs)

    def _change(self, func: Callable[..., Any], args: Any, kwargs: Any) -> None:
        """Record that a tensor was changed in place: its numbers are known if they were before."""
        x, *rest = args
        _, *before = self.made.get(id(x), (x,))
        if before:
            maker, given, words = before
            again = partial(_changed, func, maker, len(given), tuple(words))
            self.made[id(x)] = (x, again, (*given, *words.values(), *rest), kwargs)
        else:
            self.made[id(x)] = (x,)

    def _result(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Return the result of a function, using operators with equivalents of ours."""
        whole = self._as_operator(func, args, kwargs) if func in WHOLE else None
        if whole is not None:
            return whole
        if func in (torch.where, torch.Tensor.where):
            args = tuple(map(self._number_of_fill, args))
        spellings = [spelled(func, args, kwargs, self._whole)]
        if func in FOLDED:
            spellings.insert(0, partial(FOLDED[func], self.batch.size))
        data = any(spellings) and any(map(self._whole, tree_leaves((args, kwargs))))
        for spelling in filter(None, spellings if data else ()):
            with suppress(NotImplementedError, TypeError), self:  # not that form of the function
                return spelling(*args, **kwargs)
        return func(*args, **kwargs)

    def _number_of_fill(self, value: Any) -> Any:
        """Return the number that fills a tensor, or the value unchanged.

        Infinity may be among them, which is no number that a product leaves out.
        """
        _, *call = self.made.get(id(value), (None,))
        if not call or not self._whole(value):
            return value
        maker, args, kwargs = call
        name = getattr(maker, "__name__", "")
        if name == "full_like":
            return args[1] if len(args) > 1 else kwargs["fill_value"]
        return {"zeros_like": 0.0, "ones_like": 1.0}.get(name, value)

    def _as_operator(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Return the result of our operator for a function that torch decomposes, or None.

        On weights alone it is decomposed.
        """
        given = inspect.signature(func).bind(*args, **kwargs)
        given.apply_defaults()
        words = given.arguments
        x = words["input"]
        if not self._whole(x):
            return None
        operators = torch.ops.archscope
        if func is functional.local_response_norm:
            return operators.lrn(x, *(words[name] for name in ("size", "alpha", "beta", "k")))
        plain = words["p"] == 2 and isinstance(words["dim"], int) and words["out"] is None
        return operators.normalize(x, words["dim"], words["eps"]) if plain else None

    def _whole(self, value: Any) -> bool:
        if not self.batch.alike or not isinstance(value, torch.Tensor):
            return False
        return self.batch.suits(tuple(value.shape))

    def _leads(self, value: Any) -> bool:
        return self._whole(value) and value.shape[0] % self.batch.size == 0

    def _run(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self:
            return func(*args, **kwargs)

    def _number(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Return the real number if it is computed only from weights and buffers."""
        try:
            return self._computed(func, args, kwargs)
        except Exception:  # torch explains the error
            return func(*args, **kwargs)

    def _places(self, func: Callable[..., Any], x: Any, **words: Any) -> Any:
        """Return the places of values that are not 0, as constants if these are known."""
        try:
            rows = self._computed(lambda x: x.nonzero().tolist(), (x,), {})
        except Exception:  # they depend on the input
            return func(x, **words)
        places = self._run(lambda: torch.tensor(rows, dtype=torch.long).view(-1, x.dim()))
        as_tuple = func in (torch.where, torch.Tensor.where) or words.get("as_tuple")
        return self._run(places.unbind, 1) if as_tuple else places

    def _computed(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Return the result of a function on the real values of weights and buffers.

        Raises _NotKnownError if it depends on the input.
        """
        paths = {id(tensor): path for path, tensor in _tensors(self.model)}

        def real(part: Any) -> Any:
            if not isinstance(part, torch.Tensor):
                return part
            _, *call = self.made.get(id(part), (part,))
            if id(part) in paths and id(part) not in self.made:
                return self.real[paths[id(part)]]
            if not call:
                raise _NotKnownError
            maker, given, words = call
            return maker(*tree_map(real, given), **tree_map(real, words))

        with _disable_current_modes(), torch._C.DisableTorchFunction(), torch.no_grad():
            return func(*tree_map(real, args), **kwargs)

    def _with_places(self, key: Any) -> Any:
        """Return a key with lists of the places of masks that do not depend on the input."""
        parts: list[Any] = []
        for part in key if isinstance(key, tuple) else (key,):
            mask = isinstance(part, torch.Tensor) and part.dtype == torch.bool and part.dim()
            if not mask or self._whole(part):
                parts.append(part)
                continue
            try:
                parts += self._computed(lambda mask: mask.nonzero().T.tolist(), (part,), {})
            except Exception:  # it depends on the input after all
                return key
        return tuple(parts) if isinstance(key, tuple) or len(parts) > 1 else parts[0]


def _part(func: Callable[..., Any], place: int, *args: Any, **kwargs: Any) -> Any:
    return func(*args, **kwargs)[place]


def _changed(
    func: Callable[..., Any],
    maker: Callable[..., Any],
    positional: int,
    words: tuple[str, ...],
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Return what the maker returns of the first arguments, changed by the function."""
    rest = positional + len(words)
    x = maker(*args[:positional], **dict(zip(words, args[positional:rest], strict=True)))
    x = x.clone()  # it may be a weight
    func(x, *args[rest:], **kwargs)
    return x


def _tensors(model: nn.Module) -> list[tuple[str, torch.Tensor]]:
    return [*model.named_parameters(), *model.named_buffers()]

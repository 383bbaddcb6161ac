"""The contract of operators: documentation, attributes, and all facts on all examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from archscope.contracts.check import Check, expect
from archscope.errors import UnavailableError
from archscope.ir import Example, text_of
from archscope.ops import OPS
from archscope.ops.attributes import attributes


def checks(name: str, file: Path | None = None) -> Iterator[Check]:
    """Yield the checks of an operator."""
    yield Check("documentation", partial(documentation, name))
    yield Check("attributes", partial(attribute_values, name))
    examples = OPS[name].examples()
    yield Check("examples", partial(expect, examples, "it has no examples"))
    for example in examples:
        yield from _of_example(example)


def _of_example(case: Example) -> Iterator[Check]:
    from archscope.contracts.op_facts import FACTS  # imports torch
    from archscope.contracts.op_onnx import FORMS

    forms: tuple[Callable[[Example], None], ...] = FORMS
    if case.op.onnx(*case.ins) is None:
        forms = ()
    values = [f"{key}={getattr(case.op, key)}" for key in case.op.__struct_fields__]
    shapes = " and ".join(map(text_of, case.ins))
    where = f"of {', '.join(values)} on {shapes}" if values else f"on {shapes}"
    facts: tuple[Callable[[Example], None], ...] = (*FACTS, elementwise)
    for check in facts:
        yield Check(f"{check.__name__} {where}", partial(check, case))
    for check in forms:
        yield Check(f"onnx {where}", partial(check, case))


def documentation(name: str) -> None:
    """Check the name, the first line of the docstring, and that attributes are described."""
    op = OPS[name]
    expect(op.name == name, f"its name is {op.name}")
    first = (op.__doc__ or "").strip().split("\n")[0]
    expect(first.endswith("."), "its docstring must begin with a sentence, on one line")
    known = attributes(op)
    expect(op.principal is None or op.principal in known, f"it has no attribute '{op.principal}'")
    for key, attribute in known.items():
        expect(attribute.name == key and attribute.about.strip(), f"{key} needs a description")
        expect(attribute.kind.text and attribute.kind.schema, f"{key} needs a kind with a schema")


def attribute_values(name: str) -> None:
    """Check that attributes accept their defaults and the values of examples."""
    op = OPS[name]
    for key, attribute in attributes(op).items():
        read = attribute.kind.read
        if not attribute.required and attribute.default is not None:
            expect(read(attribute.default) == attribute.default, f"{key} rejects its default")
        for example in op.examples():
            value = getattr(example.op, key)
            if value is None:
                expect(attribute.default is None, f"{key} may not be None")
                continue
            expect(read(value) == value, f"{key} rejects {value}, which an example has")
            if isinstance(value, tuple):  # a list in YAML
                expect(read(list(value)) == value, f"{key} rejects {list(value)} as a list")


def elementwise(case: Example) -> None:
    """Check all other arithmetic, if the module runs in elementary kernels."""
    import torch

    from archscope.contracts.check import BrokenContractError
    from archscope.contracts.op_cases import inputs_of, trained_module
    from archscope.contracts.op_work import Work

    module = trained_module(case)
    inputs = [tensor.detach() for tensor in inputs_of(case, batch=1)]
    try:
        with torch.no_grad(), Work() as work:
            module(*inputs)
    except BrokenContractError as error:
        raise UnavailableError(f"torch uses a special kernel for it ({error})") from None
    stated = case.op.elementwise(*case.ins)
    found = work.operations
    expect(stated == found, f"states {stated} operations, the module does {found}")

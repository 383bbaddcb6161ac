"""Operators are found, not listed; a wrong one is refused when it is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from inspect import getattr_static
from pathlib import Path
from typing import Annotated, Any

import pytest

import archscope.ops
from archscope.ir import FACTS, Op
from archscope.ops import OPS, RARE
from archscope.ops.activation import Activation
from archscope.ops.attributes import Positive, attributes
from archscope.ops.registry import op


def test_every_file_is_found() -> None:
    folder = Path(archscope.ops.__file__).parent
    homes = {cls.__module__.rpartition(".")[2] for cls in OPS.values()}
    helpers = {"__init__", "attributes", "facts", "foreign", "geometry", "registry"}
    helpers |= {"torch_arithmetic", "torch_layout"}  # recognise what several operators express
    assert homes | helpers == {path.stem for path in folder.glob("*.py")}


@pytest.mark.parametrize("file", RARE)
def test_rare_operators_are_deferred_by_all_of_their_names(file: str) -> None:
    own = [name for name, op in OPS.items() if op.__module__ == f"archscope.ops.{file}"]
    assert sorted(own) == sorted(RARE[file].split())


def test_a_deferred_operator_is_known_before_its_file_is_imported() -> None:
    code = (
        "import sys; from archscope.ops import OPS; assert 'lrn' in OPS and 'lrm' not in OPS;"
        "assert 'archscope.ops.response_norm' not in sys.modules;"
        "assert OPS['lrn'].__module__ in sys.modules;"
        "assert 'archscope.ops.sort' not in sys.modules;"
        "assert len(OPS) == len([*OPS]); assert 'archscope.ops.sort' in sys.modules"
    )
    environment = {**os.environ, "ARCHSCOPE_NO_PLUGINS": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_no_operator_is_left_unregistered() -> None:
    def below(cls: type[Op]) -> set[type[Op]]:
        return {cls}.union(*map(below, cls.__subclasses__()))

    ours = {cls for cls in below(Op) if cls.__module__.startswith("archscope.ops")}
    families = {cls for cls in ours if cls.__doc__ and "itself." in cls.__doc__.splitlines()[0]}
    assert Activation in families
    assert ours - families == set(OPS.values())


def test_a_second_operator_of_one_name_is_refused() -> None:
    with pytest.raises(TypeError, match="two operators are named 'relu'"):
        op("relu")(type("Again", (OPS["relu"],), {}, frozen=True))  # type: ignore[call-overload]
    assert OPS["relu"].__module__ == "archscope.ops.activation"


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_left_unsaid_is_refused(fact: str, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OPS["identity"]
    stated: dict[str, Any] = {name: getattr_static(full, name) for name in FACTS if name != fact}
    cls = type("Partial", (Op,), stated, frozen=True, kw_only=True)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=f"'partial' does not state its {fact}$"):
        op("partial")(cls)
    assert "partial" not in OPS


@pytest.mark.parametrize(
    "annotation", [int, Positive, Annotated[Positive, ""], Annotated[int, "no kind"]]
)
def test_an_attribute_without_kind_or_description_is_refused(annotation: Any) -> None:
    fields = {"radius": annotation}
    body = {"__annotations__": fields}
    cls = type("Blur", (OPS["identity"],), body, frozen=True, kw_only=True)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="'radius' of Blur needs a kind and a description"):
        attributes(cls)


@pytest.mark.parametrize("name", OPS)
def test_attributes_of_every_operator_have_kinds_and_descriptions(name: str) -> None:
    assert set(attributes(OPS[name])) == set(OPS[name].__struct_fields__)


def test_operators_import_without_torch() -> None:
    paths = list(Path(archscope.ops.__file__).parent.glob("*.py"))
    assert len(paths) > 10
    for path in paths:
        assert not re.search(r"^\s*(import|from) torch\b", path.read_text(), re.MULTILINE), path

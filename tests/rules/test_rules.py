"""Every rule finds what its file says, where it says, and nothing else."""

from __future__ import annotations

import pytest

from archscope.contracts.rules import findings, order, page, takes
from archscope.report.tables.rules import thresholds
from archscope.rules.rule import RULES, Rule, rule
from tests.rules.cases import CASES, FOLDER, Case, file_of

every_rule = pytest.mark.parametrize("code", sorted(RULES))


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_findings_are_where_they_are_expected(case: Case) -> None:
    findings(case)


@every_rule
def test_every_rule_has_cases_the_clean_ones_first(code: str) -> None:
    order(code, file_of(code))


def test_no_file_of_cases_is_left_over() -> None:
    assert {path.name for path in FOLDER.glob("*.yaml")} == {file_of(code).name for code in RULES}


@every_rule
def test_every_rule_has_a_page(code: str) -> None:
    cls = RULES[code]
    page(code)
    assert len(thresholds(cls)) == len(cls.__struct_fields__)
    assert cls.__module__.endswith(cls.name.replace("-", "_"))


@pytest.mark.parametrize(
    ("code", "field"),
    [(code, field) for code, cls in sorted(RULES.items()) for field in cls.__struct_fields__],
)
def test_no_threshold_that_may_be_configured_makes_a_rule_raise(code: str, field: str) -> None:
    takes(code, field)


def test_codes_and_names_are_never_given_twice() -> None:
    with pytest.raises(TypeError, match="two rules are named 'G1', one in archscope"):
        rule("G1", "something-new")(type("New", (Rule,), {"__doc__": "A page.", "check": print}))
    with pytest.raises(TypeError, match="the rule name 'linear-stack' is already used by ACT104"):
        rule("NEW101", "linear-stack")(type("New", (Rule,), {"__doc__": "x.", "check": print}))
    with pytest.raises(TypeError, match="a page and a check"):
        rule("NEW101", "new")(type("New", (Rule,), {"__doc__": "A page."}))

"""Budgets state what they limit, or why they are not accepted."""

from __future__ import annotations

import pytest

from archscope import load
from archscope.errors import OptionError
from archscope.space.budget import Budget, budgets, violation
from archscope.space.costs import Costs, costs_of


def look(name: str) -> Costs:
    return costs_of(load(name))


def taken(*texts: str, edge: float | None = None) -> tuple[Budget, ...]:
    return budgets(texts, look, edge)


@pytest.mark.parametrize(
    "text, metric, most, least",
    [
        ("300MFLOPs", "macs", 300e6, 255e6),
        ("300MMACs", "macs", 300e6, 255e6),
        ("300 mmacs", None, 0, 0),
        ("0.3 GFLOPS", "macs", 300e6, 255e6),
        ("300M macs", "macs", 300e6, 255e6),
        ("300000000 macs", "macs", 300e6, 255e6),
        ("macs<=300M", "macs", 300e6, 255e6),
        ("macs < 300MFLOPs", "macs", 300e6, 255e6),
        ("macs 300M", "macs", 300e6, 255e6),
        ("macs 250M..300M", "macs", 300e6, 250e6),
        ("250..300MFLOPs", "macs", 300e6, 250e6),
        ("macs>=250M", "macs", None, 250e6),
        ("5M params", "params", 5e6, 4.25e6),
        ("5Mparams", "params", 5e6, 4.25e6),
        ("params<=5M", "params", 5e6, 4.25e6),
        ("parameters <= 5e6", "params", 5e6, 4.25e6),
        ("peak 4MiB", "peak", 4 * 2**20, 3.4 * 2**20),
        ("4MiB peak", "peak", 4 * 2**20, 3.4 * 2**20),
        ("peak memory<=4MB", "peak", 4e6, 3.4e6),
        ("weights 10MB", "weights", 10e6, 8.5e6),
        ("weights 10M", "weights", 10e6, 8.5e6),
        ("4Mi peak", "peak", 4 << 20, 0.85 * (4 << 20)),
        ("access 50MiB", "access", 50 * 2**20, 42.5 * 2**20),
        ("memory access <= 50 MiB", "access", 50 * 2**20, 42.5 * 2**20),
        ("60% of mobilenet_v2", "macs", 0.6 * 300774272, 0.51 * 300774272),
        ("60% params of mobilenet_v2", "params", 0.6 * 3504872, 0.51 * 3504872),
        ("params <= 60% of mobilenet_v2", "params", 0.6 * 3504872, 0.51 * 3504872),
        ("8ms@cpu", "latency", 8, None),
        ("latency<=0.5s@cpu", "latency", 500, None),
    ],
)
def test_what_is_taken(text: str, metric: str | None, most: float | None, least: float) -> None:
    if metric is None:
        with pytest.raises(OptionError, match="a million is 'M'"):
            taken(text)
        return
    (one,) = taken(text)
    assert one.metric == metric
    assert one.most == pytest.approx(most)
    assert one.least == pytest.approx(least)


@pytest.mark.parametrize(
    "text, why",
    [
        ("300M", "300M of what? '300M params' or '300MMACs'"),
        ("300", "300 of what?"),
        ("4MiB", "bytes of what? say weights, access, peak"),
        ("300MFlips", "unknown unit 'MFlips', did you mean 'flops'?"),
        ("300mFLOPs", "'m' would be a thousandth"),
        ("peak 10Mb", "'Mb' is bits; bytes are MB"),
        ("5B", "could be bytes or billions"),
        ("params 4MiB", "params is a count, not bytes"),
        ("peak 300 apples", "unknown unit 'apples'"),
        ("paramz 3M", "no metric 'paramz', did you mean 'param"),
        ("weights 10M params", "it names both weights and params"),
        ("0MMACs", "no network costs nothing"),
        ("60%", "a share needs a network"),
        ("0% of mobilenet_v2", "the share is 0"),
        ("8ms", "latency needs a device"),
        ("latency<=8ms", "latency needs a device"),
        ("0ms@cpu", "no network costs nothing"),
        ("macs=300M", "a budget is not an exact amount"),
        ("<=300M", "name the metric before '<='"),
        ("macs<=", "it has no amount"),
        ("", "it has no amount"),
        ("macs ..300M", "'' is not an amount for the lower end"),
        ("5M params@cpu", "params is counted, not measured on a device"),
        ("peak 5ms", "peak is in bytes, not ms"),
        (
            "2ms@raspi4",
            "the device 'raspi4' is not known; there is cpu, that of this machine",
        ),
        ("8ms@CPU", "the device 'CPU' is not known, did you mean 'cpu'?"),
        ("latency<=0.5s@cuda:0", "the device 'cuda:0' is not known"),
        ("1e400MACs", "no network costs more than 1e+30"),
        ("60% latency of resnet50", "latency is measured, so it has no share; write 8ms@cpu"),
        ("300MMACs/s", "unknown unit 'MMACs/s'"),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(OptionError) as caught:
        taken(text)
    said = str(caught.value)
    assert said.startswith(f"cannot take the budget '{text}': ")
    assert why in said
    assert "write for example 300MFLOPs, " in said


def test_networks_that_are_none() -> None:
    with pytest.raises(OptionError, match="no network of the zoo"):
        taken("60% of mobilnet")


def test_several_have_no_lower_edge() -> None:
    one, other = taken("300MFLOPs", "5M params")
    assert (one.least, other.least) == (None, None)
    assert [each.least for each in taken("300MFLOPs", edge=0)] == [None]
    assert [each.least for each in taken("300MFLOPs", edge=0.5)] == [150e6]
    with pytest.raises(OptionError, match="at least 0 and below 1, got 2"):
        taken("300MFLOPs", edge=2)


def test_both_ends_may_be_two_budgets() -> None:
    (one,) = taken("macs<=300M", "macs>=200M")
    assert (one.most, one.least) == (300e6, 200e6)
    with pytest.raises(OptionError, match="two budgets limit macs: '300MFLOPs' and 'macs<=200M'"):
        taken("300MFLOPs", "macs<=200M")
    with pytest.raises(OptionError, match="is empty: its lower end"):
        taken("macs 300M..200M")


def test_the_meaning_is_said() -> None:
    (one,) = taken("300MFLOPs")
    assert one.meaning("3x224x224") == (
        "300MFLOPs: at most 300,000,000 and at least 255,000,000 macs (multiply-accumulates of"
        " convolutions and matrix products), for one image of 3x224x224; one FLOP for each"
        " multiply-accumulate, as mobile papers count; the lower edge is 0.85 of it"
    )
    (one,) = taken("60% params of resnet50", edge=0)
    assert one.meaning("3x224x224") == (
        "60% params of resnet50: at most 15,334,219 params (learnable numbers);"
        " resnet50 has 25.56 M params"
    )


def test_excess_is_a_share_of_the_limit() -> None:
    (one,) = taken("300MFLOPs")
    assert one.excess(300e6) == 0
    assert one.excess(330e6) == pytest.approx(0.1)
    assert one.excess(255e6) == 0
    assert one.excess(127.5e6) == pytest.approx(0.5)
    assert one.excess(280e6) < 0
    both = taken("300MFLOPs", "8ms@cpu")
    costs = {"macs": 330e6, "params": 1, "weights": 1, "access": 1}
    assert violation(both, costs) == pytest.approx(0.1)
    assert violation(both, None) == float("inf")

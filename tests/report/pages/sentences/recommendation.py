"""Sentences on which network to ship."""

from __future__ import annotations

from tests.report.pages.sentences.facts import (
    Facts,
    close,
    sentence,
)


@sentence("(?:On the [^,]+, s|S)hip (NAME): of (NUMBER) networks it is the most accurate,"
          " (ACCURACY), at (NUMBER) ([a-z ]+)")  # fmt: skip
def most(facts: Facts, name: str, many: str, reached: str, cost: str, label: str) -> None:
    rivals = [net for net in facts.alike if net["values"].get(facts.key) is not None]
    assert int(many) == len(rivals)
    assert facts.value(name, facts.key) == max(net["values"][facts.key] for net in rivals)
    facts.accuracy(name, reached)
    close(cost, facts.value(name, label))


@sentence("(?:On the [^,]+, s|S)hip (NAME): (ACCURACY), tied with ([^%]*?)(?: \\((?:the best has"
          " (NUMBER))?(?:; )?(?:up to (NUMBER) may be (?:chance|error))?\\))?(?:; more seeds would"
          " tell them apart|, and needs the (?:fewest|least) ([a-z ]+): (NUMBER)|, and costs no"
          " more than ([^:]+): (NUMBER) ([a-z ]+))?")  # fmt: skip
def tied(facts: Facts, name: str, own: str, others: str, best: str | None, chance: str | None,
         label: str | None, least: str | None, equals: str | None, price: str | None,
         priced: str | None) -> None:  # fmt: skip
    together = [name, *facts.names(others)]
    values = {each: facts.value(each, facts.key) for each in together}
    most = max(values.values())
    facts.accuracy(name, own)
    assert (values[name] == most) == (best is None)
    if best:
        close(best, most)
    if chance:
        margin = float(chance.split()[0]) / 100 + 0.0005
        assert all(most - value <= margin for value in values.values())
    if label:
        close(least or "", facts.value(name, label))
        assert facts.value(name, label) == min(facts.value(each, label) for each in together)
    if priced:
        close(price or "", facts.value(name, priced))
        assert all(facts.value(each, priced) == facts.value(name, priced)
                   for each in facts.names(equals or ""))  # fmt: skip


@sentence("Where cost counts more, (NAME) needs (NUMBER) (?:fewer|less) ([a-z ]+), (NUMBER), and"
          " reaches (NUMBER), (-?NUMBER) less")  # fmt: skip
def cheaper(facts: Facts, name: str, times: str, label: str, cost: str, reached: str,
            less: str) -> None:  # fmt: skip
    (shipped, *_) = facts.names(facts.page["answer"][0])
    close(times, facts.value(shipped, label) / facts.value(name, label))
    close(cost, facts.value(name, label))
    close(reached, facts.value(name, facts.key))
    gap = facts.value(shipped, facts.key) - facts.value(name, facts.key)
    assert abs(float(less.split()[0]) - 100 * gap) < 0.11, "of two rounded percentages"


@sentence("(NAME), the next by cost, needs (NUMBER) more ([a-z ]+)")
def dearer(facts: Facts, name: str, times: str, label: str) -> None:
    (shipped, *_) = facts.names(facts.page["answer"][0])
    close(times, facts.value(name, label) / facts.value(shipped, label))


@sentence("(NAME) reaches (ACCURACY); there is nothing to compare")
def alone(facts: Facts, name: str, reached: str) -> None:
    assert len(facts.networks) == 1
    facts.accuracy(name, reached)


@sentence("(?:(NUMBER) of (NUMBER) networks were|1 of the networks was|Each network was) trained"
          " once: another seed may change the order")  # fmt: skip
def once(facts: Facts, some: str | None, many: str | None) -> None:
    known = [net["measured"] for net in facts.alike if net["measured"]]
    singles = sum(len(each["scores"]) == 1 for each in known)
    assert singles == (int(some) if some else singles)
    assert len(known) == (int(many) if many else len(known))
    assert singles > 0


@sentence("A prior predicts (.*); nothing was measured")
def prior(facts: Facts, about: str) -> None:
    assert any(study["prior"] and study["prior"]["about"] == about
               for study in facts.studies.values())  # fmt: skip


WITHOUT_NUMBERS = (
    "Published top-1 comes from the source named next to it, with that source's training;"
    " nothing was trained here",
    "Predicted top-1 is of ImageNet and was not measured; docs/predict.md says how far off it is",
    "± is the standard deviation between seeds, only a rough estimate from so few",
    "digits is a demonstration data set: it does not tell good networks apart",
    "The validation images chose the best epoch, so this accuracy is optimistic",
    "With so few trainings, the variation between seeds is only a rough estimate",
    "Which to ship is open: .*",
    "How accurate this network is is not known here; .*",
    "There is no network in this report",
)

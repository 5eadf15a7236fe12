"""Multiple choice: each option's statements are weighed against the evidence; the best supported letter is given."""

from __future__ import annotations

from dataclasses import replace

from agent.mentions import Mention, has_any, name_of, tokens
from agent.planner.facts import cite
from agent.planner.measuring import MEASURE
from agent.planner.naming import vocabulary
from agent.planner.options import Option
from agent.planner.question import Question
from agent.planner.sentences import Teller
from agent.planner.values import distances
from agent.planner.wording import say
from tools.contract import Finding, Status
from tools.contract.wording import listed
from tools.knowledge import with_signs

Reasons = list[tuple[float, str]]
"""What speaks for an option (above 0) or against it, in words."""

SIDE_WEIGHT = 0.5
"""What a located side adds to, or takes from, a finding that is present; less than the finding itself."""
UNTESTED_WEIGHT = 0.05
"""What a statement that nothing here can test takes from its option: with equal support, the plainer option wins."""
OPTION_WORDS = vocabulary()["choice"]
"""Words of options and stems that say how options are to be weighed."""
CLEAR_MARGIN = 1e-6
"""Weights that differ by less are equal."""


def compose_choice(question: Question, teller: Teller) -> list[str]:
    """A line on each option that evidence touches, then "ANSWER: X", or that no option can be supported."""
    film = question.films[0]
    weighed = _weighed(question, film, teller)
    weights = {letter: weight for letter, (weight, _) in weighed.items()}
    lines = [
        f"- {say('choice.option', letter=letter, judgement=_judgement(reasons))}"
        for letter, (_, reasons) in weighed.items()
    ]
    ranked = sorted(weights, key=lambda letter: -weights[letter])
    best, second = ranked[0], ranked[1]
    if weights[best] - weights[second] < CLEAR_MARGIN:
        teller.miss(say("choice.abstain"))
        return [say("choice.lead"), *lines, *teller.failures(film), say("choice.abstain")]
    guess = [say("choice.guess", letter=best)] if weights[best] <= 0 else []
    return [say("choice.lead"), *lines, *guess, f"ANSWER: {best}"]


def _weighed(question: Question, film: str, teller: Teller) -> dict[str, tuple[float, Reasons]]:
    """Weight and reasons of every option, by its letter: what was measured, else what its statements are worth.

    "None of the above" is as likely as the likeliest of the others is not; where the stem asks for the exception
    ("which is NOT seen"), the least supported option is the right one.
    """
    found = {option.letter: _weigh(option, question, teller) for option in question.options}
    runs = [run for run in teller.facts.of(MEASURE, film) if run.failure is None]
    measured = distances(question.options, runs)
    if measured:
        reason = f"{runs[0].summary.split('. ')[0].rstrip('.')} {cite([runs[0].id])}"
        least = min(measured.values())
        found |= {letter: (-far, [(1.0 if far == least else -1.0, reason)]) for letter, far in measured.items()}
    elif has_any(tokens(question.text), OPTION_WORDS["exception"]):
        found = {letter: (-weight, reasons) for letter, (weight, reasons) in found.items()}
    for option in question.options:
        if has_any(tokens(option.text), OPTION_WORDS["none"]):
            best = max(weight for letter, (weight, _) in found.items() if letter != option.letter)
            found[option.letter] = (-best, [])
    return found


def _weigh(option: Option, question: Question, teller: Teller) -> tuple[float, Reasons]:
    """(mean support in [-1, 1] and a little more for a side, the reasons with their signs)."""
    reasons: Reasons = []
    total = 0.0
    stated = [mention for mention in option.mentions if mention.kind == "finding"]
    if not stated:
        return _of_stem(option, question, teller)
    for mention in stated:
        support = [_support(mention, film, teller) for film in question.films]
        support = [item for item in support if item is not None] or [None]
        best = max(support, key=lambda item: item[0] if item else -1.0)
        if best is None:
            total -= UNTESTED_WEIGHT
            continue
        total += best[0]
        reasons.append(best)
    return total / len(stated), reasons


def _of_stem(option: Option, question: Question, teller: Teller) -> tuple[float, Reasons]:
    """Options that name no finding: yes, no, left, right, normal."""
    words = tokens(option.text)
    film = question.films[0]
    if has_any(words, OPTION_WORDS["normal"]):
        return _normal(film, teller, 1.0)
    if words[:1] in (["yes"], ["no"]) and not question.findings:
        asked = [sign for key, sign in (("abnormal", -1.0), ("normal", 1.0)) if has_any(tokens(question.text), [key])]
        if asked:
            return _normal(film, teller, asked[0] * (1.0 if words[0] == "yes" else -1.0))
    about = [
        Mention("finding", code, 0, 0, side=question.side)
        for code in question.findings
        if code not in _in_options(question)
    ]
    for mention in about:
        if words[:1] in (["yes"], ["no"]):
            support = _support(mention, film, teller)
            if support is not None:
                sign = 1.0 if words[0] == "yes" else -1.0
                return sign * support[0], [(sign * support[0], support[1])]
        stated = _as_statement(mention, words, option.sides)
        support = _support(stated, film, teller) if stated is not None else None
        if support is not None:
            return support[0], [support]
    return -UNTESTED_WEIGHT, []


def _normal(film: str, teller: Teller, sign: float) -> tuple[float, Reasons]:
    """The weight of "the film is normal", by what speaks most against it; turned round where sign is -1."""
    if not teller.codes(film):
        return 0.0, []
    rows = [*teller.present(film), *teller.uncertain(film)]
    weight = -sign * max((_strength(row) for row in rows), default=-1.0)
    return weight, [(weight, teller.named(rows[:3], film))] if rows else []


def _as_statement(mention: Mention, words: list[str], sides: tuple[str, ...]) -> Mention | None:
    """What a bare side, or "none" or "nowhere", says of the stem's finding; None for other words."""
    if words[:1] in (["none"], ["neither"], ["nowhere"], ["absent"]):
        return replace(mention, denied=True, side=None)
    if not sides:
        return None
    both = {"left", "right"} <= set(sides) or sides[0] not in ("left", "right")
    return replace(mention, side="bilateral" if both else sides[0])


def _in_options(question: Question) -> set[str]:
    return {mention.code for option in question.options for mention in option.mentions}


def _support(mention: Mention, film: str, teller: Teller) -> tuple[float, str] | None:
    """How far the evidence bears one statement out, in [-1, 1], and the words for it; None when nothing was said."""
    codes = [code for code in with_signs([mention.code]) if teller.facts.assessed(code, film)]
    codes = codes[:1] if mention.code in codes[:1] else codes
    rows = [row for code in codes for row in teller.facts.about(code, film) if row.status is not Status.NOT_ASSESSED]
    if not rows:
        return None
    strength = sum(_strength(row) for row in rows) / len(rows)
    reason = listed(dict.fromkeys(_reason(code, film, teller) for code in codes))
    if mention.denied:
        return -strength, reason
    found = teller.facts.side(codes[0], film)
    if mention.side and found and strength > 0:
        agrees = mention.side == found or found == "bilateral"
        strength += SIDE_WEIGHT if agrees else -2 * SIDE_WEIGHT
    return strength, reason


def _strength(row: Finding) -> float:
    """Distance of a score from its threshold, scaled to [-1, 1]; the status alone where there is no score."""
    if row.score is None or row.threshold is None:
        return {Status.PRESENT: 0.5, Status.ABSENT: -0.5}.get(row.status, 0.0)
    above = row.score - row.threshold
    room = (1 - row.threshold) if above > 0 else row.threshold
    return max(-1.0, min(1.0, above / room)) if room > 0 else 0.0


def _reason(code: str, film: str, teller: Teller) -> str:
    status = teller.facts.status(code, film) or Status.NOT_ASSESSED
    side = teller.facts.side(code, film)
    told = "" if side is None else " on both sides" if side == "bilateral" else f" on the {side}"
    if teller.facts.disagree(code, film):
        return say("choice.disputed", name=name_of(code), cite=teller.facts.cite(code, film))
    words = {"name": name_of(code), "status": say(f"status.{status}"), "side": told}
    return say("choice.reason", cite=teller.facts.cite(code, film, status), **words)


def _judgement(reasons: Reasons) -> str:
    parts = []
    for key, wanted in (("for", True), ("against", False)):
        told = list(dict.fromkeys(text for weight, text in reasons if (weight > 0) is wanted))
        if told:
            parts.append(say(f"choice.{key}", reasons=listed(told)))
    return "; ".join(parts) + "." if parts else f"{say('choice.open')}."

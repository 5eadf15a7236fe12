"""What an option states of a film, and what that weighs: findings with sides and zones, an organ, a normal film."""

from __future__ import annotations

from dataclasses import replace

from agent.mentions import Mention, has_any, name_of, tokens
from agent.planner.choosing.beliefs import all_beliefs, belief
from agent.planner.choosing.places import ANGLES, BLUNTING, angles, weigh_place, zones_in
from agent.planner.choosing.weights import Weighed, one, together
from agent.planner.facts import cite
from agent.planner.naming import vocabulary
from agent.planner.options import Option
from agent.planner.question import MEASURE, Question
from agent.planner.sentences import Teller
from agent.planner.wording import say
from tools.contract import Status
from tools.contract.wording import listed
from tools.knowledge import findings, with_signs
from tools.knowledge.ontology import is_kind_of

UNTESTED = -0.05
"""What a statement that nothing here can test weighs: with equal support, the plainer option wins."""
NORMAL_BAR = 0.7
"""Weight that the likeliest of a dozen findings reaches on films without any, by chance; above it a film is less likely
normal than not."""
REASONS_MAX = 3


def by_statement(option: Option, question: Question, teller: Teller) -> Weighed:
    """The weight of an option by its findings; of one that names none, by what it says of the stem's."""
    stated = [mention for mention in option.mentions if mention.kind == "finding"]
    if not stated:
        return max((_of_stem(option, question, film, teller) for film in question.films), key=lambda w: w.weight)
    zones = zones_in(option.text)
    parts = []
    for mention in stated:
        told = [found for film in question.films if (found := _stated(mention, zones, film, teller)) is not None]
        parts.append(max(told, key=lambda each: each.weight, default=Weighed(UNTESTED)))
    return together(parts)


def _of_stem(option: Option, question: Question, film: str, teller: Teller) -> Weighed:
    """Options that name no finding: yes, no, a side, a zone, none, an organ, normal."""
    words, told = tokens(option.text), vocabulary()["choice"]
    yes = {"yes": 1.0, "no": -1.0}.get(words[0] if words else "")
    if has_any(words, told["normal"]):
        return _normal(film, teller)
    named = {mention.code for other in question.options for mention in other.mentions}
    about = [Mention("finding", code, 0, 0, side=question.side) for code in question.findings if code not in named]
    if yes is not None and not about:
        asked = next((sign for key, sign in (("abnormal", -1.0), ("normal", 1.0))
                      if has_any(tokens(question.text), [key])), None)  # fmt: skip
        return Weighed(UNTESTED) if asked is None else _signed(_normal(film, teller), asked * yes)
    for mention in about:
        if yes is not None:
            weighed = _stated(mention, set(), film, teller)
            return Weighed(UNTESTED) if weighed is None else _signed(weighed, yes)
        statement = _as_statement(mention, words, option)
        weighed = _stated(statement, zones_in(option.text), film, teller) if statement is not None else None
        if weighed is not None:
            return weighed
    return _organ(words, film, teller)


def _signed(weighed: Weighed, sign: float) -> Weighed:
    return weighed if sign > 0 else weighed.turned()


def _as_statement(mention: Mention, words: list[str], option: Option) -> Mention | None:
    """What a bare place, or "none" or "nowhere", says of the stem's finding; None for other words."""
    if has_any(words[:2], vocabulary()["choice"]["nowhere"]):
        return replace(mention, denied=True, side=None)
    sides = option.sides
    if sides:
        both = {"left", "right"} <= set(sides) or sides[0] not in ("left", "right")
        return replace(mention, side="bilateral" if both else sides[0])
    return replace(mention, side=None) if zones_in(option.text) else None


def _stated(mention: Mention, zones: set[str], film: str, teller: Teller) -> Weighed | None:
    """How far the evidence bears one statement out, and the words for it; None when nothing was said."""
    if mention.code == BLUNTING and (found := _angles(mention, film, teller)) is not None:
        return found
    weight = belief(mention.code, film, teller.facts)
    if weight is None:
        return None
    codes = [code for code in with_signs([mention.code]) if teller.facts.assessed(code, film)]
    told = codes[:1] if mention.code in codes[:1] else codes
    reason = listed(dict.fromkeys(_reason(code, film, teller) for code in told))
    if mention.denied:
        return one(-weight, reason)
    return one(weight + weigh_place(mention.code, mention.side, zones, film, teller.facts), reason)


def _angles(mention: Mention, film: str, teller: Teller) -> Weighed | None:
    """Blunting of the costophrenic angles, side by side: by the measured angles and by fluid on that side."""
    weights = angles(film, teller.facts)
    if not weights:
        return None
    runs = [r for r in teller.facts.of(MEASURE, film) if any(i["code"] == ANGLES for i in r.data["measurements"])]
    told = next(i["sentences"][0] for i in runs[-1].data["measurements"] if i["code"] == ANGLES).rstrip(".")
    for sign in with_signs([BLUNTING])[1:]:
        there, side = belief(sign, film, teller.facts), teller.facts.side(sign, film)
        for each in weights:
            if there is not None and there > 0 and side in (each, "bilateral"):
                weights[each] = max(weights[each], there)
    if mention.denied:
        weight = -max(weights.values())
    elif mention.side in ("left", "right"):
        weight = sum(value if side == mention.side else -value for side, value in weights.items())
    elif mention.side == "bilateral":
        weight = sum(weights.values())
    else:
        weight = max(weights.values())
    return one(weight, f"{told} {cite([runs[-1].id])}")


def _normal(film: str, teller: Teller) -> Weighed:
    """ "The film is normal", by what speaks most against it."""
    weights = all_beliefs(film, teller.facts)
    if not weights:
        return Weighed()
    rows = [*teller.present(film), *teller.uncertain(film)][:REASONS_MAX]
    return one(NORMAL_BAR - max(weights.values()), teller.named(rows, film))


def _organ(words: list[str], film: str, teller: Teller) -> Weighed:
    """An option that names an organ alone, by the likeliest finding of that organ."""
    organs = [organ for organ in vocabulary()["choice"]["organ"].values() if has_any(words, organ["words"])]
    weights = {
        code: weight
        for code, weight in all_beliefs(film, teller.facts).items()
        if any(_belongs(code, organ) for organ in organs)
    }
    if not weights:
        return Weighed(UNTESTED)
    likeliest = max(weights, key=lambda code: weights[code])
    return one(weights[likeliest], _reason(likeliest, film, teller))


def _belongs(code: str, organ: dict[str, list[str]]) -> bool:
    concept = findings().get(code)
    kinds = organ.get("kinds", [])
    if concept is None:
        return False
    return concept.region in organ.get("regions", []) or any(is_kind_of(code, kind) for kind in kinds)


def _reason(code: str, film: str, teller: Teller) -> str:
    status = teller.facts.status(code, film) or Status.NOT_ASSESSED
    side = teller.facts.side(code, film)
    told = "" if side is None else " on both sides" if side == "bilateral" else f" on the {side}"
    if teller.facts.disagree(code, film):
        return say("choice.disputed", name=name_of(code), cite=teller.facts.cite(code, film))
    words = {"name": name_of(code), "status": say(f"status.{status}"), "side": told}
    return say("choice.reason", cite=teller.facts.cite(code, film, status), **words)

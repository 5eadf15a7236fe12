"""One sentence and the evidence it cites → a verdict, with what is wrong and what the evidence says instead."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from agent.answer import Evidence, EvidenceStatus, Verdict
from agent.claims.quantities import Known, Written, known, stems, written
from agent.ledger import conflicts
from agent.mentions import Mention, has_any, language, mentions, name_of, side_of, tokens
from agent.planner.wording import say
from tools.contract import Finding, Status
from tools.knowledge import is_kind_of

SCALE_SLACK = 1e-9
SCORE_FIELDS = {"score", "threshold"}
"""Fields of a Finding whose numbers are about the finding, and about nothing else that a sentence may measure."""
THRESHOLD_STEMS = stems("threshold cutoff limit above below operating reaches exceeds")
"""Words beside which a number may be a threshold; elsewhere it is the score that is meant."""
SCORE_STEMS = stems("score scores threshold probability certainty")


@dataclass(frozen=True)
class Judged:
    """What a sentence is worth.

    Attributes:
        verdict: supported, conflicting or not assessed.
        why: "" where it is supported; else one of the keys of wording.toml's [doubt].
        instead: what the evidence says where it says otherwise, in words.
    """

    verdict: Verdict
    why: str = ""
    instead: str = ""


SUPPORTED = Judged(Verdict.SUPPORTED)


@cache
def words() -> dict[str, Any]:
    """words.toml."""
    return tomllib.loads((resources.files("agent.claims") / "words.toml").read_text(encoding="utf-8"))


def judged(sentence: str, cited: Sequence[Evidence], numbers: Callable[[Evidence], list[Known]] = known) -> Judged:
    """Hold a sentence against the evidence it cites.

    Args:
        sentence: without citations.
        cited: the records it cites; failed ones support nothing.
        numbers: gives the numbers of a record; whoever judges many sentences remembers them.
    """
    sound = [record for record in cited if record.status is EvidenceStatus.OK]
    if not sound:
        return Judged(Verdict.NOT_ASSESSED, "failed")
    named = [mention for mention in mentions(sentence) if mention.kind == "finding"]
    doubts = [_of_mention(mention, sentence, sound) for mention in named]
    doubts.append(_of_whole(sentence, sound))
    said = written(sentence)
    given = [item for record in sound for item in numbers(record)] if said else []
    doubts += [_of_number(number, sentence, named, given) for number in said]
    doubts += [_of_degree(sentence, sound), *(_of_height(mention, sentence, sound) for mention in named)]
    for verdict in (Verdict.CONFLICTING, Verdict.NOT_ASSESSED):
        worst = next((doubt for doubt in doubts if doubt.verdict is verdict), None)
        if worst is not None:
            return worst
    return SUPPORTED


def _of_mention(mention: Mention, sentence: str, cited: Sequence[Evidence]) -> Judged:
    rows = [row for record in cited for row in record.findings if is_kind_of(row.code, mention.code)]
    spoken = tokens(sentence)
    if not rows:
        said = any(m.code == mention.code for record in cited for m in mentions(record.summary))
        return SUPPORTED if said else Judged(Verdict.NOT_ASSESSED, "finding")
    if conflicts(rows):
        told = has_any(spoken, words()["tells_dispute"])
        return Judged(Verdict.CONFLICTING, "" if told else "tools")
    statuses = {row.status for row in rows} - {Status.NOT_ASSESSED}
    if not statuses:
        return Judged(Verdict.NOT_ASSESSED, "finding")
    gives_a_score = has_any(spoken, language()["neutral"]) and not has_any(spoken, words()["asserts"])
    denied = mention.denied or _heads_a_denied_list(sentence)
    if gives_a_score and not denied:
        return SUPPORTED
    if denied:
        return _against(statuses, Status.ABSENT, Status.PRESENT, rows)
    if has_any(spoken, language()["hedges"]):
        return SUPPORTED
    verdict = _against(statuses, Status.PRESENT, Status.ABSENT, rows)
    return verdict if verdict is not SUPPORTED else _of_side(mention.side, rows, cited)


def _heads_a_denied_list(sentence: str) -> bool:
    """ "Not seen: pneumothorax (0.02, limit 0.04) and mass (0.01, limit 0.05)."."""
    heading, colon, _ = sentence.partition(":")
    return bool(colon) and " ".join(tokens(heading)) in words()["denies_a_list"]


def _against(statuses: set[Status], claimed: Status, opposite: Status, rows: Sequence[Finding]) -> Judged:
    if claimed in statuses:
        return SUPPORTED
    if opposite in statuses:
        return Judged(Verdict.CONFLICTING, "status", _rows_say(rows))
    return Judged(Verdict.NOT_ASSESSED, "uncertain", _rows_say(rows))


def _of_side(side: str | None, rows: Sequence[Finding], cited: Sequence[Evidence]) -> Judged:
    if side is None:
        return SUPPORTED
    told = {row.laterality for row in rows if row.laterality and row.status is not Status.ABSENT}
    if told:
        agrees = side in told or "bilateral" in told or (side == "bilateral" and told == {"left", "right"})
        return SUPPORTED if agrees else Judged(Verdict.CONFLICTING, "side", _rows_say(rows))
    names = {row.code for row in rows}
    said = any(m.code in names and m.side in (side, "bilateral") for record in cited for m in mentions(record.summary))
    return SUPPORTED if said else Judged(Verdict.NOT_ASSESSED, "side")


def _of_whole(sentence: str, cited: Sequence[Evidence]) -> Judged:
    """ "The lungs are clear" is false beside a finding that is present."""
    if not has_any(tokens(sentence), words()["denies_everything"]):
        return SUPPORTED
    present = [row for record in cited for row in record.findings if row.status is Status.PRESENT]
    return Judged(Verdict.CONFLICTING, "status", _rows_say(present)) if present else SUPPORTED


def _of_number(number: Written, sentence: str, named: Sequence[Mention], numbers: Sequence[Known]) -> Judged:
    """The number must be one that the evidence gives for what the sentence is about, in a unit of the same kind."""
    sides: set[str | None] = {mention.side for mention in named if mention.side} or {side_of(sentence)} - {None}
    given = [item for item in numbers if item.kind == number.kind]
    subject = stems(sentence)
    codes = {mention.code for mention in named}
    sayable = subject | _said_of(named)

    def is_meant(item: Known) -> bool:
        return bool(stems(item.name) & subject) and stems(item.name) <= sayable

    equal = [item for item in given if _equal(number, item) and _is_about(item, codes, sides, subject)]
    if any(map(is_meant, equal)) or (equal and not _named_otherwise(equal, subject)):
        return SUPPORTED
    if number.whole and not given:
        return Judged(Verdict.NOT_ASSESSED, "number")
    meant = [item for item in given if is_meant(item) and _is_about(item, codes, sides, subject)]
    return Judged(Verdict.NOT_ASSESSED, "number", _numbers_say(meant))


def _named_otherwise(equal: Sequence[Known], subject: frozenset[str]) -> bool:
    """Whether every one of these quantities has a name that says something else than the sentence does.

    A finding's score goes by the finding's name.
    """
    names = [stems(item.name) for item in equal]
    return all(item.name not in SCORE_FIELDS for item in equal) and all(name and not name & subject for name in names)


def _said_of(named: Sequence[Mention]) -> set[str]:
    return {stem for mention in named for stem in stems(name_of(mention.code))}


def _is_about(item: Known, codes: set[str], sides: set[str | None], subject: frozenset[str]) -> bool:
    if item.code is not None and codes and not any(_related(item.code, code) for code in codes):
        return False
    if item.name == "threshold" and not subject & THRESHOLD_STEMS:
        return False
    if item.code is not None and item.name in SCORE_FIELDS and not codes and not subject & SCORE_STEMS:
        return False
    one_side = sides if len(sides) == 1 and "bilateral" not in sides else set()
    return item.side is None or not one_side or item.side in one_side


def _equal(number: Written, item: Known) -> bool:
    return abs(number.value - item.value) <= number.half + SCALE_SLACK * abs(item.value)


def _of_degree(sentence: str, cited: Sequence[Evidence]) -> Judged:
    """A degree must stand in the evidence, in any of the words that mean the same."""
    for alike in words()["degrees"].values():
        if has_any(tokens(sentence), alike) and mentions(sentence):
            told = any(has_any(tokens(text), alike) for record in cited for text in (record.summary, str(record.data)))
            if not told:
                return Judged(Verdict.NOT_ASSESSED, "degree")
    return SUPPORTED


def _of_height(mention: Mention, sentence: str, cited: Sequence[Evidence]) -> Judged:
    """An upper, middle or lower place must be the evidence's for that finding."""
    spoken = tokens(sentence)
    claimed = {height for height, alike in words()["heights"].items() if has_any(spoken, alike)}
    if not claimed or mention.denied:
        return SUPPORTED
    rows = [row for record in cited for row in record.findings if is_kind_of(row.code, mention.code)]
    places = [row.region for row in rows if row.region and row.status is not Status.ABSENT]
    texts = places or [record.summary for record in cited]
    told = {h for h, alike in words()["heights"].items() if any(has_any(tokens(text), alike) for text in texts)}
    if claimed <= told:
        return SUPPORTED
    if places and told:
        return Judged(Verdict.CONFLICTING, "place", _rows_say(rows))
    return Judged(Verdict.NOT_ASSESSED, "place")


def _rows_say(rows: Iterable[Finding]) -> str:
    """ "pleural effusion present on the left"."""
    parts = []
    assessed = [row for row in rows if row.status is not Status.NOT_ASSESSED]
    placed = {(row.code, row.status) for row in assessed if _where(row)}
    for row in assessed:
        if (row.code, row.status) in placed and not _where(row):
            continue
        parts.append(f"{name_of(row.code)} {say(f'status.{row.status}')}{_where(row)}")
    return "; ".join(dict.fromkeys(parts))


def _where(row: Finding) -> str:
    if row.region:
        return f", {row.region}"
    if row.laterality is None:
        return ""
    return say("doubt.both") if row.laterality == "bilateral" else say("doubt.on", side=row.laterality)


def _numbers_say(meant: Sequence[Known]) -> str:
    units = {"": "", "deg": "°", "mm2": " mm²"}
    told = [f"{item.value:.4g}{units.get(item.kind, f' {item.kind}')}" for item in meant]
    return ", ".join(list(dict.fromkeys(told))[:2])


def _related(one: str, other: str) -> bool:
    return is_kind_of(one, other) or is_kind_of(other, one)


__all__ = ["Judged", "judged"]

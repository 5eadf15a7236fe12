"""A place named alone ("anything in the right upper zone?"): what was localised there, elsewhere, and nowhere."""

from __future__ import annotations

from dataclasses import dataclass

from agent.mentions import has_any, name_of
from agent.planner.facts import cite
from agent.planner.naming import words_of
from agent.planner.particulars import thirds_in
from agent.planner.question import Kind, Question
from agent.planner.sentences import Teller
from agent.planner.wording import say
from tools.contract import Finding
from tools.contract.wording import listed


@dataclass(frozen=True)
class Place:
    """A part of the lungs, as a question names it.

    Attributes:
        side: the patient's; None for both.
        zone: upper, middle or lower; None for all three.
        lobe: it was called a lobe.
    """

    side: str | None
    zone: str | None
    lobe: bool

    @property
    def words(self) -> str:
        """ "the right upper zone", "the right lung"."""
        return f"the {' '.join(part for part in (self.side, self.zone) if part)} {'zone' if self.zone else 'lung'}"

    def holds(self, found: Finding) -> bool:
        """Whether a finding was localised here, as far as its own place says."""
        sided = self.side is None or found.laterality in (self.side, "bilateral")
        return sided and (self.zone is None or self.zone in (found.region or ""))


def place_in(question: Question) -> Place | None:
    """The place that a look at the film is confined to; None where the question names none."""
    if question.kind not in {Kind.NORMAL, Kind.OVERVIEW}:
        return None
    words = words_of(question.text)
    zone = next(iter(thirds_in(words)), None)
    side = question.side if question.side in ("left", "right") else None
    return Place(side, zone, has_any(words, ["lobe", "lobes"])) if side or zone else None


def compose_place(place: Place, teller: Teller, film: str) -> list[str]:
    """What was localised in the place, what elsewhere, and what has no place: the tools look at the whole film."""
    rows = [row for called in (teller.present(film), teller.uncertain(film)) for row in called]
    if not rows:
        seen = teller.facts.judging(film)
        return [say("overview.none", cite=cite(seen))] if seen else [teller.nothing(film)]
    placed = {row.code: teller.facts.located(row.code, film) for row in rows}
    here = [row for row in rows if any(map(place.holds, placed[row.code]))]
    elsewhere = [row for row in rows if row not in here and placed[row.code]]
    nowhere = [row for row in rows if not placed[row.code]]
    lines = [say("at.here", place=place.words, names=teller.named(here, film))] if here else []
    if not here:
        looked = [record.id for record in teller.facts.of("ground", film)] or [rows[0].evidence[0]]
        lines.append(say("at.nothing", place=place.words, cite=cite(looked)))
    if elsewhere:
        told = [f"{name_of(row.code)} ({_where(placed[row.code])}) {_cited(placed[row.code])}" for row in elsewhere]
        lines.append(say("at.elsewhere", names=listed(told)))
    if nowhere:
        lines.append(say("at.nowhere", names=teller.named(nowhere, film)))
    lines += [say("at.lobe")] if place.lobe else []
    return [*lines, *teller.caveats(film, [row.code for row in here])]


def _where(found: list[Finding]) -> str:
    return listed(dict.fromkeys(row.region or str(row.laterality) for row in found))


def _cited(found: list[Finding]) -> str:
    return cite(number for row in found for number in row.evidence)


__all__ = ["Place", "compose_place", "place_in"]

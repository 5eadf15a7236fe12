"""What every export is made of: the draft as its reader left it, the findings and numbers behind it, and by whom."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING

from agent.answer import Answer, Evidence
from agent.draft import Decision, Draft
from agent.mentions import mentions, name_of
from imaging.failures import BadArguments
from imaging.overlays import Overlay
from imaging.radiograph import Radiograph
from tools.contract import Finding, Status

if TYPE_CHECKING:
    from agent.session import Session

MEASURE_TOOL = "measure"
SOFTWARE = "Hilum"
OVERRULED = "overruled by the reader"
STANDS = "stands in the signed report"
NOT_READ = "not checked by a reader"


class SourceMissing(BadArguments):
    """The file of a film is needed and was not given."""


@dataclass(frozen=True)
class Row:
    """One finding on one film, what it is called, and whether the reader let it stand."""

    finding: Finding
    name: str
    film_name: str
    reader: str


@dataclass(frozen=True)
class Quantity:
    """One measured number with its unit, the film it was read from, and the evidence."""

    code: str
    name: str
    value: float
    unit: str
    image_id: str
    evidence: Evidence


@dataclass(frozen=True)
class Used:
    """One model that had a part in it."""

    id: str
    revision: str
    title: str
    licence: str


@dataclass(frozen=True, eq=False)
class Material:
    """One report and what it rests on.

    Attributes:
        draft, answer: of one turn of a session.
        films: the session's films by id.
        records: every tool run of the session; masks drawn in another turn belong to the films as well.
        made_at: when the export was made (UTC).
    """

    draft: Draft
    answer: Answer
    films: dict[str, Radiograph]
    records: list[Evidence] = field(default_factory=list)
    made_at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC).replace(microsecond=0))

    @classmethod
    def of(cls, session: Session, turn: int | None = None) -> Material:
        """The material of a session's turn, as Session.draft chooses it.

        Raises:
            BadArguments: nothing was answered, or not in that turn.
        """
        draft = session.draft(turn)
        answer = next(each.answer for each in session.turns if each.number == draft.turn and each.answer is not None)
        films = {film_id: session.films.get(film_id) for film_id in session.films.ids()}
        return cls(draft, answer, films, session.ledger.records())

    @property
    def signed(self) -> bool:
        """Whether a reader has signed."""
        return self.draft.signature is not None

    @property
    def software(self) -> str:
        """The program with its version."""
        return f"{SOFTWARE} {version('hilum')}"

    @property
    def written_by(self) -> str:
        """Who wrote the draft: software, planner, models at their revisions."""
        models = ", ".join(f"{used.id}@{used.revision}" for used in self.models) or "none"
        return f"{self.software}, planner {self.answer.planner}, models {models}"

    @cached_property
    def models(self) -> list[Used]:
        """Every model that ran for the answer, with its licence as its card says."""
        cards = {record.model: record.card for record in self.answer.evidence if record.model}
        used = {record.model: record.revision for record in self.answer.evidence if record.model}
        return [
            Used(
                name, revision, str(cards.get(name, {}).get("title", name)), str(cards.get(name, {}).get("licence", ""))
            )
            for name, revision in (self.answer.models | used).items()
        ]

    @cached_property
    def rows(self) -> list[Row]:
        """The answer's findings in order, with what the reader made of each."""
        confirmed = self._about(Decision.ACCEPTED) if self.signed else set()
        overruled = self._about(Decision.CHANGED, Decision.REJECTED)
        names = self.film_names
        rows = []
        for finding in self.answer.findings:
            known_as = {(finding.code, finding.image_id), (finding.code, None)}
            reader = OVERRULED if known_as & overruled else STANDS if known_as & confirmed else NOT_READ
            rows.append(Row(finding, name_of(finding.code), names.get(finding.image_id, finding.image_id), reader))
        return rows

    def _about(self, *decisions: Decision) -> set[tuple[str, str | None]]:
        """(finding, film) of the sentences so decided: what a sentence is about, else what it names as proposed."""
        return {
            (code, sentence.image_id)
            for sentence in self.draft.sentences()
            if sentence.decision in decisions
            for code in ([sentence.finding] if sentence.finding else _named(sentence.proposed))
        }

    def stated(self, image_id: str) -> list[Row]:
        """Judged findings on a film that may be stated in code.

        Never one that the reader overruled, and in a signed report only those of sentences that the reader accepted.
        """
        asked = (STANDS,) if self.signed else (NOT_READ,)
        return [
            row
            for row in self.rows
            if row.reader in asked
            and row.finding.image_id == image_id
            and row.finding.status is not Status.NOT_ASSESSED
        ]

    def stated_quantities(self, image_id: str) -> list[Quantity]:
        """Numbers on a film that may be stated in code: as `stated`, by the evidence that sentences cite."""
        by_decision: dict[bool, set[str]] = {True: set(), False: set()}
        for sentence in self.draft.sentences():
            by_decision[sentence.decision in (Decision.CHANGED, Decision.REJECTED)] |= set(sentence.evidence)
        standing, gone = by_decision[False], by_decision[True]
        return [
            q
            for q in self.quantities
            if q.image_id == image_id
            and (q.evidence.id in standing if self.signed else q.evidence.id not in gone - standing)
        ]

    @cached_property
    def film_names(self) -> dict[str, str]:
        """Film id -> "film 1"."""
        return {image["id"]: image["name"] for image in self.answer.images}

    @cached_property
    def quantities(self) -> list[Quantity]:
        """Every number that was measured, each once per film."""
        found: dict[tuple[str, str], Quantity] = {}
        for record in self.answer.evidence:
            if record.tool != MEASURE_TOOL or record.failure is not None or not record.image_ids:
                continue
            for item in record.data.get("measurements", []):
                for q in item["quantities"] if item["measured"] else []:
                    made = Quantity(q["code"], q["name"], q["value"], q["unit"], record.image_ids[0], record)
                    found.setdefault((made.code, made.image_id), made)
        return list(found.values())

    def shown(self) -> Iterator[tuple[Evidence, Radiograph, list[Overlay]]]:
        """Each evidence record that drew something, with the film it drew on."""
        for record in self.answer.evidence:
            for image_id in dict.fromkeys(item.image_id for item in record.overlays):
                if image_id in self.films:
                    yield record, self.films[image_id], [o for o in record.overlays if o.image_id == image_id]

    def acquired_films(self) -> list[Radiograph]:
        """The films of the answer that somebody acquired."""
        known = (self.films[image["id"]] for image in self.answer.images if image["id"] in self.films)
        return [film for film in known if film.derived is None]


def _named(text: str) -> list[str]:
    return [mention.code for mention in mentions(text) if mention.kind == "finding"]

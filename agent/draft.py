"""The draft of a report that a reader goes through: each sentence accepted, changed or rejected, then signed by name.

Made from one answer; kept beside it (Session.draft, Session.keep_draft). A Draft is never changed in place: every
decision gives a new one. Until it is signed, whatever is made of it says UNVERIFIED DRAFT.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from agent.answer import Answer, Evidence, Verdict
from imaging.failures import BadArguments

REPORT_TOOL = "report"
SENTENCE_MAX = 2000
"""Characters of one sentence as changed by a reader."""
NAME_MAX = 64
"""Characters of a signer's name: what DICOM's PN holds in one component group (PS3.5 6.2)."""
UNVERIFIED = "UNVERIFIED DRAFT: written by software, not checked by a qualified reader."


class Decision(StrEnum):
    """What the reader did with a sentence."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    CHANGED = "changed"
    REJECTED = "rejected"


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DraftSentence(_Kept):
    """One sentence.

    Attributes:
        id: S1, S2 … in the draft's order.
        text: as it stands now.
        proposed: as the software wrote it.
        evidence: ids of the evidence it rests on; those of a changed sentence are the proposed one's.
        finding: code of the finding it is about; None where about none or several.
        image_id: the film it is about, where it is about one.
        decision: what the reader did with it.
    """

    id: str
    text: str
    proposed: str
    evidence: tuple[str, ...] = ()
    finding: str | None = None
    image_id: str | None = None
    decision: Decision = Decision.PROPOSED


class DraftSection(_Kept):
    """One heading with its sentences."""

    title: str
    sentences: tuple[DraftSentence, ...]


class Signature(_Kept):
    """Who read and signed, as typed, and when (UTC)."""

    name: str
    at: dt.datetime


class Draft(_Kept):
    """A report as far as its reader is with it.

    Attributes:
        turn: number of the answer it was made from.
        version: counts the kept states, 0 before the first.
        sections: headings in reading order.
        signature: None until it is signed.
    """

    turn: int
    version: int = 0
    sections: tuple[DraftSection, ...]
    signature: Signature | None = Field(default=None)

    @property
    def status(self) -> str:
        """What stands at the head of everything made of it."""
        if self.signature is None:
            return UNVERIFIED
        return f"Signed by {self.signature.name}, {self.signature.at:%Y-%m-%d %H:%M} UTC. Drafted by software."

    def sentences(self) -> Iterator[DraftSentence]:
        """Every sentence in order."""
        for section in self.sections:
            yield from section.sentences

    def standing(self) -> list[tuple[str, list[DraftSentence]]]:
        """(heading, sentences that were not rejected); headings left without a sentence are left out."""
        kept = [(s.title, [x for x in s.sentences if x.decision is not Decision.REJECTED]) for s in self.sections]
        return [(title, sentences) for title, sentences in kept if sentences]

    def accept(self, *ids: str) -> Draft:
        """The sentences stand as proposed; all that are not decided yet when none is named.

        Raises:
            BadArguments: no such sentence, or the draft is signed.
        """
        chosen = ids or tuple(x.id for x in self.sentences() if x.decision is Decision.PROPOSED)
        return self._decided({i: {"decision": Decision.ACCEPTED, "text": self._get(i).proposed} for i in chosen})

    def reject(self, *ids: str) -> Draft:
        """The sentences are not part of the report. Raises as accept."""
        return self._decided({i: {"decision": Decision.REJECTED} for i in ids})

    def change(self, sentence_id: str, text: str) -> Draft:
        """The sentence says something else. Raises BadArguments also for an empty or very long text.

        Args:
            sentence_id: which.
            text: what it says now.
        """
        said = " ".join(text.split())
        if not said or len(said) > SENTENCE_MAX:
            raise BadArguments(
                f"The sentence has {len(said)} characters.", f"Write 1 to {SENTENCE_MAX}, or reject the sentence."
            )
        return self._decided({sentence_id: {"decision": Decision.CHANGED, "text": said}})

    def sign(self, name: str, at: dt.datetime | None = None) -> Draft:
        """The draft, signed. Whether the name is the reader's is for whoever calls to make sure.

        Args:
            name: of the reader who takes responsibility.
            at: when; now if left out.

        Raises:
            BadArguments: no name, a sentence is not decided yet, or it is signed already.
        """
        self._check_open()
        said = " ".join(name.split())
        if not said or len(said) > NAME_MAX or set(said) & set("^=\\"):
            raise BadArguments(f"{name!r} is no name to sign with.", f"Give 1 to {NAME_MAX} characters without ^ = \\.")
        left = [x.id for x in self.sentences() if x.decision is Decision.PROPOSED]
        if left:
            raise BadArguments(f"Not decided yet: {', '.join(left)}.", "Accept, change or reject each sentence first.")
        when = (at or dt.datetime.now(dt.UTC)).replace(microsecond=0)
        return self.model_copy(update={"signature": Signature(name=said, at=when)})

    def withdraw_signature(self) -> Draft:
        """The same draft, open again."""
        return self.model_copy(update={"signature": None})

    def _get(self, sentence_id: str) -> DraftSentence:
        known = {x.id: x for x in self.sentences()}
        if sentence_id not in known:
            raise BadArguments(f"The draft has no sentence {sentence_id!r}.", f"It has {', '.join(known) or 'none'}.")
        return known[sentence_id]

    def _check_open(self) -> None:
        if self.signature is not None:
            raise BadArguments(f"The draft is signed by {self.signature.name}.", "Withdraw the signature first.")

    def _decided(self, changes: dict[str, dict[str, object]]) -> Draft:
        self._check_open()
        for sentence_id in changes:
            self._get(sentence_id)
        sections = tuple(
            section.model_copy(
                update={"sentences": tuple(x.model_copy(update=changes.get(x.id, {})) for x in section.sentences)}
            )
            for section in self.sections
        )
        return self.model_copy(update={"sections": sections})


def draft_of(answer: Answer, turn: int) -> Draft:
    """The draft that an answer holds: the report's own sections where one was drafted, else the answer's statements.

    Args:
        answer: of one turn; its films and evidence are what the draft may speak of.
        turn: the turn's number.
    """
    reports = [record for record in answer.evidence if record.tool == REPORT_TOOL and record.failure is None]
    headings: list[tuple[str, list[_Row]]] = []
    if answer.alerts:
        headings.append(("Urgent", [(text, (), None, None) for text in answer.alerts]))
    for record in reports:
        headings += _reported(record, answer, several=len(reports) > 1)
    if not reports:
        headings += _stated(answer)
    number = 0
    sections = []
    for title, rows in headings:
        sentences = []
        for text, evidence, finding, image_id in rows:
            number += 1
            sentences.append(
                DraftSentence(
                    id=f"S{number}", text=text, proposed=text, evidence=evidence, finding=finding, image_id=image_id
                )
            )
        sections.append(DraftSection(title=title, sentences=tuple(sentences)))
    return Draft(turn=turn, sections=tuple(sections))


_Row = tuple[str, tuple[str, ...], str | None, str | None]
"""(text, evidence, finding, film) of a sentence."""


def _reported(record: Evidence, answer: Answer, several: bool) -> list[tuple[str, list[_Row]]]:
    film = record.image_ids[0] if record.image_ids else None
    names = {image["id"]: image["name"] for image in answer.images}
    where = f" ({names.get(film, film)})" if several else ""
    return [
        (
            f"{section['title']}{where}",
            [(x["text"], _rests_on(x, record, answer), x.get("finding"), film) for x in section["sentences"]],
        )
        for section in record.data.get("sections", [])
    ]


def _rests_on(sentence: dict[str, object], report: Evidence, answer: Answer) -> tuple[str, ...]:
    """Evidence of this turn by the tools that a sentence names, on the report's film; the report's own without any."""
    basis = sentence.get("basis")
    tools = set(basis) if isinstance(basis, Iterable) else set()
    found = [
        record.id
        for record in answer.evidence
        if record.tool in tools
        and set(record.image_ids) & set(report.image_ids)
        and (record.tool != "ground" or record.args.get("finding") == sentence.get("finding"))
    ]
    return tuple(found or [report.id])


def _stated(answer: Answer) -> list[tuple[str, list[_Row]]]:
    made: list[_Row] = [
        (claim.text, tuple(claim.evidence), None, None)
        for claim in answer.claims
        if claim.verdict is not Verdict.NOT_ASSESSED
    ]
    missing: list[_Row] = [(text, (), None, None) for text in answer.not_assessed]
    return [(title, rows) for title, rows in (("Findings", made), ("Not assessed", missing)) if rows]


__all__ = ["UNVERIFIED", "Decision", "Draft", "DraftSection", "DraftSentence", "Signature", "draft_of"]

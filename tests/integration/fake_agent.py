"""A small stand-in for the Agent: real films, real event types, made-up findings. The chat's test double.

The word in a question steers it: "hostile" answers with markup, "unavailable" with a failure, "fault" with our own bug,
"crash" with an exception nobody named, "slow" takes its time, "approve" asks before the first tool.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from agent.answer import Answer, Claim, Evidence, EvidenceStatus, Verdict
from agent.approval import Approver
from agent.events import Answered, ApprovalAsked, Event, Planned, TextDelta, ToolFinished, ToolStarted
from agent.faults import AgentFault
from agent.settings import Settings
from imaging.failures import BadArguments, Unavailable
from imaging.overlays import Overlay
from imaging.radiograph import Radiograph
from imaging.store import ImageStore
from imaging.studies import StudyInput, group, read_input
from models.outputs import ScoreKind
from tools.contract import Finding, Status, ToolFailure

HOSTILE = (
    '<img src="http://192.0.2.1/x.png" onerror="document.title=1"> ![x](http://192.0.2.1/y.png) '
    "<script>document.title=2</script>"
)
"""Markup that must arrive on the screen as text; 192.0.2.0/24 is reserved for documentation (RFC 5737)."""

PAUSE_S = 0.35
"""Time a made-up tool takes, long enough to be seen running."""


class FakeAgent:
    """Offers what ui.chat uses of agent.Agent."""

    planner_name = "embedded"

    def __init__(self, settings: Settings | None = None, pause_s: float = PAUSE_S) -> None:
        self.settings = settings or Settings()
        self.pause_s = pause_s
        self.sessions: list[FakeSession] = []

    def session(self) -> FakeSession:
        """A new conversation."""
        self.sessions.append(FakeSession(self))
        return self.sessions[-1]


class FakeSession:
    """Offers what ui.chat uses of agent.session.Session."""

    def __init__(self, agent: FakeAgent) -> None:
        self.films = ImageStore()
        self.approver: Approver | None = None
        self._agent = agent
        self._last = 0

    def add(self, film: Any) -> Radiograph:
        """Decode a film into this session."""
        return self.films.add(film)

    def take(self, films: Sequence[Any]) -> StudyInput:
        """Decode films, folders and archives into this session."""
        found = read_input(films)
        for each in found.films:
            self.films.add(each.film)
        return found

    @property
    def studies(self) -> StudyInput:
        """All films as studies."""
        return group(self.films.get(film_id) for film_id in self.films.ids())

    def stream(self, question: str, films: Sequence[Any] = ()) -> Iterator[Event]:
        """Three tools, then a text in pieces, then the Answer."""
        _steer(question)
        if not len(self.films):
            raise BadArguments("There is no film in this conversation.", "Open one, then ask again.")
        film = self.films.get(self.films.ids()[-1])
        records = [make(self._number(), film) for make in (_classified, _segmented, _measured, _refused)]
        yield Planned(tuple((record.id, record.title, record.args) for record in records))
        if "approve" in question and self.approver is not None:
            asked = ApprovalAsked(records[0].id, records[0].tool, records[0].title, records[0].args)
            yield asked
            records = records if self.approver(asked) else records[1:]
        for record in records:
            yield ToolStarted(record.id, record.tool, record.title, record.args)
            time.sleep(self._agent.pause_s * (8 if "slow" in question else 1))
            yield ToolFinished(record)
        text = _text(records, question) if len(records) == 4 else "The classifier was not allowed to run."
        for start in range(0, len(text), 40):
            yield TextDelta(text[start : start + 40])
        if len(records) < 4:
            records = [*records, records[0]]
        yield Answered(_answer(question, text, records, [self.films.get(i) for i in self.films.ids()]))

    def _number(self) -> str:
        self._last += 1
        return f"E{self._last}"


def _steer(question: str) -> None:
    if "unavailable" in question:
        raise Unavailable("The planner openai:gpt-x did not answer in 60 s.", "Try again, or use --planner embedded.")
    if "fault" in question:
        raise AgentFault("secret detail of a fault")
    if "crash" in question:
        raise ZeroDivisionError("secret detail of a crash")


def _text(records: list[Evidence], question: str) -> str:
    first, second, third = (record.id for record in records[:3])
    extra = f"\n\n{HOSTILE}" if "hostile" in question else ""
    return (
        f"There is a **left pleural effusion** [{first}]. The heart is enlarged: the cardiothoracic ratio is 0.58 "
        f"[{third}], measured between the outlines of heart and lungs [{second}].\n\n"
        f"- No sign of a pneumothorax [{first}]\n- Fracture could not be assessed{extra}"
    )


def _answer(question: str, text: str, records: list[Evidence], films: list[Radiograph]) -> Answer:
    first, third = records[0].id, records[2].id
    film_id = films[-1].id
    return Answer(
        question=question,
        text=text,
        claims=[
            Claim(text="There is a left pleural effusion.", evidence=[first], verdict=Verdict.SUPPORTED),
            Claim(
                text="Edema: one tool says present, another absent.",
                evidence=[first, third],
                verdict=Verdict.CONFLICTING,
            ),
        ],
        findings=[
            *records[0].findings,
            Finding(
                code="cardiomegaly",
                image_id=film_id,
                status=Status.PRESENT,
                score=0.58,
                score_kind=ScoreKind.MEASUREMENT,
                threshold=0.5,
                reason="cardiothoracic ratio on a PA film",
                evidence=[third],
            ),
        ],
        evidence=records,
        images=[film.facts() for film in films],
        not_assessed=["Fracture: no tool here looks at bones"],
        planner="embedded",
        models={"fake-classifier": "1.0", "fake-segmenter": "1.0"},
        timings_ms={"total": 1430.0, "planner": 30.0, "tools": 1400.0},
    )


def _evidence(number: str, film: Radiograph, tool: str, title: str, summary: str, **more: Any) -> Evidence:
    kept: dict[str, Any] = {"args": {"image_id": film.id}, "status": EvidenceStatus.OK, "elapsed_ms": 412.0}
    return Evidence(id=number, tool=tool, title=title, image_ids=[film.id], summary=summary, **(kept | more))


def _classified(number: str, film: Radiograph) -> Evidence:
    def row(code: str, status: Status, score: float | None, **more: Any) -> Finding:
        kind = ScoreKind.CALIBRATED_PROBABILITY if score is not None else None
        threshold = 0.35 if score is not None else None
        return Finding(
            code=code,
            image_id=film.id,
            status=status,
            score=score,
            score_kind=kind,
            threshold=threshold,
            evidence=[number],
            **more,
        )

    return _evidence(
        number,
        film,
        "classify",
        "Classify findings",
        "effusion present (0.83), pneumothorax absent (0.04), edema uncertain (0.37); 1 of 14 not assessed",
        findings=[
            row("pneumothorax", Status.ABSENT, 0.04),
            row("effusion", Status.PRESENT, 0.83, laterality="left"),
            row("edema", Status.UNCERTAIN, 0.37),
            row("hernia", Status.NOT_ASSESSED, None, reason="too few positive films to measure this model by"),
        ],
        args={"image_id": film.id, "findings": ["effusion", "pneumothorax"]},
        caveats=["Trained on frontal films of adults."],
        model="fake-classifier",
        revision="1.0",
    )


def _segmented(number: str, film: Radiograph) -> Evidence:
    rows, columns = film.shape
    y, x = np.mgrid[:rows, :columns]

    def ellipse(row: float, column: float, height: float, width: float) -> np.ndarray[Any, Any]:
        return ((y - row * rows) / (height * rows)) ** 2 + ((x - column * columns) / (width * columns)) ** 2 < 1

    return _evidence(
        number,
        film,
        "segment",
        "Outline structures",
        "heart, left lung and right lung outlined",
        overlays=[
            Overlay.mask(film.id, ellipse(0.45, 0.3, 0.3, 0.15), "right lung"),
            Overlay.mask(film.id, ellipse(0.45, 0.7, 0.3, 0.15), "left lung"),
            Overlay.mask(film.id, ellipse(0.6, 0.55, 0.17, 0.17), "heart"),
        ],
        model="fake-segmenter",
        revision="1.0",
    )


def _measured(number: str, film: Radiograph) -> Evidence:
    rows, columns = film.shape
    return _evidence(
        number,
        film,
        "measure",
        "Measure heart and chest",
        "cardiothoracic ratio 0.58",
        overlays=[
            Overlay.line(film.id, (0.6 * rows, 0.38 * columns), (0.6 * rows, 0.72 * columns), "heart", text="148 mm"),
            Overlay.line(film.id, (0.7 * rows, 0.15 * columns), (0.7 * rows, 0.85 * columns), "chest", text="255 mm"),
        ],
        elapsed_ms=6.0,
    )


def _refused(number: str, film: Radiograph) -> Evidence:
    return _evidence(
        number,
        film,
        "compare",
        "Compare with a prior film",
        "FAILED (not_applicable): there is one film only",
        status=EvidenceStatus.FAILED,
        failure=ToolFailure(kind="not_applicable", message="There is only one film.", hint="Add the prior film."),
    )

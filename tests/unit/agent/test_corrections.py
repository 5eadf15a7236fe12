"""Corrections in a conversation: read from numbers in the question, never answered from before, kept on reopening."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agent_stubs import OneFilm, StubPool, film
from pydantic import BaseModel, Field

from agent.answer import Evidence, EvidenceStatus
from agent.core import Agent
from agent.corrected import restored
from agent.planner.marks import marked_structure, marks_in
from agent.settings import Settings
from imaging.overlays import Overlay
from tools.contract import Registry, Result, Tool, ToolArguments, ToolContext
from tools.contract.corrections import Correction

FILM = film(1)


class SegmentArguments(OneFilm):
    structures: list[str] | None = Field(default=None, description="codes")
    structure: str | None = Field(default=None, description="code")
    box: list[float] | None = Field(default=None, description="box")
    points: list[list[float]] | None = Field(default=None, description="points")
    undo: bool = Field(default=False, description="undo")


class Nothing(BaseModel):
    unusable: str = ""


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("Correct the heart: box 120, 80, 300, 260", {"box": [120, 80, 300, 260]}),
        ("fix the heart with the box (12 8 30 26)", {"box": [12, 8, 30, 26]}),
        ("correct the heart, point 40, 50", {"points": [[40, 50, 1]]}),
        ("heart: points 40,50 and outside point 10,20", {"points": [[40, 50, 1], [10, 20, 0]]}),
        ("correct the left lung: scribble 30 70, 35 72, 40 74", {"scribble": [[30, 70, 1], [35, 72, 1], [40, 74, 1]]}),
        (
            "heart: scribble (30, 70), (35, 72); outside scribble 9.5 8, 7 6.",
            {"scribble": [[30, 70, 1], [35, 72, 1], [9.5, 8, 0], [7, 6, 0]]},
        ),
        ("heart: scribble 30 70 35", {}),
        ("undo the correction of the heart", {"undo": True}),
        ("Is the heart enlarged on film 2?", {}),
        ("show the bounding box of the heart", {}),
    ],
)
def test_marks_are_read_from_the_question(text: str, given: dict[str, Any]) -> None:
    assert marks_in(text) == given


@pytest.mark.parametrize(
    ("structures", "findings", "side", "marked"),
    [
        (("heart",), (), None, "heart"),
        (("left_lung", "right_lung"), (), None, None),
        ((), ("nodule",), None, "lung_lesion"),
        ((), ("lung_lesion",), "left", "lung_lesion"),
        ((), ("pneumothorax",), "left", "left_pneumothorax"),
        ((), ("pneumothorax",), None, None),
        ((), ("nodule", "mass"), None, None),
        ((), (), None, None),
    ],
)
def test_marks_belong_to_the_one_thing_named(
    structures: tuple[str, ...], findings: tuple[str, ...], side: str | None, marked: str | None
) -> None:
    assert marked_structure(structures, findings, side) == marked


def correcting_agent(runs: list[tuple[str, dict[str, Any]]]) -> Agent:
    """A segment that keeps a correction, and a tool that says on what it rests."""

    def outline(context: ToolContext, given: ToolArguments) -> Result:
        asked = given.model_dump(exclude_defaults=True)
        runs.append(("segment", asked))
        if asked.get("box"):
            mask = np.ones((32, 32), dtype=bool)
            context.corrections.put(FILM.id, asked["structure"], Correction(mask, "a box", "hand"))
        return Result(summary="Outlined.", image_ids=[FILM.id])

    def width(context: ToolContext, given: ToolArguments) -> Result:
        runs.append(("width", given.model_dump(exclude_defaults=True)))
        return Result(summary=f"It rests on {len(context.corrections.of(FILM.id))} correction.", image_ids=[FILM.id])

    tools = Registry(
        [
            Tool("segment", "Outline", SegmentArguments, Nothing, (), "stub", outline, prompt="Stub."),
            Tool("width", "Width", OneFilm, Nothing, (), "stub", width, prompt="Stub.", asked_by=("how broad",)),
        ]
    )
    pool: Any = StubPool()
    return Agent(Settings(), planner="embedded", tools=tools, models=pool)


def test_what_was_measured_before_a_correction_is_measured_again_after_it() -> None:
    runs: list[tuple[str, dict[str, Any]]] = []
    session = correcting_agent(runs).session()
    assert "rests on 0 correction" in session.ask("How broad is it?", films=[FILM]).text
    session.ask("How broad is it?")
    assert [name for name, _ in runs] == ["width"], "the same request is the same evidence"
    session.ask("Correct the heart: box 2 2 20 20")
    assert runs[-1] == ("segment", {"image_id": FILM.id, "structure": "heart", "box": [2, 2, 20, 20]})
    assert "rests on 1 correction" in session.ask("How broad is it?").text
    assert [name for name, _ in runs] == ["width", "segment", "width"]
    session.ask("Outline the nodule: box 2 2 9 9")
    assert runs[-1] == ("segment", {"image_id": FILM.id, "structure": "lung_lesion", "box": [2, 2, 9, 9]})


def record(number: int, code: str, *, undone: bool = False) -> Evidence:
    mask = np.zeros((8, 8), dtype=bool)
    mask[:number, :] = True
    return Evidence(
        id=f"E{number}", tool="segment", title="Outline", image_ids=["f"], args={}, status=EvidenceStatus.OK,
        summary="",
        data={"correction": {"code": code, "how": "a box", "by": "hand", "undone": undone}},
        overlays=[] if undone else [Overlay.mask("f", mask, code)],
    )  # fmt: skip


def test_corrections_come_back_with_a_session_that_is_opened_again() -> None:
    corrections = restored(
        [record(1, "heart"), record(2, "heart"), record(3, "left_lung"), record(4, "left_lung", undone=True)]
    )
    assert set(corrections.of("f")) == {"heart"}
    assert corrections.of("f")["heart"].mask.sum() == 16

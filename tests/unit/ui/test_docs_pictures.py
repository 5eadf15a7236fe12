"""Pictures of docs/ that are drawn from the code: they still tell what the code does, whatever the counts."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from agent.answer import Answer, Claim, Evidence, EvidenceStatus, Verdict
from agent.events import Answered, Planned
from models.pool import ModelPool
from tools.contract.tool import installed
from ui.pages.rooms import AGAINST, rooms_picture
from ui.pages.tools_drawn import MOST_BYTES, SHOWINGS, SIZE, tool_picture
from ui.pages.way import drawn

ROOT = Path(__file__).resolve().parents[3]
IMAGES = ROOT / "docs" / "images"
PAIR = re.compile(r"<title>(\w+ imports \w+) ")


def test_rooms_picture_shows_the_imports_of_today_and_none_against_the_flow() -> None:
    today, kept = rooms_picture(ROOT), (IMAGES / "rooms.svg").read_text(encoding="utf-8")
    assert set(PAIR.findall(today)) == set(PAIR.findall(kept)), "run `hilum docs --pictures`"
    assert "agent imports tools" in today and AGAINST not in today


def test_every_tool_that_shows_something_has_its_small_picture() -> None:
    for name in SHOWINGS:
        installed().get(name)
        assert 5_000 < (IMAGES / "tools" / f"{name}.jpg").stat().st_size <= MOST_BYTES
    assert {path.stem for path in (IMAGES / "tools").iterdir()} == set(SHOWINGS)


def test_a_tool_is_drawn_with_its_overlays_on_the_film_that_is_told(tmp_path: Path) -> None:
    """Expected: the phantom with a box of text in its corner; what burned-in text is needs no model."""
    picture = np.asarray(Image.open(io.BytesIO(tool_picture("deidentify", ModelPool(device="cpu"), tmp_path))))
    assert picture.shape == (SIZE, SIZE, 3)
    coloured = picture.max(axis=2).astype(int) - picture.min(axis=2) > 60
    assert coloured.any() and coloured[: SIZE // 4].sum() > coloured[SIZE // 4 : SIZE // 2].sum()


def test_way_draws_a_line_from_each_evidence_to_the_statement_that_cites_it() -> None:
    runs = [
        Evidence(
            id=name, tool=name, title=name, image_ids=[], args={}, status=EvidenceStatus.OK, summary="Seen <here>."
        )
        for name in ("E1", "E2")
    ]
    claims = [
        Claim(text="Yes: effusion is present [E1, E2].", evidence=["E1", "E2"], verdict=Verdict.SUPPORTED),
        Claim(text="Caveat: a phantom [E1].", evidence=["E1"], verdict=Verdict.SUPPORTED),
    ]
    answer = Answer(
        question="Effusion?",
        text="",
        claims=claims,
        findings=[],
        evidence=runs,
        images=[],
        planner="embedded",
        models={},
    )
    events = [Planned((("E1", "One", {}),)), Planned((("E2", "Two", {}),)), Answered(answer)]
    svg = drawn("Effusion?", events)
    assert svg.count("<path") == 1 + 1 + 2, "question to round 1, round 1 to 2, and a line for each citation"
    assert "round 2" in svg and "Seen &lt;here&gt;." in svg and "Caveat" not in svg

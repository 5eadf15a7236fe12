"""Pictures of docs/ that are drawn from the code: they still tell what the code does, whatever the counts."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from agent.answer import Answer, Claim, Evidence, EvidenceStatus, Verdict
from agent.events import Answered, Planned
from models.pool import ModelPool
from tools.audits.tables import Table
from tools.contract.pictures import Shown
from tools.contract.tool import installed
from ui.pages.rooms import AGAINST, rooms_picture
from ui.pages.tools_drawn import MOST_BYTES, SHOWINGS, SIZE, small_pictures, tables_drawn, tool_picture
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


def test_a_tool_without_a_picture_shows_what_it_says_when_its_model_is_not_here() -> None:
    """Expected: its typed failure with what to do, as the tools' own page has it of every tool that is not drawn."""
    page = (ROOT / "docs" / "tools.md").read_text(encoding="utf-8")
    sections = {part.partition(":")[0]: part for part in page.split("\n## ")[1:]}
    undrawn = {tool.name for tool in installed()} - set(SHOWINGS)
    assert undrawn == {"tb_screen", "covid_severity", "vqa"}
    assert all("> FAILED (unavailable): " in sections[name] for name in undrawn)
    assert all("hilum models pull" in sections[name] for name in ("covid_severity", "vqa"))


def test_what_a_result_brings_along_is_drawn_beside_its_words() -> None:
    """Expected: a black thumbnail is dark where it lies, and a table has letters below its title."""
    black = io.BytesIO()
    Image.new("L", (8, 8)).save(black, "PNG")
    shown = Shown(png=base64.b64encode(black.getvalue()).decode(), caption="Case 1: similarity 0.9")
    pictures = small_pictures([shown])
    assert pictures.shape == (SIZE, SIZE, 3) and not pictures[20:100, 20:100].any() and pictures[:, SIZE // 2 :].all()
    table = tables_drawn([Table("By sex", ("group", "films"), [("women", "3")])])
    assert (table[:40] < 128).any() and (table[40:60] < 128).any() and (table[60:] == 255).all()


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

"""docs/images/tools/NAME.jpg: what each tool shows, drawn by running it on synthetic films."""

from __future__ import annotations

import base64
import datetime as dt
import io
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from imaging.phantom import PhantomSpec, make_phantom, parse_finding
from imaging.render import render
from imaging.store import ImageStore
from models.pool import ModelPool
from tools.audit import AuditData
from tools.audits.tables import Table, tables
from tools.contract import Result, ToolContext
from tools.contract.pictures import Shown
from tools.contract.tool import installed
from ui.pages.tools_before import finished_audit, index_of_cases

SIZE = 512
"""Rows and columns of a film that is drawn."""
GAP = 8
MOST_BYTES = 60_000
QUALITIES = range(85, 30, -5)
"""JPEG's quality: the first that keeps a picture below MOST_BYTES."""
FIRST_DAY = dt.date(2026, 1, 5)
WEEK = dt.timedelta(days=7)


@dataclass(frozen=True)
class Showing:
    """How a tool is shown: the films' findings, further facts of them, the tool's other arguments, and what is made
    for it in Hilum's home first, with `said` of it."""

    films: tuple[tuple[str, ...], ...]
    facts: dict[str, Any] = field(default_factory=dict)
    args: dict[str, Any] = field(default_factory=dict)
    seed: int = 7
    before: Callable[[Path, ModelPool], None] | None = None
    said: str = ""

    @property
    def told(self) -> str:
        """What is on the films, in words."""
        each = [" and ".join(findings) or "no finding" for findings in self.films]
        return "; then ".join(f"`{words}`" if ":" in words else words for words in each)


SHOWINGS = {
    "anomaly": Showing((("consolidation:right:lower:80mm",),)),
    "audit": Showing((), before=finished_audit,
                     said="An audit on 64 synthetic films, half with a small effusion, half of these with a drain."),
    "classify": Showing((("effusion:left:600ml",),)),
    "compare": Showing((("effusion:left:300ml",), ("effusion:left:900ml",)), args={"findings": ["effusion"]}, seed=3),
    "deidentify": Showing(((),), facts={"name_block": True, "texts": ("PORTABLE",)}),
    "detect_objects": Showing((("ett:40mm", "central_line", "chest_drain:right"),)),
    "dicom_header": Showing(((),)),
    "enhance": Showing(((),), args={"method": "clahe"}),
    "explain": Showing((("effusion:left:600ml",),), args={"finding": "effusion"}),
    "generate": Showing((), args={"prompt": "moderate left pleural effusion"}),
    "ground": Showing((("effusion:left:600ml",),), args={"finding": "effusion"}),
    "fuse": Showing((), args={"text": "67-year-old woman, fever and productive cough for 3 days, CRP 140 mg/l",
                              "question": "What is likely?"}),
    "measure": Showing((("cardiomegaly:0.60",),), args={"tasks": ["cardiothoracic_ratio"]}),
    "quality": Showing(((),), facts={"clip": ("base", 0.2)}),
    "read_report": Showing((), args={"text": "Small left pleural effusion. No pneumothorax. Possible right lower lobe "
                                             "pneumonia. The heart is not enlarged."}),
    "report": Showing((("effusion:left:600ml",),)),
    "retrieve_cases": Showing((("effusion:left:600ml",),), before=index_of_cases,
                              said="The index holds 20 synthetic films."),
    "retrieve_knowledge": Showing((), args={"question": "What are the signs of a pleural effusion?"}),
    "score_report": Showing((), args={"candidate": "Small left pleural effusion. The heart is enlarged.",
                                      "reference": "Small left pleural effusion. The heart is normal in size."}),
    "segment": Showing(
        ((),), args={"structures": ["left_lung", "right_lung", "heart", "left_clavicle", "right_clavicle"]}
    ),
    "suppress_bone": Showing(((),)),
    "zero_shot": Showing((("consolidation:right:lower:80mm",),), args={"phrase": "pneumonia"}),
}  # fmt: skip
"""Tools that show or say something without weights of the hub."""

BY_WORDS = {
    "audit", "classify", "dicom_header", "fuse", "quality", "read_report", "report", "retrieve_cases",
    "retrieve_knowledge", "score_report", "zero_shot",
}  # fmt: skip
"""Tools whose answer is words: drawn beside the film, if there is one."""
WORDS_ROWS, WORDS_WIDE, LETTER = 24, 60, 15
"""Lines and letters a line that are drawn of an answer, and how high a letter is in pixels."""
SMALL_LETTER, SMALL_LINE = 12, 17
"""Of captions and tables: how high a letter and a line are in pixels."""
ABREAST, CAPTION_WIDE, CAPTION_ROWS = 3, 24, 3
"""Small pictures side by side; letters a line and lines of what is written under each."""


def tool_picture(name: str, pool: ModelPool, home: Path) -> bytes:
    """JPEG of what the tool shows.

    Args:
        name: one of SHOWINGS.
        pool: the embedded models.
        home: a folder to write films to, also as Hilum's home.

    Raises:
        RuntimeError: the tool refused, or gave nothing to show.
    """
    showing, tool = SHOWINGS[name], installed().get(name)
    context = ToolContext(films=ImageStore(), models=pool, home=home)
    if showing.before is not None:
        showing.before(home, pool)
    ids = [context.films.add(_film(showing, number, home)).id for number in range(len(showing.films))]
    takes = tool.arguments.model_fields
    films: dict[str, Any] = {"image_ids": ids} if "image_ids" in takes else {"image_id": ids[0]} if ids else {}
    result = tool.run(context, films | showing.args)
    if result.failure is not None:
        raise RuntimeError(f"{name} refused its own picture: {result.failure}")
    if name in BY_WORDS:
        panels = [*_films(ids, context), *_brought(result), _words(tool.title, result)]
    else:
        panels = _panels(result, context, ids)
    if not panels:
        raise RuntimeError(f"{name} gave nothing to show")
    return _jpeg(panels)


def _film(showing: Showing, number: int, folder: Path) -> Path:
    findings = tuple(map(parse_finding, showing.films[number]))
    spec = PhantomSpec(
        seed=showing.seed, size=SIZE, findings=findings, date=FIRST_DAY + number * WEEK, visit=number, **showing.facts
    )
    path = folder / f"film_{number}.dcm"
    make_phantom(spec).write_dicom(path)
    return path


def _panels(result: Result, context: ToolContext, ids: list[str]) -> list[npt.NDArray[np.uint8]]:
    """Each film with its overlays; a film that the tool made beside the one it was made of."""
    made = getattr(result.data, "film_id", None)
    if isinstance(made, str):
        return [render(context.films.get(film), scale_bar=False) for film in (*ids, made)]
    by_film = {film: [item for item in result.overlays if item.image_id == film] for film in ids}
    return [render(context.films.get(film), overlays) for film, overlays in by_film.items() if overlays]


def _films(ids: list[str], context: ToolContext) -> list[npt.NDArray[np.uint8]]:
    return [render(context.films.get(film), scale_bar=False) for film in ids]


def _words(title: str, result: Result) -> npt.NDArray[np.uint8]:
    """What the tool answers: its summary and its first caveat."""
    lines = [title, "", *textwrap.wrap(result.summary, WORDS_WIDE)]
    lines += ["", *textwrap.wrap(f"Caveat: {result.caveats[0]}", WORDS_WIDE)] if result.caveats else []
    if len(lines) > WORDS_ROWS:
        lines = [*lines[: WORDS_ROWS - 1], "…"]
    sheet = Image.new("RGB", (SIZE, SIZE), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(LETTER)
    for number, line in enumerate(lines):
        pen.text((GAP * 2, GAP * 2 + number * SIZE // (WORDS_ROWS + 1)), _drawable(line), "black", font)
    return np.asarray(sheet)


def _brought(result: Result) -> Iterator[npt.NDArray[np.uint8]]:
    """What a result brings along beside its words: small pictures, or the tables of an audit."""
    for _, value in result.data or ():
        if isinstance(value, list) and value and all(isinstance(item, Shown) for item in value):
            yield small_pictures(value)
    if isinstance(result.data, AuditData):
        yield tables_drawn([table for table in tables(result.data.audit) if any(row[-1] != "–" for row in table.rows)])


def small_pictures(items: list[Shown]) -> npt.NDArray[np.uint8]:
    """Rows of pictures, each with its caption."""
    sheet, side = Image.new("RGB", (SIZE, SIZE), "white"), SIZE // ABREAST - GAP
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(SMALL_LETTER)
    for number, item in enumerate(items):
        row, column = divmod(number, ABREAST)
        left, top = column * (side + GAP) + GAP, row * (side + CAPTION_ROWS * SMALL_LINE + GAP * 3) + GAP
        with Image.open(io.BytesIO(base64.b64decode(item.png))) as picture:
            sheet.paste(picture.convert("RGB").resize((side, side), Image.Resampling.LANCZOS), (left, top))
        for line, text in enumerate(textwrap.wrap(item.caption, CAPTION_WIDE)[:CAPTION_ROWS]):
            pen.text((left, top + side + GAP // 2 + line * SMALL_LINE), text, "black", font)
    return np.asarray(sheet)


def tables_drawn(given: list[Table]) -> npt.NDArray[np.uint8]:
    """Tables one below the other, as many as there is room for."""
    sheet = Image.new("RGB", (SIZE, SIZE), "white")
    pen, font, top = ImageDraw.Draw(sheet), ImageFont.load_default(SMALL_LETTER), GAP
    for table in given:
        wide = SIZE // len(table.columns)
        titles = _wrapped(table.title, SIZE - GAP * 2)
        rows = [[_wrapped(cell, wide - GAP) for cell in row] for row in (table.columns, *table.rows)]
        if top + (len(titles) + sum(max(map(len, row)) for row in rows)) * SMALL_LINE > SIZE:
            break
        for text in titles:
            pen.text((GAP, top), text, "black", font)
            top += SMALL_LINE
        for number, row in enumerate(rows):
            for column, lines in enumerate(row):
                for line, text in enumerate(lines):
                    at = (GAP + column * wide, top + line * SMALL_LINE)
                    pen.text(at, text, "black" if number else "dimgrey", font)
            top += max(map(len, row)) * SMALL_LINE
        top += GAP
    return np.asarray(sheet)


def _wrapped(text: str, wide: int) -> list[str]:
    """Lines of small letters that fit into `wide` pixels; at least one."""
    return textwrap.wrap(_drawable(text), 2 * wide // SMALL_LETTER) or [""]


def _drawable(text: str) -> str:
    """The text in letters that the font has: it knows no dash of ranges."""
    return re.sub(r"(?<=\d)–(?=-?\d)", " to ", text).replace("–", "-")


def _jpeg(panels: list[npt.NDArray[np.uint8]]) -> bytes:
    panels = [np.asarray(Image.fromarray(panel).resize((SIZE, SIZE), Image.Resampling.LANCZOS)) for panel in panels]
    gap = np.full((SIZE, GAP, 3), 255, np.uint8)
    sheet = np.hstack([part for panel in panels for part in (gap, panel)][1:])
    for quality in QUALITIES:
        out = io.BytesIO()
        Image.fromarray(sheet).save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= MOST_BYTES:
            break
    return out.getvalue()

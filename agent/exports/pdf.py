"""The report as a PDF of A4 pages: status on every page, sentences, tables, key images with their evidence."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib.resources import as_file, files

from fpdf import FPDF, FontFace
from PIL import Image

from agent.exports.material import Material
from agent.exports.texts import (
    DECIDED,
    FINDING_HEADS,
    TITLE,
    film_rows,
    finding_cells,
    provenance_lines,
    quantity_rows,
)
from imaging.render import render

FAMILY = "Roboto"
BODY_PT, SMALL_PT, HEAD_PT, TITLE_PT = 10, 8, 12, 16
LINE_MM = 5.0
GREY = (90, 90, 90)
ALERT = (160, 30, 30)
"""Of the status of an unverified draft; it is written out in words as well."""
PICTURE_SIDE_PX = 1100
"""Longest side of a key image: 86 mm wide at over 300 dots per inch."""
PICTURE_MM = 86.0
MOST_PICTURES = 8
"""Key images of one report; what is left out is said."""
FINDING_WIDTHS = (9, 24, 14, 11, 9, 33, 14, 22)
NOT_DRAWN = {"→": "->", "←": "<-", "⇒": "=>"}
"""Signs that the font has not, and what is written for them."""


def report_pdf(material: Material) -> bytes:
    """The PDF's bytes. It names no patient: pseudonyms, ages and dates only."""
    page = _Page(material)
    page.add_page()
    _head(page, material)
    for title, sentences in material.draft.standing():
        page.heading(title)
        for sentence in sentences:
            cited = f" [{', '.join(sentence.evidence)}]" if sentence.evidence else ""
            note = f" ({DECIDED[sentence.decision]})" if DECIDED[sentence.decision] else ""
            page.paragraph(f"•  {sentence.text}{cited}{note}")
    if material.rows:
        page.heading("Findings and scores")
        page.rows(FINDING_HEADS, [finding_cells(row) for row in material.rows], FINDING_WIDTHS)
    if material.quantities:
        page.heading("Measurements")
        page.rows(("Film", "Measurement", "Value", "Evidence"), quantity_rows(material), (10, 50, 25, 15))
    _pictures(page, material)
    page.heading("What it rests on")
    for line in provenance_lines(material):
        page.paragraph(line, SMALL_PT)
    return bytes(page.output())


class _Page(FPDF):
    """A4, with the status at the head and the disclaimer at the foot of every page."""

    def __init__(self, material: Material) -> None:
        super().__init__(format="A4")
        self._material = material
        fonts = files("font_roboto") / "files"
        for style, name in (("", "Roboto-Regular.ttf"), ("B", "Roboto-Bold.ttf")):
            with as_file(fonts / name) as path:
                self.add_font(FAMILY, style, path)
        self.set_title(TITLE)
        self.set_creator(material.written_by)
        self.set_subject(material.draft.status)
        self.set_creation_date(material.made_at)
        self.set_lang("en")
        self.set_auto_page_break(True, margin=22)
        self.set_margins(15, 22, 15)

    def header(self) -> None:
        """The status, above everything else."""
        self.set_y(9)
        self.set_font(FAMILY, "B", SMALL_PT)
        self.set_text_color(*(GREY if self._material.signed else ALERT))
        self.cell(0, LINE_MM, drawn(self._material.draft.status), align="C", new_x="LMARGIN", new_y="NEXT")
        self.set_text_color(0)
        self.set_y(22)

    def footer(self) -> None:
        """Disclaimer, who drafted, page number."""
        self.set_y(-18)
        self.set_font(FAMILY, "", 7)
        self.set_text_color(*GREY)
        told = f"{self._material.answer.disclaimer} Drafted by {self._material.written_by}."
        self.multi_cell(165, 3.5, drawn(told), new_x="RIGHT", new_y="TOP", align="L")
        self.set_y(-18)
        self.cell(0, 3.5, f"{self.page_no()} / {{nb}}", align="R")
        self.set_text_color(0)

    def heading(self, text: str) -> None:
        """A heading that is not left alone at the foot of a page."""
        if self.will_page_break(3 * LINE_MM):
            self.add_page()
        self.ln(2)
        self.set_font(FAMILY, "B", HEAD_PT)
        self.multi_cell(0, LINE_MM + 1, drawn(text), new_x="LMARGIN", new_y="NEXT")

    def paragraph(self, text: str, size_pt: float = BODY_PT) -> None:
        """Running text."""
        self.set_font(FAMILY, "", size_pt)
        self.multi_cell(0, LINE_MM * size_pt / BODY_PT, drawn(text), new_x="LMARGIN", new_y="NEXT", align="L")

    def rows(self, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], widths: tuple[int, ...]) -> None:
        """A table whose head repeats on every page."""
        self.set_font(FAMILY, "", SMALL_PT)
        style = FontFace(emphasis="BOLD", fill_color=(235, 235, 235))
        with self.table(col_widths=widths, line_height=4.2, headings_style=style, text_align="LEFT") as table:
            for cells in (heads, *rows):
                table.row([drawn(cell) for cell in cells])


def _head(page: _Page, material: Material) -> None:
    page.set_font(FAMILY, "B", TITLE_PT)
    page.cell(0, 9, TITLE, new_x="LMARGIN", new_y="NEXT")
    page.paragraph(material.draft.status)
    page.ln(1)
    page.rows(("Film", "View", "Date", "Pixels", "mm per pixel"), film_rows(material), (12, 20, 16, 20, 32))


def _pictures(page: _Page, material: Material) -> None:
    """Key images, two in a row: every film with what one tool drew on it."""
    shown = list(material.shown())
    if not shown:
        return
    page.heading("Key images")
    for start in range(0, min(len(shown), MOST_PICTURES), 2):
        pictures = []
        for record, film, overlays in shown[start : start + 2]:
            picture = Image.fromarray(render(film, overlays))
            picture.thumbnail((PICTURE_SIDE_PX, PICTURE_SIDE_PX), Image.Resampling.LANCZOS)
            pictures.append((picture, f"{record.id} · {record.title} · {material.film_names.get(film.id, film.id)}"))
        _pair(page, pictures)
    if len(shown) > MOST_PICTURES:
        page.paragraph(f"{len(shown) - MOST_PICTURES} more pictures are not shown.", SMALL_PT)


def _pair(page: _Page, pictures: list[tuple[Image.Image, str]]) -> None:
    high = max(PICTURE_MM * picture.height / picture.width for picture, _ in pictures)
    if page.will_page_break(high + 2 * LINE_MM):
        page.add_page()
    top = page.get_y() + 1
    for place, (picture, caption) in enumerate(pictures):
        left = page.l_margin + place * (PICTURE_MM + 6)
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=90)
        page.image(stream, left, top, PICTURE_MM, alt_text=caption)
        page.set_xy(left, top + PICTURE_MM * picture.height / picture.width + 1)
        page.set_font(FAMILY, "", SMALL_PT)
        page.multi_cell(PICTURE_MM, 4, drawn(caption), align="L")
    page.set_y(top + high + 2 * LINE_MM)


def drawn(text: str) -> str:
    """The text with signs that the font has."""
    return "".join(NOT_DRAWN.get(sign, sign) for sign in text)

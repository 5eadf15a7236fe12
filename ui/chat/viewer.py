"""The film viewer as HTML: the chosen film, with or without one evidence's overlays, and what is known about both.

Pictures are data URIs inside the page of the one visitor they belong to: no file, no address another could ask for.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import numpy.typing as npt
from PIL import Image

from agent.answer import Evidence
from imaging.radiograph import Radiograph
from imaging.render import render
from tools.contract.wording import sentence_case
from ui.chat.facts import brief_facts, film_facts
from ui.chat.markup import notice, plain, provenance

STAGE_PX = 1280
"""Longest side of the picture on the screen: twice the stage at 1366×768, enough for a dense display."""

THUMBNAIL_PX = 112
"""Longest side of a thumbnail, twice its size on the page."""

EMPTY = (
    '<div class="viewer empty" data-viewer><div class="drop"><p class="big">Drop a chest film here</p>'
    "<p>DICOM, PNG, JPEG or TIFF, one or several, or a zip archive. It stays on this machine.</p>"
    '<button type="button" class="choose" data-choose>Choose films</button></div></div>'
)
"""What the viewer shows before there is a film."""


def picture(film: Radiograph, evidence: Evidence | None, longest_side_px: int = STAGE_PX) -> str:
    """The film as a PNG data URI, with the overlays that `evidence` has on it, at most `longest_side_px` long."""
    overlays = [item for item in evidence.overlays if item.image_id == film.id] if evidence else []
    if overlays:
        return data_uri(render(film, overlays), longest_side_px)
    return data_uri(np.round(film.pixels * 255).astype(np.uint8), longest_side_px)


def data_uri(pixels: npt.NDArray[np.uint8], longest_side_px: int) -> str:
    """uint8 [H, W] or [H, W, 3] in 0..255 as a PNG data URI, made smaller to `longest_side_px`, never larger."""
    image = Image.fromarray(pixels)
    image.thumbnail((longest_side_px, longest_side_px), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=3)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def viewer(
    film: Radiograph,
    name: str,
    stage: str,
    evidence: Evidence | None,
    records: Sequence[Evidence],
    thumbnails: Mapping[str, tuple[str, str]],
    beside: tuple[str, str] | None = None,
) -> str:
    """The whole viewer.

    Args:
        film: the film on the stage.
        name: its name, e.g. "Film 1".
        stage: its picture as a data URI, overlays drawn.
        evidence: the record that is shown, or None for the bare film.
        records: every record of the conversation that concerns this film.
        thumbnails: film id -> (name and brief facts, data URI), in order; shown when there are several.
        beside: what a second picture left of the film is, and its data URI: the film that a processed one was computed
            from, or the prior that the shown evidence laid over it.
    """
    alternative = escape(f"{name}: chest radiograph{f', with {evidence.id}: {evidence.title}' if evidence else ''}")
    return (
        '<div class="viewer" data-viewer>'
        f'<div class="caption"><strong>{escape(name)}</strong>{film_facts(film)}</div>'
        f'<div class="stage">{_strip(film, thumbnails)}{_beside(beside)}'
        f'<img src="{stage}" alt="{alternative}"></div>'
        f"{_caption(name, beside)}{_choices(film, evidence, records)}{_details(evidence, film)}</div>"
    )


def laid_beside(film: Radiograph, evidence: Evidence | None) -> tuple[str, str] | None:
    """What the shown evidence lays beside the film (its data's `beside`), in words and as a data URI, or None."""
    for item in evidence.data.get("beside", []) if evidence else []:
        if item["image_id"] == film.id:
            return sentence_case(item["caption"]), f"data:image/png;base64,{item['picture']}"
    return None


def _beside(beside: tuple[str, str] | None) -> str:
    if beside is None:
        return ""
    words, uri = beside
    return f'<img class="original" src="{uri}" alt="{escape(words)}">'


def _caption(name: str, beside: tuple[str, str] | None) -> str:
    """Says which picture is which where there are two."""
    return f'<p class="beside muted">Left: {escape(beside[0])}. Right: {escape(name)}.</p>' if beside else ""


def _strip(film: Radiograph, thumbnails: Mapping[str, tuple[str, str]]) -> str:
    if len(thumbnails) < 2:
        return ""
    buttons = "".join(
        f'<button type="button" data-film="{escape(film_id)}" aria-pressed="{_truth(film_id == film.id)}">'
        f'<img src="{uri}" alt=""><span>{escape(words)}</span></button>'
        for film_id, (words, uri) in thumbnails.items()
    )
    return f'<div class="films" role="group" aria-label="Films">{buttons}</div>'


def _choices(film: Radiograph, shown: Evidence | None, records: Sequence[Evidence]) -> str:
    """Buttons that put an evidence's overlays on the film; the first takes them away."""
    if not records:
        return ""
    buttons = [_choice("", "Film only", shown is None, "")]
    for record in records:
        drawn = any(item.image_id == film.id for item in record.overlays)
        words = f"{record.id} {record.title}"
        buttons.append(_choice(record.id, words, shown is not None and shown.id == record.id, "" if drawn else "bare"))
    return f'<div class="choices" role="group" aria-label="Evidence on the film">{"".join(buttons)}</div>'


def _choice(evidence_id: str, words: str, pressed: bool, extra: str) -> str:
    return (
        f'<button type="button" class="{extra}" data-evidence="{escape(evidence_id)}" '
        f'aria-pressed="{_truth(pressed)}">{escape(words)}</button>'
    )


def _details(evidence: Evidence | None, film: Radiograph) -> str:
    """What the shown evidence says, read out when it changes."""
    if evidence is None:
        return '<div class="details" aria-live="polite"></div>'
    drawn = any(item.image_id == film.id for item in evidence.overlays)
    parts = [f"<p><strong>{escape(evidence.id)} · {escape(evidence.title)}</strong>"]
    parts.append("</p>" if drawn else ' <span class="muted">draws nothing on this film</span></p>')
    if evidence.failure is not None:
        parts.append(notice("problem", "Could not answer.", evidence.failure.message, evidence.failure.hint))
    else:
        parts.append(f"<p>{plain(evidence.summary)}</p>")
    parts.extend(f'<p class="caveat">{plain(caveat)}</p>' for caveat in evidence.caveats)
    parts.append(f'<p class="muted">{provenance(evidence)}</p>')
    return f'<div class="details" aria-live="polite">{"".join(parts)}</div>'


def thumbnail_words(name: str, film: Radiograph, place: str = "") -> str:
    """A thumbnail's label, e.g. 'Film 2 · PA · 2021-05-03 · prior'."""
    return f"{name} · {brief_facts(film, place)}"


def _truth(value: bool) -> str:
    return "true" if value else "false"

"""What the film viewer is given: the scene (films, evidence, what is on the stage) and, when it asks, pictures.

The viewer itself is viewer.js: it lays evidence over films, windows, zooms and measures without asking again.
Pictures are data URIs handed to the window that holds the visit's secret: no file, no address another could ask for.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from agent.answer import Evidence
from agent.films import places
from imaging.inks import inks_of
from imaging.radiograph import Radiograph, SpacingOrigin
from imaging.render import deep, heat_layer, marks_layer
from tools.contract.wording import sentence_case
from tools.knowledge import structures
from ui.chat.facts import film_facts, film_names
from ui.chat.markup import basis, notice, plain

if TYPE_CHECKING:
    from ui.chat.conversation import Conversation

STAGE_PX = 2048
"""Longest side of the picture that a film is first shown as; it stays below four megabytes. Zoomed in further, the
viewer asks for the film's own pixels."""

THUMBNAIL_PX = 144
"""Longest side of a thumbnail, twice its size on the page."""


DRAWN_BY_HAND = ("nodule", "left pneumothorax", "right pneumothorax")
"""What no model outlines and a user may, as a question names it (tools.anatomy.outlines.BY_THE_USER)."""


def scene(conversation: Conversation, token: str) -> str:
    """Everything the viewer needs but the pictures, as JSON.

    Args:
        conversation: that the window looks at.
        token: the window's secret, by which it fetches pictures.
    """
    names = film_names(conversation.films)
    told = places(conversation.session.studies) if conversation.films else {}
    return json.dumps(
        {
            "token": token,
            "session": conversation.id,
            "moved": conversation.moved,
            "focus": list(conversation.focus),
            "films": [_film(film, names, told.get(film.id, "")) for film in conversation.films.values()],
            "evidence": [_evidence(record, conversation.films, names) for record in _ordered(conversation.evidence)],
            "structures": [*(each.name for each in structures().values()), *DRAWN_BY_HAND],
        }
    )


def picture(film: Radiograph, whole: bool = False) -> str:
    """The film for the stage as a data URI, in 12 bits (imaging.render.deep).

    Args:
        film: that is looked at.
        whole: in all its pixels, else at most STAGE_PX a side.
    """
    return data_uri(deep(film, max(film.shape) if whole else STAGE_PX))


def layer(film: Radiograph, evidence: Evidence, kind: str) -> str | None:
    """What an evidence draws on a film as a transparent picture that spans it; None where it draws no such thing.

    Args:
        film: that is drawn on.
        evidence: whose overlays.
        kind: "marks" (masks, boxes, lines, points) or "heat".
    """
    overlays = [item for item in evidence.overlays if item.image_id == film.id]
    if kind == "heat":
        heat = [item for item in overlays if item.kind == "heatmap"]
        return data_uri(heat_layer(heat[0])) if heat else None
    marks = [item for item in overlays if item.kind != "heatmap"]
    if not marks:
        return None
    image = Image.fromarray(marks_layer(film, marks))
    image.thumbnail((STAGE_PX, STAGE_PX), Image.Resampling.LANCZOS)
    return data_uri(np.asarray(image))


def laid_beside(film_id: str, evidence: Evidence) -> tuple[str, str] | None:
    """What an evidence lays beside a film (its data's `beside`), in words and as a data URI, or None."""
    for item in evidence.data.get("beside", []):
        if item["image_id"] == film_id:
            return sentence_case(item["caption"]), f"data:image/png;base64,{item['picture']}"
    return None


def thumbnail(film: Radiograph) -> str:
    """A small picture of a film as a data URI."""
    image = Image.fromarray(np.round(film.pixels * 255).astype(np.uint8))
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
    return data_uri(np.asarray(image))


def data_uri(pixels: npt.NDArray[np.uint8]) -> str:
    """uint8 [H, W], [H, W, 3] or [H, W, 4] as a PNG data URI."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def details(evidence: Evidence) -> str:
    """What an evidence says, its caveats and who made it."""
    parts = [f"<h3>{escape(evidence.id)} · {escape(evidence.title)}</h3>"]
    if evidence.failure is not None:
        parts.append(notice("problem", "Could not answer.", evidence.failure.message, evidence.failure.hint))
    else:
        parts.append(f"<p>{plain(evidence.summary)}</p>")
    return "".join(parts) + basis(evidence)


def _film(film: Radiograph, names: Mapping[str, str], place: str) -> dict[str, Any]:
    return {
        "id": film.id,
        "name": names[film.id],
        "place": place,
        "facts": film_facts(film),
        "rows": film.shape[0],
        "columns": film.shape[1],
        "mm": list(film.spacing_mm) if film.spacing_mm else None,
        "at": " at the detector" if film.spacing_origin is SpacingOrigin.IMAGER else "",
        "parent": film.derived.parent if film.derived else None,
    }


def _ordered(evidence: Mapping[str, Evidence]) -> list[Evidence]:
    return sorted(evidence.values(), key=lambda record: int(record.id[1:]))


def _evidence(record: Evidence, films: Mapping[str, Radiograph], names: Mapping[str, str]) -> dict[str, Any]:
    drawn = {film_id: _drawn(record, film_id) for film_id in films}
    beside = {film_id: laid[0] for film_id in films if (laid := laid_beside(film_id, record))}
    return {
        "id": record.id,
        "title": record.title,
        "tool": record.tool,
        "films": [film_id for film_id in record.image_ids if film_id in films],
        "on": ", ".join(names[film_id] for film_id in record.image_ids if film_id in names),
        "drawn": {film_id: found for film_id, found in drawn.items() if found["kinds"]},
        "beside": beside,
        "html": details(record),
    }


def _drawn(record: Evidence, film_id: str) -> dict[str, Any]:
    """{"kinds": layers that the evidence has on a film, "legend": [label, colour, kind, dashed] of each label}."""
    overlays = [item for item in record.overlays if item.image_id == film_id]
    kinds = sorted({"heat" if item.kind == "heatmap" else "marks" for item in overlays})
    legend = {
        item.label: [item.label, "#{:02x}{:02x}{:02x}".format(*ink.colour), item.kind, ink.dashed]
        for item, ink in zip(overlays, inks_of(overlays), strict=True)
    }
    return {"kinds": kinds, "legend": list(legend.values())}


__all__: Sequence[str] = ["data_uri", "details", "laid_beside", "layer", "picture", "scene", "thumbnail"]

"""What a planner that sees is shown: small pictures of the films, text on them blacked out; only if the user allows it.

Pictures go into the request alone. They are kept in no conversation, log or database.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from langchain_core.messages import AnyMessage, HumanMessage
from PIL import Image

from agent.films import FILMS_KEY
from imaging.deidentify.burned_in import find_text
from imaging.radiograph import Radiograph
from imaging.store import ImageStore

MAX_SIDE = 1024
"""Longest side in pixels of a picture: what the providers' models see at most, after scaling by their own."""
MAX_PICTURES = 4
"""Most films shown with one question, the latest added; tools read all of them."""
WHITE = 255


class Pictures:
    """The films of a session as PNGs in base64, each made once."""

    def __init__(self, films: ImageStore) -> None:
        self._films = films
        self._made: dict[str, str] = {}

    def shown(self, messages: Sequence[AnyMessage]) -> list[AnyMessage]:
        """The same messages, the last question with pictures of its films behind it."""
        asked = [n for n, message in enumerate(messages) if isinstance(message, HumanMessage)]
        films = self._wanted(messages)
        if not asked or not films:
            return list(messages)
        question = messages[asked[-1]]
        blocks: list[Any] = [{"type": "text", "text": question.text}]
        for film in films:
            blocks.append({"type": "text", "text": f"{self._films.name(film.id)}, image_id {film.id}:"})
            blocks.append({"type": "image", "base64": self._png(film), "mime_type": "image/png"})
        changed = question.model_copy(update={"content": blocks})
        return [*messages[: asked[-1]], changed, *messages[asked[-1] + 1 :]]

    def _wanted(self, messages: Sequence[AnyMessage]) -> list[Radiograph]:
        """The films added last that were acquired, in the session's order."""
        added: list[str] = []
        for message in messages:
            if isinstance(message, HumanMessage):
                added += message.additional_kwargs.get(FILMS_KEY, {}).get("added", [])
        present = self._films.ids()
        latest = [film_id for film_id in dict.fromkeys(reversed(added)) if film_id in present] or present[::-1]
        films = [film for film in map(self._films.get, latest) if film.derived is None][:MAX_PICTURES]
        return sorted(films, key=lambda film: present.index(film.id))

    def _png(self, film: Radiograph) -> str:
        if film.id not in self._made:
            self._made[film.id] = base64.b64encode(png(film)).decode("ascii")
        return self._made[film.id]


def png(film: Radiograph) -> bytes:
    """A film as a grey PNG of at most MAX_SIDE pixels a side, no metadata, boxes that may hold text filled black."""
    pixels = film.pixels.copy()
    for row_min, col_min, row_max, col_max in find_text(film.pixels):
        pixels[int(row_min) : int(np.ceil(row_max)), int(col_min) : int(np.ceil(col_max))] = 0.0
    picture = Image.fromarray(np.rint(pixels * WHITE).astype(np.uint8), mode="L")
    picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    picture.save(written, format="PNG")
    return written.getvalue()


__all__ = ["MAX_PICTURES", "MAX_SIDE", "Pictures", "png"]

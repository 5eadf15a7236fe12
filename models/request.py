"""What is asked of a model: a film, a question, or both."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from imaging.radiograph import Radiograph


@dataclass(frozen=True)
class Question:
    """What goes to a model besides the film itself; unset parts are not part of the question.

    Attributes:
        text: a question, a prompt, the text to embed, or the method of an explanation.
        indication: why the film was taken, for report models that read it.
        phrases: what to look for (zero-shot and phrase grounding), in the caller's words; the finding to explain.
        points: (row, column, inside) in the film's pixels; inside = 1 belongs to the structure, 0 does not.
        boxes: (row_min, col_min, row_max, col_max) in the film's pixels.
        lateral, prior: the other films of the study, for models that read them.
        max_new_tokens: longest text a model may write.
        seed: of whatever a model draws at random.
    """

    text: str = ""
    indication: str = ""
    phrases: tuple[str, ...] = ()
    points: tuple[tuple[float, float, int], ...] = ()
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    lateral: Radiograph | None = None
    prior: Radiograph | None = None
    max_new_tokens: int = 256
    seed: int = 0

    def key(self) -> str:
        """The same 32 hex digits for the same question, on every machine; films count by their pixels' id."""
        parts = {
            "text": self.text,
            "indication": self.indication,
            "phrases": self.phrases,
            "points": self.points,
            "boxes": self.boxes,
            "lateral": self.lateral.id if self.lateral else None,
            "prior": self.prior.id if self.prior else None,
            "max_new_tokens": self.max_new_tokens,
            "seed": self.seed,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Request:
    """One film with one question; the film is None for tasks that begin from text alone."""

    film: Radiograph | None
    question: Question | None = None

    @property
    def film_id(self) -> str:
        """The film's id; empty where there is none."""
        return self.film.id if self.film else ""

    @property
    def question_key(self) -> str:
        """The question's key; empty where nothing was asked."""
        return self.question.key() if self.question else ""

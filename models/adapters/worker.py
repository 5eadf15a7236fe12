"""Models that run in an isolated worker: films and questions cross the pipe, outputs come back and are checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imaging.failures import Unavailable
from imaging.radiograph import Radiograph
from models import wire
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.outputs import Output, Task, Text
from models.request import Question, Request
from models.wire import Arrays
from models.worker.conditions import Conditions
from models.worker.host import Worker


def load(
    entry: CatalogEntry, card: ModelCard, path: Path, device: str, conditions: Conditions, limit_bytes: int | None
) -> WorkerAdapter:
    """The model of an entry, loaded in a process of its own.

    Args:
        entry: with `worker`.
        card: its card.
        path: folder of its files.
        device: "cpu" or "cuda:N".
        conditions: the user's terms.
        limit_bytes: most memory of the machine that the process may hold; None for no limit.

    Raises:
        Unavailable: its environment is not there, its code was not allowed, or it does not load.
        MemoryError: it holds more than it may.
    """
    worker = Worker(conditions.launch(entry, path, device, limit_bytes))
    worker.start()
    return WorkerAdapter(entry, card, worker)


class WorkerAdapter:
    """A model behind a pipe; `close` ends its process."""

    def __init__(self, entry: CatalogEntry, card: ModelCard, worker: Worker) -> None:
        self.card = card
        self._entry = entry
        self._worker = worker

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """One output per film, for tasks that read no question."""
        return self.answer(task, [Request(film) for film in films])

    def answer(self, task: Task, requests: Sequence[Request]) -> list[Output]:
        """One output per request; each crosses the pipe alone, so that one that fails takes no other with it."""
        return [self._one(task, request) for request in requests]

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def _one(self, task: Task, request: Request) -> Output:
        header, arrays = encode(request)
        outputs, given = self._worker.ask(task.value, [header], arrays)
        if len(outputs) != 1:
            raise self._wrong(f"{len(outputs)} outputs for one request")
        try:
            output = wire.decode(outputs[0], {name.partition(".")[2]: array for name, array in given.items()})
        except (ValueError, TypeError) as error:
            raise self._wrong(str(error)) from error
        wrong = _text_fault(output, request.film) if isinstance(output, Text) else ""
        if wrong:
            raise self._wrong(wrong)
        return output

    def _wrong(self, why: str) -> Unavailable:
        return Unavailable(f"{self._entry.id} sent an answer that cannot be used: {why}.", "Choose another model.")


def encode(request: Request) -> tuple[dict[str, Any], Arrays]:
    """(header, arrays) of a request: the question's fields, its films as uint8 [H, W], 255 = dense."""
    question = request.question or Question()
    films = {"film": request.film, "lateral": question.lateral, "prior": question.prior}
    arrays: Arrays = {
        name: np.rint(film.pixels * 255).astype(np.uint8) for name, film in films.items() if film is not None
    }
    header: dict[str, Any] = {
        "text": question.text,
        "indication": question.indication,
        "phrases": list(question.phrases),
        "points": [list(point) for point in question.points],
        "boxes": [list(box) for box in question.boxes],
        "max_new_tokens": question.max_new_tokens,
        "seed": question.seed,
        **{name: name if name in arrays else None for name in films},
    }
    return header, arrays


def _text_fault(output: Text, film: Radiograph | None) -> str:
    """What is wrong with a text from elsewhere, in words; empty where its fields are what they should be."""
    if not isinstance(output.text, str) or not isinstance(output.truncated, bool):
        return "its text is no text"
    if not isinstance(output.phrases, tuple) or not all(isinstance(phrase, str) for phrase in output.phrases):
        return "its phrases are no texts"
    if not isinstance(output.boxes, tuple) or len(output.boxes) != len(output.phrases):
        return f"{len(output.phrases)} phrases do not have one box each"
    rows, cols = film.pixels.shape if film else (0, 0)
    for box in output.boxes:
        if not (isinstance(box, tuple) and len(box) == 4 and all(isinstance(v, (int, float)) for v in box)):
            return f"{box!r} is no box"
        row_min, col_min, row_max, col_max = box
        inside = 0 <= row_min < row_max <= rows and 0 <= col_min < col_max <= cols
        if not all(math.isfinite(value) for value in box) or not inside:
            return f"box {box!r} does not lie on the film of {rows} x {cols} pixels"
    return ""

"""Adapters: one module per family of models, each with load(entry, card, path, device) -> Adapter.

An adapter's module imports its libraries at its top; the pool imports the module only when a model of it is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from imaging.radiograph import Radiograph
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.outputs import Output, Task
from models.request import Request
from models.worker.conditions import Conditions


class Adapter(Protocol):
    """A loaded model. The pool calls it from one thread at a time, unless its module says SIDE_BY_SIDE = True.

    Such a module's adapters keep no state between calls: on a processor the pool runs several batches at once in them.
    """

    @property
    def card(self) -> ModelCard:
        """What this model is worth."""

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """One output per film, in order, from one batch.

        Args:
            task: one of the entry's tasks.
            films: at least one; as many as fit one batch.
        """


class Asked(Protocol):
    """An adapter of tasks that read a Question (Task.asks), which has `answer` beside or in place of `predict`."""

    @property
    def card(self) -> ModelCard:
        """What this model is worth."""

    def answer(self, task: Task, requests: Sequence[Request]) -> list[Output]:
        """One output per request, in order, from one batch."""


class AdapterModule(Protocol):
    """What a module of this package offers."""

    def load(self, entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> Adapter:
        """The model of an entry, its weights read from path and placed on the device ("cpu", "cuda:N").

        Raises:
            Unavailable: the file is not this model's.
        """


class WorkerModule(Protocol):
    """What models.adapters.worker offers, for entries with `worker`."""

    def load(
        self,
        entry: CatalogEntry,
        card: ModelCard,
        path: Path,
        device: str,
        conditions: Conditions,
        limit_bytes: int | None,
    ) -> Adapter:
        """As AdapterModule.load, in a process that holds at most limit_bytes of the machine's memory."""

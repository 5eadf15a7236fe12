"""Outlines that the user put right in this session: kept beside the films, used by every tool that outlines."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from imaging.failures import BadArguments


@dataclass(frozen=True)
class Correction:
    """One structure's outline as the user wants it.

    Attributes:
        mask: bool [H, W] of the film; not writeable.
        how: what the user drew, in words.
        by: who turned the marks into an outline.
        number: how many corrections the session had seen when this one came.
    """

    mask: npt.NDArray[np.bool_]
    how: str
    by: str
    number: int = 0


class Corrections:
    """The corrections of one session by film and structure. Safe between threads."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, Correction]] = {}
        self._count = 0
        self._lock = threading.Lock()

    def put(self, image_id: str, code: str, correction: Correction) -> None:
        """Keep a correction; an earlier one of that structure goes."""
        mask = correction.mask.copy()
        mask.setflags(write=False)
        with self._lock:
            self._count += 1
            self._kept.setdefault(image_id, {})[code] = replace(correction, mask=mask, number=self._count)

    def forget(self, image_id: str, code: str) -> None:
        """Go back to the model's own outline.

        Raises:
            BadArguments: that structure was not corrected on that film.
        """
        with self._lock:
            if code not in self._kept.get(image_id, {}):
                known = ", ".join(self._kept.get(image_id, {})) or "none"
                raise BadArguments(f"The {code} was not corrected on this film.", f"Corrected are: {known}.")
            self._count += 1
            del self._kept[image_id][code]

    def of(self, image_id: str) -> Mapping[str, Correction]:
        """Corrections of one film by structure."""
        with self._lock:
            return MappingProxyType(dict(self._kept.get(image_id, {})))

    def state(self, image_ids: Iterable[str]) -> str:
        """A word that changes whenever a correction of one of these films does; empty while there is none."""
        with self._lock:
            numbers = [
                f"{code}{kept.number}" for image in image_ids for code, kept in self._kept.get(image, {}).items()
            ]
        return " ".join(sorted(numbers))


__all__ = ["Correction", "Corrections"]

"""The failures Hilum knows by name. Anything else that is raised is our bug and must surface as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

LIKE_ENOUGH = 50.0
"""Likeness of 100 below which a guess at what was meant helps less than the list of what there is."""


class HilumFailure(Exception):
    """A failure with a kind, one sentence on what was wrong, and one on what to do next.

    Attributes:
        kind: stable machine-readable word, snake_case.
        message: what was wrong, with its value.
        hint: what is allowed or what to do next.
        exit_code: the command line's exit code for this family of failures.
    """

    kind = "failure"
    exit_code = 1

    def __init__(self, message: str, hint: str = "", *, kind: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if kind is not None:
            self.kind = kind

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def to_json(self) -> dict[str, str]:
        """The three fields as they stand in every JSON output of Hilum."""
        return {"kind": self.kind, "message": self.message, "hint": self.hint}


class BadArguments(HilumFailure):
    """The caller's arguments are wrong; the caller (a planner, a user) may correct them and retry."""

    kind = "bad_arguments"
    exit_code = 2


class NotApplicable(HilumFailure):
    """The request does not apply to this film; final, with the reason."""

    kind = "not_applicable"
    exit_code = 3


class Unavailable(HilumFailure):
    """A model, service or extra is absent; known before the run, with the remedy in the hint."""

    kind = "unavailable"
    exit_code = 4


class FilmRefused(HilumFailure):
    """A file cannot become a Radiograph. `kind` says why (see imaging.files.REFUSALS)."""

    kind = "film_refused"
    exit_code = 3


def nearest(name: str, known: Iterable[str], least: float = 0.0) -> str:
    """ "Did you mean 'x'? " for the known name that is most like an unknown one; empty where none is like it enough.

    Args:
        name: that is not known.
        known: those that are.
        least: likeness from which one is told, of 100 (rapidfuzz's WRatio).
    """
    from rapidfuzz import process  # only where something went wrong

    near = process.extractOne(name, list(known), score_cutoff=least)
    return f"Did you mean {near[0]!r}? " if near else ""


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """While a place that the user named is written to: an operating system's refusal becomes BadArguments.

    Raises:
        BadArguments: it cannot be written, with the reason.
    """
    try:
        yield
    except OSError as error:
        raise BadArguments(
            f"{path} cannot be written: {error.strerror or type(error).__name__}.",
            "Give a place in a folder that exists and that you may write to.",
        ) from error

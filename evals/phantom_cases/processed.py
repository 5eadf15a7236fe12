"""C14: bone is suppressed towards the phantom's bone-free twin; contrast is changed by the numbers asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from evals.phantom_cases.case import Case, Draw, Judge, Outcome
from imaging.radiograph import DerivedKind, FilmArray, Radiograph

SUPPRESSED, ENHANCED, BOTH = 12, 9, 4
ASKED = ("Remove the ribs", "Suppress the bones please", "Show me the film without ribs")
GAIN_DB = 4.0
"""Rise in PSNR against the bone-free twin that is right; the card of the embedded suppressor tells 5.7 on average."""
WITHIN = 1 / 255
"""Greys that differ by less are the same."""
BLOCK = 32
"""Side in pixels of the blocks whose contrast is compared before and after."""


def cases(draw: Draw) -> Iterator[Case]:
    """Films without and with a nodule, windows and inversion by numbers, and both films read."""
    for number in range(SUPPRESSED):
        shown = [f"nodule:{draw.side()}:upper:22mm"] if number % 2 else []
        yield Case(f"processed-bone-{number}", "C14", (draw.film(*shown),), (draw.one(ASKED),), _bone_free)
    for number in range(ENHANCED):
        way = ("invert", "window", "clahe")[number % 3]
        centre, width = draw.one(("0.4", "0.5", "0.6")), draw.one(("0.4", "0.5"))
        turn = {
            "invert": "Invert the film",
            "window": f"Window the film: centre {centre} width {width}",
            "clahe": "Enhance the contrast with CLAHE",
        }[way]
        judge = _window(float(centre), float(width)) if way == "window" else _inverted if way == "invert" else _clahe
        yield Case(f"processed-{way}-{number}", "C14", (draw.film(),), (turn,), judge)
    for number in range(BOTH):
        turns = ("Remove the ribs", "Is there a pleural effusion on the processed film?")
        film = draw.film(f"effusion:{draw.side()}:800ml")
        yield Case(f"processed-both-{number}", "C14", (film,), turns, _both_read)


def _made(outcome: Outcome, tool: str, turn: int = 0) -> Radiograph | None:
    """The film that a tool put into the session, as long as it is marked and lies on its film's pixels."""
    for record in outcome.answers[turn].evidence:
        if record.tool == tool and record.failure is None:
            film = outcome.session.films.get(record.data["film_id"])
            derived = film.derived
            sound = (
                derived is not None and derived.kind is DerivedKind.PROCESSED and derived.parent == _given(outcome).id
            )
            return film if sound and film.shape == _given(outcome).shape else None
    return None


def _given(outcome: Outcome) -> Radiograph:
    """The film as the session opened it."""
    return outcome.session.films.get(outcome.session.films.ids()[0])


def _bone_free(outcome: Outcome) -> float:
    """Share of GAIN_DB by which the PSNR against the bone-free twin rises, in the lungs and around them."""
    made = _made(outcome, "suppress_bone")
    if made is None:
        return 0.0
    twin = outcome.film.bone_free
    return float(np.clip((_psnr(made.pixels, twin) - _psnr(_given(outcome).pixels, twin)) / GAIN_DB, 0, 1))


def _psnr(picture: FilmArray, truth: FilmArray) -> float:
    """In dB, of greys in [0, 1]."""
    return -10 * math.log10(max(float(np.mean((picture - truth) ** 2)), 1e-12))


def _inverted(outcome: Outcome) -> float:
    made = _made(outcome, "enhance")
    return float(made is not None and np.abs(made.pixels - (1 - _given(outcome).pixels)).max() <= WITHIN)


def _window(centre: float, width: float) -> Judge:
    def judge(outcome: Outcome) -> float:
        made = _made(outcome, "enhance")
        if made is None:
            return 0.0
        expected = ((_given(outcome).pixels - (centre - width / 2)) / width).clip(0, 1)
        return float(np.abs(made.pixels - expected).max() <= WITHIN)

    return judge


def _clahe(outcome: Outcome) -> float:
    """Right where most blocks of the film have more contrast than before."""
    made = _made(outcome, "enhance")
    if made is None:
        return 0.0
    before, after = (_contrasts(film.pixels) for film in (_given(outcome), made))
    return float(np.mean(after > before) > 0.5)


def _contrasts(pixels: FilmArray) -> FilmArray:
    rows, columns = (side // BLOCK * BLOCK for side in pixels.shape)
    blocks = pixels[:rows, :columns].reshape(rows // BLOCK, BLOCK, columns // BLOCK, BLOCK)
    contrasts: FilmArray = blocks.std(axis=(1, 3))
    return contrasts


def _both_read(outcome: Outcome) -> float:
    """Right where the second answer rests on the processed film and on the one that was acquired."""
    made = _made(outcome, "suppress_bone")
    if made is None:
        return 0.0
    read = {image for record in outcome.evidence("classify") for image in record.image_ids}
    return float({made.id, _given(outcome).id} <= read)


__all__ = ["cases"]

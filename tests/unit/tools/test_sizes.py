"""How wide a lesion is: on drawn films of known size; what is refused and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from stub_pool import card, phantom

from evals.measurements import exact_outlines
from evals.sizes import drawn
from imaging.phantom import PhantomFilm
from models.outputs import Task
from tools.anatomy.lesion import EDGE_INSIDE, traced
from tools.contract import Status
from tools.measurements import Measurement, Sheet, StepKind, measured
from tools.measurements.lesions import judge_lesion

SIDE = 160
ROWS, COLUMNS = np.indices((SIDE, SIDE)).astype(np.float64)

Mask = npt.NDArray[np.bool_]


def disc(row: float, column: float, radius: float) -> Mask:
    return np.hypot(ROWS - row, COLUMNS - column) <= radius


def ball(row: float, column: float, radius: float, bright: float = 0.4) -> npt.NDArray[np.float32]:
    """A film with a ball: brightness by the ball's thickness along the ray."""
    depth = np.sqrt(np.clip(1 - (np.hypot(ROWS - row, COLUMNS - column) / radius) ** 2, 0, None))
    return (0.3 + bright * depth).astype(np.float32)


def sheet(film: PhantomFilm, pixels: npt.NDArray[np.float32] | None = None, **more: Any) -> Sheet:
    radiograph = film.radiograph if pixels is None else replace(film.radiograph, pixels=pixels)
    return Sheet(radiograph, exact_outlines(film, card(Task.SEGMENT)), **more)


@pytest.mark.parametrize("radius", [24, 32])
@pytest.mark.parametrize("off", [0.85, 1.15])
def test_a_coarse_outline_becomes_the_balls_own_border(radius: int, off: float) -> None:
    """Expected: the drawn radius, within the 5 % by which EDGE_INSIDE differs between lesions."""
    found = traced(ball(80, 76, radius), disc(82, 74, off * radius))
    assert found.long_px == pytest.approx(2 * radius, rel=0.08)
    assert found.short_px == pytest.approx(found.long_px, rel=0.05)
    assert np.mean(found.border, axis=0) == pytest.approx((80, 76), abs=2)


def test_pixels_that_are_not_square_are_counted_in_columns() -> None:
    """Expected: rows twice as high as columns are wide: half as many of them make the same ball."""
    film = ball(80, 80, 24)[::2]
    found = traced(film, disc(80, 80, 24)[::2], aspect=2.0)
    assert found.long_px == pytest.approx(48, rel=0.1) and found.short_px == pytest.approx(48, rel=0.1)


def test_a_lesion_without_a_border_is_refused() -> None:
    noise = np.random.default_rng(1).normal(0.5, 0.05, (SIDE, SIDE)).astype(np.float32)
    with pytest.raises(ValueError, match="border"):
        traced(noise, disc(80, 80, 20))
    with pytest.raises(ValueError, match="not outlined"):
        traced(noise, np.zeros((SIDE, SIDE), dtype=np.bool_))


def test_an_effusions_size_is_withheld_with_the_reason_and_what_is_published() -> None:
    [done] = measured(sheet(phantom()), ["effusion_height"])
    assert not done.measured and "within 3 mm" in done.reason and "Blackmore" in done.reason


def test_a_lesion_is_told_with_its_axes_and_without_spacing_in_pixels() -> None:
    film = phantom()
    lung = film.masks["left_lung"]
    row, column = (int(value) for value in np.argwhere(lung).mean(axis=0))
    rows, columns = np.indices(lung.shape)
    far = np.hypot(rows - row, columns - column)
    pixels = np.where(far < 14, 0.5 + 0.4 * np.sqrt(np.clip(1 - (far / 14) ** 2, 0, 1)), 0.4).astype(np.float32)
    [done] = measured(sheet(film, pixels, lesions=(far <= 15,)), ["lesion_diameter"])
    assert done.measured and done.side == "left"
    assert done.value("lesion_long_px") == pytest.approx(28 / EDGE_INSIDE, rel=0.1)
    _drawn(done)
    bare = replace(sheet(film, pixels, lesions=(far <= 15,)).film, spacing_mm=None, spacing_origin=None)
    [told] = measured(replace(sheet(film), film=bare, lesions=(far <= 15,)), ["lesion_diameter"])
    assert told.unit == "px" and told.status is Status.NOT_ASSESSED and told.value("lesion_long_mm") is None


def test_the_reason_of_the_locating_model_is_passed_on() -> None:
    [done] = measured(sheet(phantom(), no_lesion="It is sure of none."), ["lesion_diameter"])
    assert not done.measured and done.reason.startswith("It is sure of none. Outline it yourself")


@pytest.mark.parametrize(
    ("long_mm", "status"),
    [(20.0, Status.ABSENT), (33.0, Status.UNCERTAIN), (45.0, Status.PRESENT), (None, Status.NOT_ASSESSED)],
)
def test_nodule_and_mass_part_at_three_centimetres(long_mm: float | None, status: Status) -> None:
    """Fleischner Society glossary (Hansell 2008)."""
    assert judge_lesion(long_mm)[0] is status
    assert judge_lesion(long_mm, child=True)[0] is Status.NOT_ASSESSED


def test_the_films_that_measure_the_error_have_one_finding_each() -> None:
    assert [drawn(seed).findings[0].code for seed in range(4)] == ["mass", "nodule"] * 2


def _drawn(done: Measurement) -> None:
    kinds = [step.kind for step in done.chain]
    assert kinds[0] is StepKind.REGION and kinds[-1] is StepKind.CONCLUSION and StepKind.LANDMARK in kinds
    assert done.overlays("f")

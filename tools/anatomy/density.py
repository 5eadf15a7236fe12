"""Which third of which lung is denser than its mirror image: a coarse place of one-sided disease, without a model.

Works on the lungs' hulls, so that what opacity hid from the segmenter counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imaging.radiograph import Radiograph
from models.preprocess import TONE_PERCENTILES, content_box
from tools.anatomy.regions import Anatomy, Zone
from tools.knowledge import Region, Side

HEALTHY: dict[Zone, tuple[float, float]] = {"upper": (-0.024, 0.049), "middle": (-0.015, 0.076), "lower": (0.0, 0.104)}
"""Mean and standard deviation of the left lung's median grey less the right's, of a film's grey range, per third: on
112 real films labelled as without a finding (NIH 88, Montgomery 14, JSRT 10; fold 1), outlined by the embedded
segmenter."""

DENSER_FROM = 2.0
"""Standard deviations from which a difference is told. Of 1.5 and 2 the one with which the side was right more often:
see EVIDENCE."""

EVIDENCE = (
    "On real films whose two lungs differ by as much it was the side of the disease in 15 of 16 films with a box "
    "around a pneumonia or infiltrate (NIH) and in 17 of 17 with an effusion whose side was read by eye, by no "
    "radiologist; 13 of 100 films without a finding differ by as much too."
)

LEAST_PIXELS = 30
"""A third with less lung than this on the working grid is not compared."""


@dataclass(frozen=True)
class Denser:
    """The third that differs most from its mirror image.

    Attributes:
        side: the denser one, the patient's.
        zone: of the lungs' common height.
        deviations: how much it is denser, in standard deviations of healthy films; positive.
    """

    side: Side
    zone: Zone
    deviations: float


def denser(film: Radiograph, anatomy: Anatomy) -> Denser | None:
    """The third in which the two lungs differ most for their usual difference; None where a lung is not outlined."""
    box, step = content_box(film.pixels), anatomy.step
    low, high = np.percentile(film.pixels[box.top : box.bottom : step, box.left : box.right : step], TONE_PERCENTILES)
    grey = np.clip((film.pixels[::step, ::step] - low) / max(float(high - low), 1e-6), 0, 1)
    found: list[Denser] = []
    for zone, (usual, spread) in HEALTHY.items():
        left, right = anatomy.region(Region.LUNG, "left", zone), anatomy.region(Region.LUNG, "right", zone)
        if min(left.sum(), right.sum()) < LEAST_PIXELS:
            continue
        deviations = (float(np.median(grey[left]) - np.median(grey[right])) - usual) / spread
        found.append(Denser("left" if deviations > 0 else "right", zone, abs(deviations)))
    return max(found, key=lambda one: one.deviations, default=None)

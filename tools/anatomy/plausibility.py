"""Are these outlines a chest? Bounds from human outlines, each wide enough for disease and tight enough for nonsense.

The human outlines are the 200 JSRT/SCR films (van Ginneken et al., Med Image Anal 2006;10:19): left lung 0.08-0.21 of
the film, right lung 0.10-0.25, heart 0.06-0.14, larger lung at most 1.7 times the smaller, heart 0.20-0.53 of both
lungs. Disease, children and other framing need more room, which the bounds leave.
"""

from __future__ import annotations

from imaging.geometry import extent
from tools.anatomy.outlines import Outlines

LUNG_SHARE = (0.02, 0.40)
"""Area of one lung as a share of the film."""

HEART_SHARE = (0.01, 0.35)
"""Area of the heart as a share of the film."""

LUNGS_RATIO_MAX = 4.0
"""Larger lung over smaller lung; beyond it one lung is collapsed, white or missed, and its edge is not the chest's."""

HEART_TO_LUNGS_MAX = 1.2
"""Heart over both lungs; beyond it the outline has run into something else."""

QUALITY_MIN = 0.6
"""Mean certainty of a mask's pixels below which the outline is not relied on. Chosen, not measured."""

BORDER_SHARE = 0.002
"""An outline this near to the film's edge (share of its width) is cut off by it."""

LUNGS = ("left_lung", "right_lung")


def doubts(found: Outlines) -> list[str]:
    """Why lungs and heart cannot be relied on for a width, as sentences; empty when they can."""
    absent = [code for code in (*LUNGS, "heart") if not found.has(code)]
    if absent:
        return [f"The segmenter found no {' and no '.join(code.replace('_', ' ') for code in absent)} on this film."]
    return [*_certainty(found), *_areas(found), *_arrangement(found), *_edges(found)]


def _certainty(found: Outlines) -> list[str]:
    return [
        f"The outline of the {code.replace('_', ' ')} is uncertain (quality {found.quality(code):.2f}, "
        f"needed {QUALITY_MIN:.2f})."
        for code in (*LUNGS, "heart")
        if found.quality(code) < QUALITY_MIN
    ]


def _areas(found: Outlines) -> list[str]:
    share = {code: float(found.mask(code).mean()) for code in (*LUNGS, "heart")}
    reasons = [
        f"The outline of the {code.replace('_', ' ')} covers {value:.1%} of the film, which is not plausible."
        for code, value in share.items()
        for low, high in [HEART_SHARE if code == "heart" else LUNG_SHARE]
        if not low <= value <= high
    ]
    left, right = share["left_lung"], share["right_lung"]
    if not reasons and max(left, right) > LUNGS_RATIO_MAX * min(left, right):
        smaller = "left" if left < right else "right"
        reasons.append(f"Most of the {smaller} lung was not outlined (collapse, opacity or a missed lung).")
    if not reasons and share["heart"] > HEART_TO_LUNGS_MAX * (left + right):
        reasons.append("The outline of the heart is larger than both lungs together, which is not plausible.")
    return reasons


def _arrangement(found: Outlines) -> list[str]:
    """The patient's left lung must lie at the right of the picture."""
    centres = {}
    for code in LUNGS:
        _, low, _, high = extent(found.mask(code))
        centres[code] = (low + high) / 2
    if centres["left_lung"] <= centres["right_lung"]:
        return ["The outlines of the two lungs are not side by side as on a frontal film."]
    return []


def _edges(found: Outlines) -> list[str]:
    """Sideways cut-off falsifies a width; a cut apex does not."""
    reasons = []
    for code in (*LUNGS, "heart"):
        mask = found.mask(code)
        margin = max(1, round(BORDER_SHARE * mask.shape[1]))
        _, low, _, high = extent(mask)
        if low < margin or high > mask.shape[1] - margin:
            reasons.append(f"The {code.replace('_', ' ')} reaches the side edge of the film, which cuts it off.")
    _, _, bottom, _ = extent(found.mask("heart"))
    if bottom >= found.mask("heart").shape[0]:
        reasons.append("The heart reaches the lower edge of the film: it is cut off there.")
    return reasons

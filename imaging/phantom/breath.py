"""What a breath changes: how high the domes stand, how much air the lungs hold, where the heart lies."""

from __future__ import annotations

POOR, FULL = 7.0, 10.0
"""Posterior ribs above the right dome at inspiration 0 and 1 (PhantomSpec.inspiration); measures.posterior_ribs counts
them on a film, where body and beam make them differ by about half a rib."""

DOME_POOR_MM, DOME_FALL_MM = 136.0, 73.0
"""y (reference mm) of the right dome's top at inspiration 0, and how much lower it stands at 1: three ribs. At the
usual breath its distance from the apex, over the thorax's width, is that of 200 SCR masks (van Ginneken 2006)."""

USUAL = 0.75
"""Inspiration of the usual upright film; what follows is as anatomy gives it at this depth."""

DOME_USUAL_MM = DOME_POOR_MM + USUAL * DOME_FALL_MM

HEART_SHARE = 0.6
"""Share of the domes' way that the heart goes with them (Wang, Riederer, Ehman, MRM 1995;33:713: 0.6)."""

HILUM_SHARE = 0.3
"""Share of the domes' way that the horizontal fissure goes with them; set by eye."""

STEEPER_MM = 14.0
"""How much further the domes fall towards the wall at inspiration 0 than at 1; set by eye."""

HEART_TURN_DEG = 22.0
"""How much steeper the heart's long axis stands at inspiration 1 than at 0; set by eye."""

CLOSED_MM = 20.0
"""Dome height at which the lungs would hold no air if their volume went straight with it; set by eye."""


def dome_mm(inspiration: float) -> float:
    """y (reference mm) of the right dome's top at that depth of breath, before anybody's own differences."""
    return DOME_POOR_MM + DOME_FALL_MM * inspiration


def crowding(inspiration: float) -> float:
    """Factor on the lungs' density: the same tissue lies in less space than at the usual breath."""
    return (DOME_USUAL_MM - CLOSED_MM) / (dome_mm(inspiration) - CLOSED_MM)


def followed(dome: float, share: float) -> float:
    """How far (reference mm) what goes `share` of the domes' way lies below its usual place."""
    return share * (dome - DOME_USUAL_MM)

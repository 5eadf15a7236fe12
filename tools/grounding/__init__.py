"""Parts of the tool ground: what it answers, and the coarse place where no model tells one.

Imports tools.anatomy; ground imports it."""

from tools.grounding.coarse import COARSE, Coarse, CoarsePlace, sided_map
from tools.grounding.data import LOCALISED_FROM, Asked, GroundData, GroundedBox, not_localised

__all__ = [
    "COARSE", "LOCALISED_FROM", "Asked", "Coarse", "CoarsePlace", "GroundData", "GroundedBox", "not_localised",
    "sided_map",
]  # fmt: skip

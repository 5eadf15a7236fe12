"""Parts of the tool ground: what it answers, and the coarse place by density where no model tells one.

Imports tools.anatomy; ground imports it."""

from tools.grounding.coarse import COARSE, coarse_place
from tools.grounding.data import LOCALISED_FROM, Asked, GroundData, GroundedBox, not_localised

__all__ = ["COARSE", "LOCALISED_FROM", "Asked", "GroundData", "GroundedBox", "coarse_place", "not_localised"]

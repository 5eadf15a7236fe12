"""How a classifier is asked what mattered to it: by covering parts of a film, and by a test of a highlighted area.

Imports tools.contract; the tool `explain` imports it."""

from tools.explaining.chest import Chest, chest_of
from tools.explaining.covering import Covered, cover_map
from tools.explaining.masking import MaskingTest, masking_test

__all__ = ["Chest", "Covered", "MaskingTest", "chest_of", "cover_map", "masking_test"]

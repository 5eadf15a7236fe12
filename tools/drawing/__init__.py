"""Synthetic films from plain words: what the words ask for, and the phantom's specification of it."""

from tools.drawing.reading import Wish, read
from tools.drawing.specification import specified

__all__ = ["Wish", "read", "specified"]

"""What the tool classify can do besides asking one model at its card's thresholds: moved thresholds, several models.

Imports models; the tools import it."""

from tools.classifiers.ensembles import ensemble_here
from tools.classifiers.operating import Moved, Wish, moved

__all__ = ["Moved", "Wish", "ensemble_here", "moved"]

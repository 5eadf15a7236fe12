"""What the tool classify can do besides asking one model: moved thresholds, several models, warnings.

Imports models and tools.anatomy; the tools import it."""

from tools.classifiers.ensembles import ensemble_here
from tools.classifiers.operating import Moved, Wish, moved
from tools.classifiers.shortcuts import shortcut_warnings
from tools.classifiers.worth import worth_warnings

__all__ = ["Moved", "Wish", "ensemble_here", "moved", "shortcut_warnings", "worth_warnings"]

"""Two reports against each other: by their words (lexical) and by what they say (clinical).

Pure: texts in, numbers and differences out."""

from tools.scoring.clinical import F1, Agreement, Difference, DifferenceKind, clinical
from tools.scoring.lexical import Lexical, lexical

__all__ = ["F1", "Agreement", "Difference", "DifferenceKind", "Lexical", "clinical", "lexical"]

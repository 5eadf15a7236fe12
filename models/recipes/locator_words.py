"""The words of the embedded locator's card."""

from models.locator import CLASSES

LABELS = {code: code.replace("_", " ") for code in CLASSES} | {
    "lung_opacity": "consolidation or infiltration", "lung_lesion": "nodule or mass", "ett": "endotracheal tube",
    "ng_tube": "nasogastric tube", "central_line": "central venous line",
}  # fmt: skip

UNFIT: dict[str, str] = {}
"""Why a class is withheld although its figures would let it pass."""

TRAINING_DATA = ""
MEASURED_ON = ""
SCORE_MEANING = ""
LIMITS: tuple[str, ...] = ()
REFERENCES: tuple[str, ...] = ()

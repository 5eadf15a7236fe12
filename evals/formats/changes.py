"""Longitudinal sets: two films of one patient, and what became of findings from the earlier to the later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.formats.rows import Films, find, read_table
from imaging.failures import BadArguments

CHANGES = ("improved", "unchanged", "worsened")
"""What may become of a finding; one that is new has worsened, one that is resolved has improved."""

TITLE = "MS-CXR-T (Bannur et al. 2023)"
FILES = ("MS_CXR_T_temporal_image_classification*.csv", "*.csv")
ENDING = "_progression"
"""Columns of MS-CXR-T end so after their finding's name; a cell is empty where the finding was not judged."""
WORDS = dict(zip(("improving", "stable", "worsening"), CHANGES, strict=True))


@dataclass(frozen=True)
class LabelledPair:
    """Two films of one patient, None where a file is absent.

    Attributes:
        changes: label of the data set -> one of CHANGES.
    """

    name: str
    current: Path | None
    prior: Path | None
    patient: str
    changes: Mapping[str, str]


def load(name: str, data: Path | None) -> list[LabelledPair]:
    """Pairs of a set in file order, but those of which nothing was judged.

    Args:
        name: "mscxrt".
        data: folder with its table and, anywhere below, the films of MIMIC-CXR.

    Raises:
        BadArguments: the table is not there, is another one, or says a word that is no change.
    """
    del name
    path = find(data, FILES, TITLE)
    pictures = Films(data if data is not None else path.parent)
    found = []
    for number, row in enumerate(read_table(path), 1):
        try:
            pair = _pair(row, pictures)
        except KeyError as error:
            raise BadArguments(
                f"{path.name}, row {number}: {error} is unknown.", f"Give {TITLE} as published."
            ) from error
        if pair.changes:
            found.append(pair)
    return found


def _pair(row: Mapping[str, Any], pictures: Films) -> LabelledPair:
    current, prior = str(row["dicom_id"]), str(row["previous_dicom_id"])
    said = {
        column.removesuffix(ENDING).replace("_", " "): str(value).strip().lower()
        for column, value in row.items()
        if column.endswith(ENDING) and str(value or "").strip()
    }
    return LabelledPair(
        name=f"{current} after {prior}",
        current=pictures.find(current),
        prior=pictures.find(prior),
        patient=str(row["subject_id"]),
        changes={label: WORDS[word] for label, word in said.items()},
    )

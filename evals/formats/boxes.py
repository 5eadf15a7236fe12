"""Grounding sets: films with labelled boxes, brought to (row_min, col_min, row_max, col_max) in the film's pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.formats.rows import Films, find, first, read_table
from imaging.failures import BadArguments

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class LabelledBox:
    """One box: what, where, on which film (None where it is absent), and in what its numbers are.

    Attributes:
        phrase: the sentence it goes with (MS-CXR), else the label.
        box: (row_min, col_min, row_max, col_max).
        unit: "pixel" of the original film, or "share" of its height and width.
    """

    name: str
    film: Path | None
    label: str
    phrase: str
    box: Box
    unit: str = "pixel"


Rows = Iterator[tuple[str, str, str, Box, str]]


@dataclass(frozen=True)
class Layout:
    """Where a grounding set keeps what; `read` gives (film, label, phrase, box, unit) of a row."""

    title: str
    files: tuple[str, ...]
    read: Callable[[Mapping[str, Any]], Rows]


def _corners(row: Mapping[str, Any], names: tuple[str, str, str, str]) -> Box | None:
    """From left, top, right, bottom; None for a row without a box."""
    told = [row.get(name) for name in names]
    if any(value in (None, "") for value in told):
        return None
    left, top, right, bottom = (float(str(value)) for value in told)
    return top, left, bottom, right


def _sized(left: Any, top: Any, width: Any, height: Any) -> Box:
    x, y, w, h = (float(str(value)) for value in (left, top, width, height))
    return y, x, y + h, x + w


def _vindr(row: Mapping[str, Any]) -> Rows:
    box = _corners(row, ("x_min", "y_min", "x_max", "y_max"))
    if box is not None:
        label = str(row["class_name"])
        yield str(row["image_id"]), label, label, box, "pixel"


def _chestxdet(row: Mapping[str, Any]) -> Rows:
    """`syms` and `boxes` of one film, boxes as left, top, right, bottom."""
    for label, (left, top, right, bottom) in zip(row["syms"], row["boxes"], strict=True):
        yield str(row["file_name"]), str(label), str(label), (top, left, bottom, right), "pixel"


def _mscxr(row: Mapping[str, Any]) -> Rows:
    name = first(row, ("path", "dicom_id"))
    box = _sized(*(row[key] for key in ("x", "y", "w", "h")))
    yield str(name), str(row["category_name"]), str(row["label_text"]), box, "pixel"


def _nih(row: Mapping[str, Any]) -> Rows:
    """The published list (its header is broken: "Bbox [x", "y", "w", "h]"), or this repository's table of shares."""
    if "nx" in row:
        yield from _shares("nih/", row)
        return
    box = _sized(*(row[key] for key in ("Bbox [x", "y", "w", "h]")))
    label = str(row["Finding Label"])
    yield str(row["Image Index"]), label, label, box, "pixel"


def _shares(folder: str, row: Mapping[str, Any]) -> Rows:
    """Rows of one set in this repository's table of boxes, which are shares of the film's height and width."""
    if str(row["file"]).startswith(folder):
        box = _sized(*(row[key] for key in ("nx", "ny", "nw", "nh")))
        yield str(row["file"]), str(row["label"]), str(row["label"]), box, "share"


LAYOUTS = {
    "vindrcxr-boxes": Layout(
        "VinDr-CXR boxes (Nguyen et al. 2022)",
        ("annotations/annotations_test.csv", "annotations_test.csv", "annotations_*.csv"),
        _vindr,
    ),
    "chestxdet": Layout(
        "ChestX-Det (Lian et al. 2021)",
        ("ChestX_Det_test.json", "ChestX_Det_test.json.gz", "ChestX_Det*.json*"),
        _chestxdet,
    ),
    "mscxr": Layout("MS-CXR (Boecking et al. 2022)", ("MS_CXR*.csv", "*.csv"), _mscxr),
    "nih-boxes": Layout(
        "ChestX-ray14 boxes (Wang et al. 2017)",
        ("BBox_List_2017.csv", "BBox_List_2017.csv.gz", "boxes.csv"),
        _nih,
    ),
    "jsrt-nodules": Layout(
        "JSRT's nodules as boxes (Shiraishi et al. 2000)",
        ("boxes.csv",),
        lambda row: _shares("jsrt/", row),
    ),
}


def load(name: str, data: Path | None) -> list[LabelledBox]:
    """Boxes of a set in file order.

    Args:
        name: a key of LAYOUTS.
        data: its folder.

    Raises:
        BadArguments: the table is not there or is another one, or a box has no area.
    """
    layout = LAYOUTS[name]
    path = find(data, layout.files, layout.title)
    root = data if data is not None else path.parent
    found: list[LabelledBox] = []
    pictures = Films(root)
    for number, row in enumerate(read_table(path), 1):
        try:
            told = list(layout.read(row))
        except (KeyError, ValueError) as error:
            raise BadArguments(f"{path.name}, row {number}: {error}.", f"Give {layout.title} as published.") from error
        for film, label, phrase, box, unit in told:
            if box[2] <= box[0] or box[3] <= box[1]:
                raise BadArguments(f"{path.name}, row {number}: the box {box} has no area.", "Correct the row.")
            found.append(LabelledBox(film, pictures.find(film), label, phrase, box, unit))
    return found

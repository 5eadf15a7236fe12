"""Segmentation sets: films with the masks of left lung, right lung and heart, as far as a set has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from evals.formats.rows import Films, find, first, read_table
from imaging.failures import BadArguments

Mask = npt.NDArray[np.bool_]
CHEXMASK_COLUMNS = {"Left Lung": "left_lung", "Right Lung": "right_lung", "Heart": "heart"}
BITS = {1: "left_lung", 2: "right_lung", 4: "heart", 8: "left_clavicle", 16: "right_clavicle"}
"""Bits of the JSRT/SCR mask pictures that tables of this project's neighbours use."""
ANY_LUNG = "lungs"
"""Name of a mask of both lungs together."""


@dataclass(frozen=True)
class MaskedFilm:
    """One film and its masks, read when asked for: structure -> bool [H, W] at the size the set keeps them."""

    name: str
    film: Path | None
    read: Callable[[], dict[str, Mask]]


def _jsrt(data: Path | None) -> list[MaskedFilm]:
    """SCR's folders (fold1/masks/left lung/JPCLN001.gif ...), or a table jsrt.csv with masks as bit fields."""
    if data is not None and (data / "jsrt.csv").is_file():
        pictures = Films(data)
        return [_of_bits(data, row, pictures) for row in read_table(data / "jsrt.csv")]
    first_mask = find(data, ("**/masks/heart/*.gif", "**/masks/heart/*.png"), "JSRT with SCR masks")
    root = data if data is not None else first_mask.parent
    hearts = sorted([*root.glob("**/masks/heart/*.gif"), *root.glob("**/masks/heart/*.png")])
    pictures = Films(root)
    return [_of_scr(heart, pictures) for heart in hearts]


def _of_bits(data: Path, row: Mapping[str, Any], pictures: Films) -> MaskedFilm:
    def read() -> dict[str, Mask]:
        values = np.asarray(Image.open(data / str(row["mask"])))
        return {name: (values & bit) > 0 for bit, name in BITS.items()}

    return MaskedFilm(str(row["id"]), pictures.find(str(row["file"])), read)


def _of_scr(heart: Path, pictures: Films) -> MaskedFilm:
    def read() -> dict[str, Mask]:
        folder = heart.parent.parent
        names = {path.name: path.name.replace(" ", "_") for path in folder.iterdir() if path.is_dir()}
        files = {name: folder / told / heart.name for told, name in names.items()}
        return {name: _picture(file) for name, file in files.items() if file.is_file()}

    return MaskedFilm(heart.stem, pictures.find(f"All247images/{heart.stem}"), read)


def _montgomery(data: Path | None) -> list[MaskedFilm]:
    """CXR_png/ with ManualMask/leftMask and rightMask, or a table tb.csv with one mask of both lungs."""
    if data is not None and (data / "tb.csv").is_file():
        return _of_table(data, "Montgomery")
    first_mask = find(data, ("**/ManualMask/leftMask/*.png",), "Montgomery with its masks")
    root = data if data is not None else first_mask.parent
    pictures = Films(root)
    return [_of_two(left, pictures) for left in sorted(root.glob("**/ManualMask/leftMask/*.png"))]


def _shenzhen(data: Path | None) -> list[MaskedFilm]:
    """CXR_png/ with mask/CHNCXR_0001_0_mask.png of both lungs (Candemir et al. 2014), or a table tb.csv."""
    if data is not None and (data / "tb.csv").is_file():
        return _of_table(data, "Shenzhen")
    first_mask = find(data, ("**/mask/CHNCXR_*_mask.png",), "Shenzhen with its masks")
    root = data if data is not None else first_mask.parent
    pictures = Films(root)
    names = {mask: mask.stem.removesuffix("_mask") for mask in sorted(root.glob("**/mask/CHNCXR_*_mask.png"))}
    return [_of_one(name, pictures.find(f"CXR_png/{name}.png"), mask) for mask, name in names.items()]


def _of_table(data: Path, source: str) -> list[MaskedFilm]:
    rows = [row for row in read_table(data / "tb.csv") if row["source"] == source and row["mask"]]
    pictures = Films(data)
    return [_of_one(str(row["id"]), pictures.find(str(row["file"])), data / str(row["mask"])) for row in rows]


def _of_one(name: str, film: Path | None, mask: Path) -> MaskedFilm:
    return MaskedFilm(name, film, lambda: {ANY_LUNG: _picture(mask)})


def _of_two(left: Path, pictures: Films) -> MaskedFilm:
    right = left.parent.parent / "rightMask" / left.name

    def read() -> dict[str, Mask]:
        return {"left_lung": _picture(left), "right_lung": _picture(right)}

    return MaskedFilm(left.stem, pictures.find(f"CXR_png/{left.name}"), read)


def _chexmask(data: Path | None) -> list[MaskedFilm]:
    """Run lengths per structure with Height and Width (Gaggion et al. 2024)."""
    path = find(data, ("*.csv", "*.csv.gz", "**/*Masks*.csv"), "CheXmask")
    root = data if data is not None else path.parent
    pictures = Films(root)
    return [_of_runs(row, pictures) for row in read_table(path)]


def _of_runs(row: Mapping[str, Any], pictures: Films) -> MaskedFilm:
    name = str(first(row, ("dicom_id", "image_id", "Image Index", "ImageID", "Path")))
    shape = int(float(str(row["Height"]))), int(float(str(row["Width"])))

    def read() -> dict[str, Mask]:
        told = {ours: str(row.get(theirs) or "") for theirs, ours in CHEXMASK_COLUMNS.items()}
        return {ours: decode_runs(runs, shape) for ours, runs in told.items() if runs}

    return MaskedFilm(name, pictures.find(name), read)


LOADERS = {"jsrt": _jsrt, "montgomery": _montgomery, "shenzhen": _shenzhen, "chexmask": _chexmask}
"""How each set is read."""


def load(name: str, data: Path | None) -> list[MaskedFilm]:
    """Films of a set in order of name.

    Args:
        name: a key of LOADERS.
        data: its folder.

    Raises:
        BadArguments: its files are not there.
    """
    return LOADERS[name](data)


def decode_runs(runs: str, shape: tuple[int, int]) -> Mask:
    """Pairs of start and length, counted from 0 along the rows, as CheXmask writes them, as bool [H, W].

    Raises:
        BadArguments: they do not fit the picture.
    """
    numbers = [int(part) for part in runs.split()]
    starts, lengths = numbers[::2], numbers[1::2]
    flat = np.zeros(shape[0] * shape[1], bool)
    if len(starts) != len(lengths) or any(s + n > flat.size for s, n in zip(starts, lengths, strict=False)):
        raise BadArguments(f"runs of {len(numbers)} numbers do not fit {shape[0]} x {shape[1]} pixels.")
    for start, length in zip(starts, lengths, strict=True):
        flat[start : start + length] = True
    return flat.reshape(shape)


def _picture(path: Path) -> Mask:
    return np.asarray(Image.open(path).convert("L")) > 127

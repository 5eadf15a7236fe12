"""Real films for the locator, and what their labels say of each class: nothing there, somewhere there, here, unknown.

JSRT, Montgomery and NIH. No NIH box is trained on: the patients of boxes.csv, and fold 0 of everything, are kept to
measure on; fold 1 to choose thresholds on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from rich.progress import track
from safetensors.torch import load_file

from models.locator import CLASSES, LESIONS, OBJECTS
from models.networks import SEGMENTER_SIDE, STRUCTURES, load_segmenter
from models.preprocess import FloatImage, Geometry, prepare
from models.recipes.data import NIH_LABELS, TEST_FOLD, VALIDATION_FOLD, read_grey, to_bytes
from models.recipes.lesion_phantoms import CANVAS

SEGMENTER = Path("models/embedded/embedded-segmenter.safetensors")
"""Outlines the lungs that lesions are pasted into."""


BOXED = -1
"""In place of the fold of a patient of boxes.csv's NIH films."""


class Says(IntEnum):
    """What a film's labels say of one class."""

    NOTHING = 0
    ABSENT = 1
    SOMEWHERE = 2
    HERE = 3


CLASS_OF_LABEL = {
    "Effusion": "effusion", "Pneumothorax": "pneumothorax", "Infiltration": "lung_opacity",
    "Consolidation": "lung_opacity", "Pneumonia": "lung_opacity", "Atelectasis": "atelectasis",
    "Nodule": "lung_lesion", "Mass": "lung_lesion",
    "Pleural_Thickening": "pleural_thickening", "Hernia": "hernia",
}  # fmt: skip

TRUSTED_ABSENT = ("effusion", "pneumothorax", "lung_lesion", "hernia", "retained_sponge", "retained_needle")
"""Classes taken as absent on a sick NIH film that is not labelled with them; of the others its labels say nothing."""

STANDING_WITHOUT = ("ett", "ng_tube", "chest_drain")
"""Devices taken as absent on a PA film of NIH without findings: such patients stand."""


@dataclass(frozen=True)
class RealFilms:
    """Films on the canvas.

    Attributes:
        files: names below the data folder.
        source: of each, "JSRT", "Montgomery", "NIH".
        patients: of each, unique across sources.
        folds: of each; BOXED for the patients of the NIH boxes, who are only measured on.
        squares: uint8 [N, CANVAS, CANVAS].
        says: int8 [N, 16], Says of each class.
        discs: float32 [N, 3], row, column and radius on the canvas of the one nodule that is drawn (JSRT); else NaN.
        lungs: uint8 [N, 2, CANVAS, CANVAS / 8], left and right lung as the embedded segmenter outlines them, packed.
        healthy: bool [N], no finding of any kind is labelled.
    """

    files: npt.NDArray[np.str_]
    source: npt.NDArray[np.str_]
    patients: npt.NDArray[np.str_]
    folds: npt.NDArray[np.int64]
    squares: npt.NDArray[np.uint8]
    says: npt.NDArray[np.int8]
    discs: npt.NDArray[np.float32]
    lungs: npt.NDArray[np.uint8]
    healthy: npt.NDArray[np.bool_]

    def chosen(self, rows: npt.NDArray[np.bool_]) -> RealFilms:
        """The films of bool [N]."""
        return RealFilms(**{item.name: getattr(self, item.name)[rows] for item in fields(RealFilms)})

    def training(self) -> RealFilms:
        """Folds that may be learnt from."""
        return self.chosen(~np.isin(self.folds, (BOXED, TEST_FOLD, VALIDATION_FOLD)))


@dataclass(frozen=True)
class _Row:
    """One film still to be read."""

    file: str
    source: str
    patient: str
    fold: int
    says: dict[str, Says]
    healthy: bool
    disc: tuple[float, float, float] | None = None  # column, row, diameter as shares of the film's width and height


def _jsrt(data: Path) -> Iterator[_Row]:
    """Films with one nodule, whose place is known, and films without; nothing else is on any of them."""
    boxes = pd.read_csv(data / "boxes.csv").query("label == 'Nodule'").set_index("file")
    for row in pd.read_csv(data / "jsrt.csv").itertuples():
        says = dict.fromkeys(CLASSES, Says.ABSENT)
        name, disc = str(row.file), None
        if name in boxes.index:
            box = boxes.loc[name]
            disc = (float(box.nx + box.nw / 2), float(box.ny + box.nh / 2), float(box.nw))
            says["lung_lesion"] = Says.HERE
        yield _Row(name, "JSRT", f"jsrt-{row.id}", int(str(row.fold)), says, disc is None, disc)


def _montgomery(data: Path) -> Iterator[_Row]:
    """Films without tuberculosis have nothing; of those with it only the devices are known to be absent."""
    for row in pd.read_csv(data / "tb.csv").query("source == 'Montgomery'").itertuples():
        sick = int(str(row.tuberculosis)) == 1
        says = dict.fromkeys(OBJECTS if sick else CLASSES, Says.ABSENT)
        yield _Row(str(row.file), "Montgomery", f"tb-{row.id}", int(str(row.fold)), says, not sick)


def _nih(data: Path) -> Iterator[_Row]:
    """Text-mined labels: see TRUSTED_ABSENT and STANDING_WITHOUT."""
    boxes = pd.read_csv(data / "boxes.csv")
    table = pd.read_csv(data / "nih.csv")
    measured = set(table[table.file.isin(boxes.file)].patient_id)
    for row in table.to_dict("records"):
        found = {label for label in NIH_LABELS if row[label]}
        says = dict.fromkeys(
            (*LESIONS, "retained_sponge", "retained_needle") if not found else TRUSTED_ABSENT, Says.ABSENT
        )
        if not found and row["view"] == "PA":
            says |= dict.fromkeys(STANDING_WITHOUT, Says.ABSENT)
        says |= {CLASS_OF_LABEL[label]: Says.SOMEWHERE for label in found if label in CLASS_OF_LABEL}
        fold = BOXED if row["patient_id"] in measured else int(row["fold"])
        yield _Row(str(row["file"]), "NIH", f"nih-{row['patient_id']}", fold, says, not found)


def _canvas_disc(row: _Row, geometry: Geometry) -> tuple[float, float, float]:
    if row.disc is None:
        return (np.nan, np.nan, np.nan)
    column, line, size = row.disc
    scale = geometry.placed.width / geometry.region.width
    across = (column * geometry.film_width - geometry.region.left) * scale + geometry.placed.left
    down = (line * geometry.film_height - geometry.region.top) * scale + geometry.placed.top
    return (down, across, size * geometry.film_width * scale / 2)


def lung_finder(threshold: float = 0.5) -> Callable[[FloatImage], npt.NDArray[np.bool_]]:
    """A function of pixels that gives both lungs on the canvas, bool [2, CANVAS, CANVAS]."""
    network = load_segmenter(load_file(SEGMENTER))
    lungs = [STRUCTURES.index(name) for name in ("left_lung", "right_lung")]

    def find(pixels: FloatImage) -> npt.NDArray[np.bool_]:
        square, _ = prepare(pixels, SEGMENTER_SIDE)
        with torch.inference_mode():
            maps = torch.sigmoid(network.halved(square)[:, lungs])
            grown = torch.nn.functional.interpolate(maps, size=(CANVAS, CANVAS), mode="bilinear")[0]
        return np.asarray(grown.numpy() > threshold)

    return find


def real_films(data: Path, cache: Path) -> RealFilms:
    """Every real film, read from the cache folder when it is there."""
    stored = cache / "real_films.npz"
    if not stored.exists():
        cache.mkdir(parents=True, exist_ok=True)
        held = _read([*_jsrt(data), *_montgomery(data), *_nih(data)], data)
        np.savez_compressed(stored, allow_pickle=False, **held)
    with np.load(stored) as held:
        return RealFilms(**{item.name: held[item.name] for item in fields(RealFilms)})


def finer_squares(films: RealFilms, data: Path, cache: Path, side: int) -> npt.NDArray[np.uint8]:
    """The squares of films at another size, uint8 [N, side, side], read from the cache folder when they are there."""
    stored = cache / f"real_squares_{side}.npz"
    if not stored.exists():
        shown = track(films.files, description=f"real films at {side} px")
        squares = [to_bytes(prepare(read_grey(data / name), side)[0])[0, 0].numpy() for name in shown]
        np.savez(stored, allow_pickle=False, files=films.files, squares=np.stack(squares))
    with np.load(stored) as held:
        places = {name: row for row, name in enumerate(held["files"].tolist())}
        finer: npt.NDArray[np.uint8] = held["squares"][[places[name] for name in films.files.tolist()]]
    return finer


def _read(rows: list[_Row], data: Path) -> dict[str, npt.NDArray[Any]]:
    squares, lungs, discs = [], [], []
    find = lung_finder()
    for row in track(rows, description="real films"):
        pixels = read_grey(data / row.file)
        square, geometry = prepare(pixels, CANVAS)
        squares.append(to_bytes(square)[0, 0].numpy())
        lungs.append(np.packbits(find(pixels), axis=-1))
        discs.append(_canvas_disc(row, geometry))
    says = [[row.says.get(code, Says.NOTHING) for code in CLASSES] for row in rows]
    return {
        "files": np.array([row.file for row in rows]),
        "source": np.array([row.source for row in rows]),
        "patients": np.array([row.patient for row in rows]),
        "folds": np.array([row.fold for row in rows]),
        "squares": np.stack(squares),
        "says": np.array(says, dtype=np.int8),
        "discs": np.array(discs, dtype=np.float32),
        "lungs": np.stack(lungs),
        "healthy": np.array([row.healthy for row in rows]),
    }

"""Reading the project's chest films and their labels for the recipes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from PIL import Image
from scipy import ndimage

from models.networks import DRAWN_BY_HAND, STRUCTURES
from models.preprocess import INPUT_MEAN, INPUT_SCALE, FloatImage, Geometry, prepare

SCR_BITS = (1, 2, 4, 8, 16)
"""Bits of the JSRT/SCR mask files, in the order of the structures drawn by hand (data README)."""

FOLDS = 5
"""Patient-wise folds given with the data."""

TEST_FOLD = 0
"""Never looked at while choosing anything for the segmenter."""

VALIDATION_FOLD = 1
"""The fold the segmenter's choices were made on."""

NIH_LABELS = (
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax",
    "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia",
)  # fmt: skip
"""Columns of nih.csv, in the order of FINDINGS."""


@dataclass(frozen=True)
class MaskedFilm:
    """A film with the outlines that a human drew; `known` marks which structures were drawn at all."""

    dataset: str
    name: str
    fold: int
    pixels: FloatImage
    masks: npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class LabelledFilms:
    """The NIH sample: one row per film; `reference` is NaN where CheXNet's prediction was not published."""

    files: list[str]
    patients: npt.NDArray[np.int64]
    folds: npt.NDArray[np.int64]
    labels: npt.NDArray[np.float32]
    reference: npt.NDArray[np.float32]


def read_grey(path: Path) -> FloatImage:
    """Pixels float32 [H, W] in [0, 1], 1 = dense, which is how every film of these sets is stored."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=np.float32) / 255.0


def jsrt_films(data: Path) -> Iterator[MaskedFilm]:
    """JSRT films with the five SCR structures."""
    for row in pd.read_csv(data / "jsrt.csv").itertuples():
        with Image.open(data / str(row.mask)) as image:
            bits = np.asarray(image, dtype=np.uint8)
        masks = np.zeros((len(STRUCTURES), *bits.shape), dtype=np.bool_)
        masks[:DRAWN_BY_HAND] = [(bits & bit) > 0 for bit in SCR_BITS]
        known = np.arange(len(STRUCTURES)) < DRAWN_BY_HAND
        yield MaskedFilm("JSRT", str(row.id), int(str(row.fold)), read_grey(data / str(row.file)), masks, known)


def tuberculosis_films(data: Path, source: str) -> Iterator[MaskedFilm]:
    """Montgomery or Shenzhen films, whose lung mask is split into sides by position."""
    table = pd.read_csv(data / "tb.csv")
    for row in table[table.source == source].itertuples():
        with Image.open(data / str(row.mask)) as image:
            lungs = np.asarray(image.convert("L")) > 0
        masks = np.zeros((len(STRUCTURES), *lungs.shape), dtype=np.bool_)
        masks[0], masks[1] = split_lungs(lungs)
        known = np.array([name.endswith("lung") for name in STRUCTURES])
        yield MaskedFilm(source, str(row.id), int(str(row.fold)), read_grey(data / str(row.file)), masks, known)


def split_lungs(lungs: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Patient's left and right lung from one mask: components fall to the side of the midline their centre is on.

    The midline lies halfway between the centres of the two largest components (or is the mask's centre column).
    """
    labels, count = ndimage.label(lungs)
    if count == 0:
        return np.zeros_like(lungs), np.zeros_like(lungs)
    sizes = np.bincount(labels.ravel())[1:]
    columns = np.array([centre[1] for centre in ndimage.center_of_mass(lungs, labels, range(1, count + 1))])
    main = np.argsort(sizes)[::-1][:2]
    if count == 1:
        middle = round(float(columns[0]))
        left = lungs.copy()
        left[:, :middle] = False
        return left, lungs & ~left
    midline = float(columns[main].mean())
    left = np.isin(labels, 1 + np.flatnonzero(columns > midline))
    return left, lungs & ~left


def nih_films(data: Path) -> LabelledFilms:
    """The NIH sample's labels, patients and folds, and CheXNet's published predictions."""
    table = pd.read_csv(data / "nih.csv")
    return LabelledFilms(
        files=[str(name) for name in table["file"]],
        patients=table["patient_id"].to_numpy(np.int64),
        folds=table["fold"].to_numpy(np.int64),
        labels=table[list(NIH_LABELS)].to_numpy(np.float32),
        reference=table[[f"prob_{name}" for name in NIH_LABELS]].to_numpy(np.float32),
    )


def to_bytes(square: torch.Tensor) -> torch.Tensor:
    """A prepared square kept as uint8, to hold thousands of films in memory."""
    return ((square * INPUT_SCALE + INPUT_MEAN) * 255.0).round().clamp(0, 255).to(torch.uint8)


def from_bytes(squares: torch.Tensor) -> torch.Tensor:
    """Grey levels float32 in [0, 1] of squares kept as uint8."""
    return squares.float() / 255.0


def normalised(grey: torch.Tensor) -> torch.Tensor:
    """The network's input range from grey levels in [0, 1]."""
    return (grey - INPUT_MEAN) / INPUT_SCALE


def square_masked(films: Iterable[MaskedFilm], side: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Masked films on squares: grey uint8 [N, 1, s, s], masks uint8 [N, 12, s, s], and known bool [N, 12]."""
    squares, masks, known = [], [], []
    for film in films:
        square, geometry = prepare(film.pixels, side)
        squares.append(to_bytes(square))
        masks.append(_placed(film.masks, geometry))
        known.append(torch.from_numpy(film.known))
    return torch.cat(squares), torch.stack(masks), torch.stack(known)


def _placed(masks: npt.NDArray[np.bool_], geometry: Geometry) -> torch.Tensor:
    """Masks [12, H, W] of a film on the network's square: uint8 [12, side, side]."""
    region, placed = geometry.region, geometry.placed
    canvas = torch.zeros(len(masks), geometry.side, geometry.side, dtype=torch.uint8)
    drawn = np.flatnonzero(masks.any(axis=(1, 2)))
    if drawn.size:
        inner = torch.from_numpy(masks[drawn, region.top : region.bottom, region.left : region.right])[None].float()
        size = (placed.height, placed.width)
        resized = torch.nn.functional.interpolate(inner, size=size, mode="bilinear", antialias=True)
        filled = (resized[0] * 255).round().to(torch.uint8)
        canvas[drawn, placed.top : placed.bottom, placed.left : placed.right] = filled
    return canvas

"""Every picture the quality network learns or is measured on, with its truth and its kind, on the network's square."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from rich.progress import track

from models.preprocess import prepare
from models.quality import EDGES, QUALITY_SIDE
from models.recipes.data import to_bytes
from models.recipes.quality_drawn import DRAWN
from models.recipes.quality_films import Change, Film, Truth, change, draw_change, draw_piece, soil
from models.recipes.quality_radiographs import PARTS, radiograph_of, slice_of_body

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

COLUMNS = ("chest", "pose", "inverted", "view", *(f"cut_{edge}" for edge in EDGES))
"""Columns of a truth table; NaN where nothing is known."""

PIECES_EVERY = 3
"""One film in so many also gives a piece of itself that is no chest film."""


@dataclass(frozen=True)
class Pictures:
    """Squares uint8 [N, 1, 160, 160], their truth float32 [N, 8] in the order of COLUMNS, kinds and sources."""

    squares: torch.Tensor
    truth: Floats
    kinds: list[str]
    names: list[str]


def columns(truth: Truth) -> list[float]:
    """A truth as one row of COLUMNS."""
    pose = float(truth.pose) if truth.pose >= 0 else float("nan")
    view = float(truth.view) if truth.view >= 0 else float("nan")
    return [truth.chest, pose, truth.inverted, view, *truth.cut]


def on_square(picture: Bytes) -> torch.Tensor:
    """A picture uint8 [H, W] on the network's square: uint8 [1, 1, 160, 160]."""
    return to_bytes(prepare(picture.astype(np.float32) / 255.0, QUALITY_SIDE)[0])


def gather(items: Iterator[tuple[Bytes, Truth, str, str]], label: str) -> Pictures:
    """Items (picture, truth, kind, name) placed on squares; `label` is shown while it lasts."""
    squares, rows, kinds, names = [], [], [], []
    for picture, truth, kind, name in track(items, total=None, description=label):
        squares.append(on_square(picture))
        rows.append(columns(truth))
        kinds.append(kind)
        names.append(name)
    return Pictures(torch.cat(squares), np.asarray(rows, dtype=np.float32), kinds, names)


def drawn_from_films(films: Sequence[Film], draws: int, seed: int) -> Iterator[tuple[Bytes, Truth, str, str]]:
    """Each film `draws` times in random poses, windows and tones, and pieces of some as negatives."""
    rng = np.random.default_rng(seed)
    for index, film in enumerate(films):
        for _ in range(draws):
            picture, truth = change(film, draw_change(rng))
            if min(picture.shape) > 32:
                yield soil(picture, rng), truth, film.dataset, film.name
        if index % PIECES_EVERY == 0:
            picture, truth = change(film, draw_piece(rng))
            if truth.chest == 0.0 and min(picture.shape) > 24:
                yield soil(picture, rng), truth, "piece of a film", film.name


def posed(films: Sequence[Film], poses: Sequence[Change]) -> Iterator[tuple[Bytes, Truth, str, str]]:
    """Each film in each of the given poses, otherwise untouched."""
    for film in films:
        for pose in poses:
            picture, truth = change(film, pose)
            yield picture, truth, film.dataset, film.name


def drawn_negatives(kinds: Sequence[str], count: int, seed: int) -> Iterator[tuple[Bytes, Truth, str, str]]:
    """`count` generated pictures of each kind: of DRAWN, "slice", or "radiograph: PART"."""
    rng = np.random.default_rng(seed)
    makers: dict[str, Callable[[np.random.Generator], Floats]] = {**DRAWN, "slice": slice_of_body}
    for kind in kinds:
        part = kind.removeprefix("radiograph: ")
        for number in range(count):
            made = radiograph_of(part, rng) if part != kind else makers[kind](rng)
            yield (made * 255).astype(np.uint8), Truth(0.0), kind, f"{kind} {number}"


def generated_kinds() -> list[str]:
    """Every kind that `drawn_negatives` can make."""
    return [*DRAWN, "slice", *(f"radiograph: {part}" for part in PARTS)]


def folder_negatives(folder: Path, draws: int, seed: int) -> Iterator[tuple[Bytes, Truth, str, str]]:
    """Pictures of FOLDER/KIND/*, each `draws` times: first as it is, then cropped, turned and toned at random."""
    rng = np.random.default_rng(seed)
    for path in sorted(folder.glob("*/*.png")):
        with Image.open(path) as image:
            grey = np.asarray(image.convert("L"), dtype=np.uint8)
        for draw in range(draws):
            shown = grey if draw == 0 else soil(_cropped(grey, rng), rng)
            yield shown, Truth(0.0), path.parent.name, path.name


def _cropped(grey: Bytes, rng: np.random.Generator) -> Bytes:
    """A random window of at least half of each side, perhaps turned or inverted."""
    height, width = grey.shape
    tall, wide = int(height * rng.uniform(0.5, 1)), int(width * rng.uniform(0.5, 1))
    top, left = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
    window = np.rot90(grey[top : top + tall, left : left + wide], int(rng.choice([0, 0, 0, 1, 2, 3])))
    return np.ascontiguousarray(255 - window if rng.random() < 0.2 else window)

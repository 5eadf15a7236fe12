"""Teaches the classifier's late stages chest films, none of them NIH's: synthetic findings with their
places, and the few openly licensed real films whose labels may shape shipped weights.

Targets are image labels and, where known, the cells in which a finding lies. What a film's source does not say is left
out of the loss. Heads used here are thrown away; the late stages are kept.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from rich.progress import track
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from models.networks import BANDS, CLASSIFIER_SIDE, FINDINGS, FIRST_LEVEL, LEVEL_CHANNELS, Classifier, load_classifier
from models.preprocess import prepare
from models.recipes.augment import Strength, change_tone, random_grid, sample
from models.recipes.cards import halved
from models.recipes.data import from_bytes, normalised, read_grey, to_bytes
from models.recipes.findings_phantoms import GRID, FindingsPhantoms, make_sets, shares
from models.recipes.initialise import initialised_classifier
from models.recipes.phantoms import SEGMENTER_SEED, TRAINING_SEED, Phantoms, make_phantoms

OUTPUTS = (*FINDINGS, "tuberculosis")
"""What is taught: the fourteen findings (pneumonia from real films only) and tuberculosis."""

KERMANY_FILMS = 300
"""Children's films used, half with pneumonia: more would only teach that children are small."""

PHANTOM_SETS = ((4_000_000, 40), (4_020_000, 20), (4_000_260, 40))
"""First seeds and counts of the synthetic films with all findings; each is seen twice an epoch."""

SIMPLE_SETS = ((TRAINING_SEED, 280), (SEGMENTER_SEED, 60))
"""The same of the older draws with six findings (models.recipes.phantoms), whose places are not used."""

EPOCHS = 2
BATCH = 16
RATE = 5e-4
WARM_UP = 30
WEIGHT_DECAY = 1e-2
CELL_WEIGHT = 2.0
SHARPNESS = 5.0
"""Of the log-sum-exp that pools cells into a film's logit (between mean and maximum; Pinheiro & Collobert 2015)."""

STRENGTH = Strength(
    rotation=6, zoom_low=0.92, zoom_high=1.15, stretch=0.08, shift=0.03, gamma=0.25, contrast=0.15, noise=0.02,
    blur_chance=0.1, frame_chance=0.0, disease_chance=0.0,
)  # fmt: skip


@dataclass(frozen=True)
class Lessons:
    """Films and what is known of them.

    Attributes:
        squares: uint8 [N, 1, CLASSIFIER_SIDE, CLASSIFIER_SIDE], prepared films.
        labels, known: float32 [N, 15], in the order of OUTPUTS; a label counts where known is 1.
        regions: float32 [N, 15, GRID, GRID], share of each cell in the region of the finding.
        placed: float32 [N, 15], 1 where the regions are known.
    """

    squares: torch.Tensor
    labels: torch.Tensor
    known: torch.Tensor
    regions: torch.Tensor
    placed: torch.Tensor


def joined(parts: Sequence[Lessons]) -> Lessons:
    """All films of several sets."""
    return Lessons(*(torch.cat([getattr(part, name) for part in parts]) for name in Lessons.__annotations__))


def phantom_lessons(phantoms: FindingsPhantoms) -> Lessons:
    """Synthetic films: everything is known but pneumonia, which is a diagnosis, and tuberculosis."""
    count = len(phantoms.labels)
    labels, regions = torch.zeros(count, len(OUTPUTS)), torch.zeros(count, len(OUTPUTS), GRID, GRID)
    labels[:, : len(FINDINGS)], regions[:, : len(FINDINGS)] = phantoms.labels, phantoms.regions
    known = torch.ones(count, len(OUTPUTS))
    known[:, [OUTPUTS.index("pneumonia"), OUTPUTS.index("tuberculosis")]] = 0
    return Lessons(phantoms.squares, labels, known, regions, known.clone())


def simple_lessons(phantoms: Phantoms) -> Lessons:
    """Synthetic films of the older draws: where a finding is absent is known, where a present one lies is not used."""
    films = (pixels.astype(np.float32) / 255.0 for pixels in phantoms.pixels)
    squares = torch.cat([to_bytes(prepare(film, CLASSIFIER_SIDE)[0]) for film in films])
    labels = torch.from_numpy(phantoms.labels).float()
    nowhere = torch.zeros(*labels.shape, GRID, GRID)
    told = phantom_lessons(FindingsPhantoms(squares, labels, nowhere, torch.zeros(labels.shape)))
    return Lessons(told.squares, told.labels, told.known, told.regions, told.known * (1 - told.labels))


def all_lessons(data: Path, cache: Path | None) -> Lessons:
    """Every film to learn from: the real ones of the data folder, and the synthetic ones."""
    drawn = phantom_lessons(make_sets(PHANTOM_SETS, cache))
    simple = [simple_lessons(make_phantoms(first, count, cache)) for first, count in SIMPLE_SETS]
    return joined([jsrt_lessons(data), montgomery_lessons(data), kermany_lessons(data), drawn, drawn, *simple])


def _real(rows: pd.DataFrame, data: Path, code: str, truth: npt.NDArray[np.bool_], clear_of_all: bool) -> Lessons:
    """Real films of which `truth` [N] says whether `code` is there; when it is not, `clear_of_all` says nothing is."""
    count, column = len(rows), OUTPUTS.index(code)
    labels, known = torch.zeros(count, len(OUTPUTS)), torch.zeros(count, len(OUTPUTS))
    labels[:, column], known[:, column] = torch.from_numpy(truth).float(), 1
    if clear_of_all:
        known[~torch.from_numpy(truth)] = 1
    placed = known * (1 - labels)
    squares, cells = [], torch.zeros(count, len(OUTPUTS), GRID, GRID)
    for row, film in enumerate(rows.itertuples()):
        pixels = read_grey(data / str(film.file))
        square, geometry = prepare(pixels, CLASSIFIER_SIDE)
        squares.append(to_bytes(square))
        box: Any = getattr(film, "box", None)
        if box is not None and truth[row]:
            mask = np.zeros((1, *pixels.shape), dtype=np.bool_)
            top, left, bottom, right = (round(share * pixels.shape[axis % 2]) for axis, share in enumerate(box))
            mask[0, top:bottom, left:right] = True
            cells[row, column] = torch.from_numpy(shares(mask, geometry)[0]).float() / 255.0
            placed[row, column] = 1
    return Lessons(torch.cat(squares), labels, known, cells, placed)


def jsrt_lessons(data: Path) -> Lessons:
    """JSRT: films with one nodule, whose place is known, and films without."""
    rows = pd.read_csv(data / "jsrt.csv")
    boxes = pd.read_csv(data / "boxes.csv").query("label == 'Nodule'").set_index("file")
    corners = boxes.assign(bottom=boxes.ny + boxes.nh, right=boxes.nx + boxes.nw)[["ny", "nx", "bottom", "right"]]
    rows["box"] = [tuple(corners.loc[name]) if name in corners.index else None for name in rows.file]
    return _real(rows, data, "nodule", rows.box.notna().to_numpy(), clear_of_all=True)


def montgomery_lessons(data: Path) -> Lessons:
    """Montgomery: tuberculosis or normal."""
    rows = pd.read_csv(data / "tb.csv").query("source == 'Montgomery'")
    return _real(rows, data, "tuberculosis", rows.tuberculosis.to_numpy() == 1, clear_of_all=True)


def kermany_lessons(data: Path, films: int = KERMANY_FILMS) -> Lessons:
    """Kermany: so many children, half with pneumonia and half without."""
    rows = pd.read_csv(data / "kermany.csv")
    sick = rows.label == "PNEUMONIA"
    half = films // 2
    rows = pd.concat([rows[sick].head(half), rows[~sick].head(half)])
    return _real(rows, data, "pneumonia", (rows.label == "PNEUMONIA").to_numpy(), clear_of_all=False)


class Heads(nn.Module):
    """A logit per cell from the four levels, and a logit per film from their averages over bands."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.Conv2d(sum(LEVEL_CHANNELS), len(OUTPUTS), 1)
        self.film = nn.Linear(BANDS * sum(LEVEL_CHANNELS), len(OUTPUTS))
        for layer in (self.cells, self.film):
            nn.init.zeros_(layer.weight)
            if layer.bias is not None:
                nn.init.constant_(layer.bias, -2.5)

    def forward(self, levels: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Cell logits [N, 15, GRID, GRID] and film logits [N, 15] of four level maps."""
        grown = [functional.interpolate(level, size=(GRID, GRID), mode="nearest") for level in levels]
        pooled = [functional.adaptive_avg_pool2d(level, (BANDS, 1)).flatten(1) for level in levels]
        return self.cells(torch.cat(grown, dim=1)), self.film(torch.cat(pooled, dim=1))


def loss_of(cells: torch.Tensor, films: torch.Tensor, lessons: Lessons) -> torch.Tensor:
    """Cross-entropy of films (twice: averaged features, pooled cells) and cells, over what is known."""
    area = math.log(GRID * GRID)
    pooled = (torch.logsumexp(SHARPNESS * cells.flatten(2), dim=2) - area) / SHARPNESS

    def entropy(logits: torch.Tensor) -> torch.Tensor:
        each = functional.binary_cross_entropy_with_logits(logits, lessons.labels, reduction="none")
        return (each * lessons.known).sum() / lessons.known.sum()

    each = functional.binary_cross_entropy_with_logits(cells, lessons.regions, reduction="none").mean(dim=(2, 3))
    return entropy(films) + entropy(pooled) + CELL_WEIGHT * (each * lessons.placed).sum() / lessons.placed.sum()


def early(network: Classifier, squares: torch.Tensor) -> torch.Tensor:
    """The first level's maps, which are never trained: [N, 80, GRID, GRID]."""
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        maps = network.stem(normalised(squares).contiguous(memory_format=torch.channels_last))
        for stage in network.stages[: FIRST_LEVEL + 1]:
            maps = stage(maps)
    return maps.float()


def late(network: Classifier, maps: torch.Tensor) -> list[torch.Tensor]:
    """The first level and the three that the trained stages make of it."""
    levels = [maps.contiguous(memory_format=torch.channels_last)]
    for stage in network.stages[FIRST_LEVEL + 1 :]:
        levels.append(stage(levels[-1]))
    return levels


def changed(lessons: Lessons, rows: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, Lessons]:
    """Some films, moved and toned at random, and their lessons moved with them: grey [n, 1, side, side] in [0, 1]."""
    grid = random_grid(len(rows), CLASSIFIER_SIDE, STRENGTH, generator)
    grey = change_tone(sample(from_bytes(lessons.squares[rows]), grid), STRENGTH, generator)
    coarse = functional.interpolate(grid.movedim(-1, 1), size=(GRID, GRID), mode="bilinear", antialias=True)
    moved = sample(lessons.regions[rows], coarse.movedim(1, -1))
    return grey, Lessons(
        lessons.squares[rows], lessons.labels[rows], lessons.known[rows], moved.clamp(0, 1), lessons.placed[rows]
    )


def pretrained(lessons: Lessons, epochs: int = EPOCHS, seed: int = 7) -> Classifier:
    """The classifier on ImageNet's weights, its late stages trained on the lessons from there."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network: Classifier = initialised_classifier().to(memory_format=torch.channels_last).eval()
    network.requires_grad_(False)
    heads = Heads()
    trained = network.stages[FIRST_LEVEL + 1 :]
    trained.train().requires_grad_(True)
    optimiser = torch.optim.AdamW([*trained.parameters(), *heads.parameters()], lr=RATE, weight_decay=WEIGHT_DECAY)
    steps = epochs * (len(lessons.labels) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))
    )
    for epoch in range(epochs):
        order = torch.randperm(len(lessons.labels), generator=generator)
        for first in track(range(0, len(order) - BATCH + 1, BATCH), description=f"pretraining {epoch + 1}/{epochs}"):
            grey, batch = changed(lessons, order[first : first + BATCH], generator)
            cells, whole = heads(late(network, early(network, grey)))
            loss = loss_of(cells, whole, batch)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return network.eval().requires_grad_(False)


def chest_network(data: Path, cache: Path | None) -> Classifier:
    """The pretrained classifier in evaluation mode, as it is stored (half precision), its head still to be fitted.

    The cache folder keeps its weights, as they take the longest.
    """
    stored = cache / "pretrained.safetensors" if cache else None
    if stored and stored.exists():
        return load_classifier(load_file(stored))
    state = halved(pretrained(all_lessons(data, cache)))
    if stored:
        save_file(state, stored)
    return load_classifier(state)

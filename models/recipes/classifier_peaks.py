"""Teaches the classifier's branch of peaks: which finding lies in which cell, on maps of a trunk that stays as it is.

Its films are those of models.recipes.pretraining's sources that are no NIH films: synthetic ones with the places of
their findings, and the few openly licensed real ones. So the folds of the NIH films stay unseen by it.
"""

from __future__ import annotations

from pathlib import Path

import torch
from rich.progress import track
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from models.networks import FINDINGS, Classifier, Peaks, filled, peak_of
from models.recipes.cards import halved
from models.recipes.classifier_words import CORRECTION_SETS
from models.recipes.data import from_bytes, normalised
from models.recipes.findings_phantoms import make_sets
from models.recipes.pretraining import (
    Lessons,
    joined,
    jsrt_lessons,
    kermany_lessons,
    montgomery_lessons,
    phantom_lessons,
)
from models.recipes.rates import descend, share_of_rate

KERMANY_FILMS = 200
EPOCHS = 8
BATCH = 32
RATE = 2e-3
WEIGHT_DECAY = 3e-2
WARM_UP = 0.1
SEED = 7
POSITIVE_FILM, POSITIVE_CELL = 3.0, 4.0
"""Weight of a film or cell with a finding: they are the fewer ones."""

CELL_WEIGHT = 2.0
REAL_WEIGHT = 0.5
"""A real film counts half, as it tells of one finding where a synthetic one tells of all."""

HALF = 0.5
JITTER = 0.08
"""Deviation of the factor by which a channel's map is changed at random."""

Maps = list[torch.Tensor]


def levels_of(network: Classifier, squares: torch.Tensor) -> Maps:
    """The four levels' maps of stored squares uint8 [N, 1, side, side], in half precision."""
    parts = []
    for some in track(squares.split(BATCH), description="maps"):
        with torch.inference_mode():
            grey = normalised(from_bytes(some)).contiguous(memory_format=torch.channels_last)
            parts.append([level.half().contiguous() for level in network.levels(grey)])
    return [torch.cat(level) for level in zip(*parts, strict=True)]


def loss_of(cells: torch.Tensor, lessons: Lessons, weights: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of films (by their peaks) and of cells, over what is known; `weights` [N, 1] of the films."""
    number = len(FINDINGS)
    known, placed = lessons.known[:, :number] * weights, lessons.placed[:, :number] * weights
    films = functional.binary_cross_entropy_with_logits(
        peak_of(cells), lessons.labels[:, :number], reduction="none", pos_weight=torch.tensor(POSITIVE_FILM)
    )
    each = functional.binary_cross_entropy_with_logits(
        cells, lessons.regions[:, :number], reduction="none", pos_weight=torch.tensor(POSITIVE_CELL)
    ).mean(dim=(2, 3))
    return (films * known).sum() / known.sum() + CELL_WEIGHT * (each * placed).sum() / placed.sum()


def taught(maps: Maps, lessons: Lessons, weights: torch.Tensor) -> Peaks:
    """The branch after EPOCHS over films of which the maps and the truth are given, mirrored at random."""
    torch.manual_seed(SEED)
    branch = Peaks()
    nn.init.constant_(branch.told.bias, -2.5)  # type: ignore[arg-type]
    optimiser = torch.optim.AdamW(branch.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    steps = EPOCHS * (len(weights) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: share_of_rate(step, steps, WARM_UP))
    for epoch in range(EPOCHS):
        order = torch.randperm(len(weights))
        for first in track(range(0, len(order) - BATCH + 1, BATCH), description=f"peaks {epoch + 1}/{EPOCHS}"):
            rows = order[first : first + BATCH]
            some = Lessons(*(getattr(lessons, name)[rows] for name in Lessons.__annotations__))
            seen = [level[rows].float() for level in maps]
            seen = [level * (1 + JITTER * torch.randn(*level.shape[:2], 1, 1)) for level in seen]
            mirrored = torch.rand(()) < HALF
            cells = branch([level.flip(-1) for level in seen]).flip(-1) if mirrored else branch(seen)
            descend(loss_of(cells, some, weights[rows, None]), branch.parameters(), optimiser, schedule)
    return branch.eval().requires_grad_(False)


def with_peaks(network: Classifier, data: Path, cache: Path | None) -> Classifier:
    """The classifier with its branch taught, or as the cache folder keeps it; rounded as it is stored."""
    stored = cache / "peaks.safetensors" if cache else None
    if stored and stored.exists():
        state = load_file(stored)
    else:
        drawn = phantom_lessons(make_sets(CORRECTION_SETS, cache))
        real = [jsrt_lessons(data), montgomery_lessons(data), kermany_lessons(data, KERMANY_FILMS)]
        lessons = joined([drawn, *real])
        weights = torch.full((len(lessons.labels),), REAL_WEIGHT)
        weights[: len(drawn.labels)] = 1.0
        branch = taught(levels_of(network, lessons.squares), lessons, weights)
        state = halved(branch)
        if stored:
            save_file(state, stored)
    filled(network.peaks, state)
    return network

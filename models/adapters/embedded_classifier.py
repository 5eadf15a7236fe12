"""Hilum's embedded classifier of fourteen findings: calibrated probabilities, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from imaging.failures import BadArguments
from imaging.radiograph import Radiograph
from models.adapters.embedded import demand, on_squares, read_network
from models.attribution import Tapped, asked, saliency
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference
from models.networks import FINDINGS, LEVEL_CHANNELS, Classifier, load_classifier, peak_of
from models.outputs import Heatmaps, Output, Scores, Task
from models.preprocess import Geometry, prepare
from models.request import Request

SIDE_BY_SIDE = True

OPACITY = "lung_opacity"
OPACITIES = [FINDINGS.index(code) for code in ("consolidation", "infiltration", "mass")]
"""A heatmap of its own: where the branch of peaks sees what makes lung denser, whatever it is called."""

HEATMAP_SIDE = 32
"""Cells of a heatmap along the longer side of its region; the network's own maps are coarser."""


@dataclass(frozen=True)
class EmbeddedClassifier:
    """The loaded classifier.

    Attributes:
        slope, intercept: Platt calibration per finding, float32 [14], from the card.
        side: of the square the network sees, pixels.
    """

    card: ModelCard
    network: Classifier
    slope: torch.Tensor
    intercept: torch.Tensor
    side: int
    device: str

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """Calibrated probabilities (classify) or heatmaps (ground) of each film, in order, from one batch.

        A heatmap's cells are on the scale of the probabilities: before the last sigmoid, the network's cells average to
        the film's calibrated logit. Between cells they compare; one cell alone is no probability of anything. A further
        heatmap, OPACITY, is of the branch's own cells, uncalibrated.
        """
        squares, geometries = on_squares(films, self.side, self.device)
        with inference(self.device), torch.device(self.device):  # forward_with_cam makes tensors on the default device
            if task is Task.CLASSIFY:
                return [Scores(FINDINGS, row) for row in self._calibrated(self.network(squares))]
            logits, maps, seen = self.network.forward_with_cam(squares)
        opacity = seen.float().cpu()[:, OPACITIES].mean(dim=1, keepdim=True)
        values = np.concatenate((self._calibrated(logits), torch.sigmoid(peak_of(opacity)).numpy()), axis=1)
        cells = maps.float().cpu() * self.slope[:, None, None] + self.intercept[:, None, None]
        cells = torch.cat((cells, opacity), dim=1)
        return [heatmaps(row, grid, geometry) for row, grid, geometry in zip(values, cells, geometries, strict=True)]

    def answer(self, task: Task, requests: Sequence[Request]) -> list[Output]:
        """Where one finding's logit comes from (explain), by the method asked for; one heatmap per request."""
        del task
        answers: list[Output] = []
        for request in requests:
            if request.film is None:
                raise BadArguments("There is no film to explain.", "Give Request.film.")
            method, code = asked(request.question, FINDINGS)
            index = FINDINGS.index(code)
            square, geometry = prepare(request.film.pixels, self.side)
            with inference(self.device):
                logits = self.network(square.to(self.device))
            cells = saliency(_Explained(self.network), square, index, method, self.device)
            grid, extent = on_film(cells[None], geometry)
            answers.append(Heatmaps((code,), self._calibrated(logits)[0, index : index + 1], grid.numpy(), extent))
        return answers

    def _calibrated(self, logits: torch.Tensor) -> npt.NDArray[np.float32]:
        """Probabilities float32 [N, 14] of logits [N, 14]."""
        probabilities: npt.NDArray[np.float32] = torch.sigmoid(
            self.slope * logits.float().cpu() + self.intercept
        ).numpy()
        return probabilities


def heatmaps(values: npt.NDArray[np.float32], cells: torch.Tensor, geometry: Geometry) -> Heatmaps:
    """Cell logits [15, h, w] on the network's square, of the calibrated findings and of OPACITY, as heatmaps over the
    film's region it saw."""
    grid, extent = on_film(cells, geometry)
    return Heatmaps((*FINDINGS, OPACITY), values, torch.sigmoid(grid).numpy(), extent)


def on_film(cells: torch.Tensor, geometry: Geometry) -> tuple[torch.Tensor, tuple[float, float, float, float]]:
    """Cells [n, h, w] on the network's square as a grid [n, h', w'] over the film's region it saw, and that extent."""
    placed, region = geometry.placed, geometry.region
    square = functional.interpolate(cells[None], size=(geometry.side,) * 2, mode="bilinear", align_corners=False)
    inner = square[:, :, placed.top : placed.bottom, placed.left : placed.right]
    longest = max(placed.height, placed.width)
    size = tuple(max(1, round(HEATMAP_SIDE * length / longest)) for length in (placed.height, placed.width))
    grid = functional.interpolate(inner, size=size, mode="bilinear", align_corners=False, antialias=True)[0]
    extent = (float(region.top), float(region.left), float(region.bottom), float(region.right))
    return grid, extent


class _Explained(Tapped):
    """The classifier with its four levels of maps tapped."""

    def __init__(self, network: Classifier) -> None:
        super().__init__(len(LEVEL_CHANNELS))
        self.network = network

    def forward(self, square: torch.Tensor) -> torch.Tensor:
        """Squares [N, 1, side, side] -> logits [N, 14]."""
        levels = self.network.levels(square)
        return self.network.read([tap(level) for tap, level in zip(self.taps, levels, strict=True)])


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> EmbeddedClassifier:
    """The classifier from its safetensors file.

    Raises:
        Unavailable: the file is not this network's, or the card lacks a finding or its calibration.
    """
    platt = {item.code: item.platt for item in card.findings if item.platt}
    demand(platt, FINDINGS, entry)
    network = read_network(load_classifier, entry, path, device)
    slope, intercept = (
        torch.tensor([platt[code][key] for code in FINDINGS], dtype=torch.float32) for key in ("slope", "intercept")
    )
    return EmbeddedClassifier(card, network, slope, intercept, entry.input_size, device)

"""torchxrayvision's DenseNet-121 and ResNet-50 classifiers, on its own preprocessing and operating points.

The networks are built here without its constructors, which download what is missing, unpickle what they find and
print; the architecture, the label and threshold tables, the preprocessing and the scaling are the package's.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torchvision
from scipy.sparse import csr_array
from skimage.transform import resize
from torch import nn

from imaging.failures import BadArguments, Unavailable
from imaging.radiograph import FilmArray, Radiograph
from models.attribution import Tapped, asked, saliency
from models.card import ModelCard
from models.catalog import CatalogEntry, code_of
from models.device import inference, place
from models.outputs import Embedding, Heatmaps, Output, Scores, Task
from models.pickled import first_line, tensors_of
from models.request import Request

with warnings.catch_warnings():  # torchxrayvision.models silences every warning of the process when imported
    import torchxrayvision as xrv

SIDE_BY_SIDE = True


HALF_RANGE = np.float32(1024)
"""The package's networks see -1024 (black) to 1024 (white): torchxrayvision.utils.normalize."""

HEATMAP_SIDE = 32
"""Cells of a saliency map along a side, where the method gives more: pixels, which mean little one by one."""

RESIZERS = 32
"""Sizes of films whose resizing matrices are kept; each takes about 0.1 MB."""


@dataclass(frozen=True)
class TorchXRayVision:
    """One loaded classifier.

    Attributes:
        network: its `features` give the last maps [N, C, h, w], its `head` the logits of their mean.
        used: positions of the outputs that mean something: labelled, and with an operating point.
        codes: finding codes of the used outputs.
        thresholds: operating points of the used outputs, as sigmoids, float32 [n] on the device.
        side: of the square the network sees, pixels.
    """

    card: ModelCard
    network: _Convolutional
    used: tuple[int, ...]
    codes: tuple[str, ...]
    thresholds: torch.Tensor
    side: int
    device: str

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """Scores (classify), heatmaps (ground) or vectors (embed) of each film, in order, from one batch.

        Scores and heatmaps are on the package's scale: 0.5 is the operating point of the finding. A heatmap's cell is
        the score the film would have if all of it looked like that cell. A vector is the mean of the last maps (1,024
        numbers of a DenseNet, features2 of the package), made of length 1; its space carries the weights' revision.
        """
        squares = np.stack([prepare(film.pixels, self.side) for film in films])
        with inference(self.device):
            maps = self.network.features(torch.from_numpy(squares).to(self.device)).float()
            means = maps.mean(dim=(2, 3))
            if task is Task.EMBED:
                rows = nn.functional.normalize(means, dim=1).cpu().numpy()
                return [Embedding(row, f"{self.card.id}@{self.card.revision}") for row in rows]
            scores = self._scaled(self.network.head(means))
            if task is Task.CLASSIFY:
                return [Scores(self.codes, row) for row in scores]
            cells = self.network.head(maps.movedim(1, -1))
            grids = self._scaled(cells.flatten(0, 2)).reshape(*cells.shape[:3], len(self.codes))
        return [
            Heatmaps(self.codes, row, np.ascontiguousarray(grid.transpose(2, 0, 1)), middle_square(film.shape))
            for row, grid, film in zip(scores, grids, films, strict=True)
        ]

    def answer(self, task: Task, requests: Sequence[Request]) -> list[Output]:
        """Where one finding's logit comes from (explain), by the method asked for; one heatmap per request."""
        del task
        answers: list[Output] = []
        for request in requests:
            if request.film is None:
                raise BadArguments("There is no film to explain.", "Give Request.film.")
            method, code = asked(request.question, self.codes)
            place = self.codes.index(code)
            square = torch.from_numpy(prepare(request.film.pixels, self.side))[None]
            with inference(self.device):
                logits = self.network.head(self.network.features(square.to(self.device)).float().mean(dim=(2, 3)))
            value = self._scaled(logits)[0, place : place + 1]
            grid = saliency(_Explained(self.network), square, self.used[place], method, self.device)
            if max(grid.shape) > HEATMAP_SIDE:
                grid = nn.functional.adaptive_avg_pool2d(grid[None], HEATMAP_SIDE)[0]
            answers.append(Heatmaps((code,), value, grid.numpy()[None], middle_square(request.film.shape)))
        return answers

    def _scaled(self, logits: torch.Tensor) -> npt.NDArray[np.float32]:
        """Logits [N, all outputs] to scores float32 [N, n] in [0, 1], 0.5 = operating point, by op_norm."""
        used = torch.sigmoid(logits[:, list(self.used)].float())
        scaled: npt.NDArray[np.float32] = xrv.models.op_norm(used, self.thresholds).cpu().numpy()
        return scaled


class _Convolutional(nn.Module):
    """A network cut in two at its average pooling, so that the class activation maps are exact."""

    def __init__(self, features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.head = head


class _Explained(Tapped):
    """The same network with its last maps tapped."""

    def __init__(self, network: _Convolutional) -> None:
        super().__init__(1)
        self.network = network

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures [N, 1, side, side] -> logits [N, all outputs]."""
        logits: torch.Tensor = self.network.head(self.taps[0](self.network.features(pictures)).mean(dim=(2, 3)))
        return logits


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> TorchXRayVision:
    """The classifier of a catalog entry whose `weights` is one of the package's names.

    Raises:
        Unavailable: the installed package does not know the name, or the file is not that network's weights.
    """
    table = xrv.models.model_urls.get(entry.weights)
    if table is None:
        raise Unavailable(
            f"torchxrayvision {xrv.__version__} knows no weights {entry.weights!r}.",
            "Install the release of constraints.txt.",
        )
    network = _resnet(path) if entry.weights.startswith("resnet") else _densenet(path)
    network.features, network.head = place(network.features, device), place(network.head, device)
    operating = np.asarray(table["op_threshs"], dtype=np.float32)
    used = tuple(i for i, label in enumerate(table["labels"]) if label and not np.isnan(operating[i]))
    return TorchXRayVision(
        card=card,
        network=network,
        used=used,
        codes=tuple(code_of(table["labels"][i]) for i in used),
        thresholds=torch.from_numpy(operating[list(used)]).to(device),
        side=table["input_resolution"],
        device=device,
    )


def prepare(pixels: FilmArray, side: int) -> FilmArray:
    """A film as the network sees it: the package's normalize, XRayCenterCrop and XRayResizer in one.

    XRayResizer smooths and samples rows and columns alike, each a product with one matrix, which is kept for films of
    the same size. Its smoothing takes what lies outside the film for 0, the middle of the network's range, and its
    result is cut to the range of the film's own values.

    Takes pixels float32 [H, W] in [0, 1], 1 = dense; returns float32 [1, side, side] in [-1024, 1024]: the middle
    square of the film, resized. The ends of the long side are not seen. Equals the package to float32's rounding.
    """
    top, left, bottom, right = (int(edge) for edge in middle_square(pixels.shape))
    middle = np.asarray(pixels[top:bottom, left:right], dtype=np.float32)
    resizer, weight = _resizer(bottom - top, side)
    mean = resizer @ np.ascontiguousarray((resizer @ middle).T)
    scaled = (2 * mean.T - np.outer(weight, weight)) * HALF_RANGE
    low, high = ((2 * value - 1) * HALF_RANGE for value in (middle.min(), middle.max()))
    square: FilmArray = np.clip(scaled, low, high, dtype=np.float32)[None]
    return square


@lru_cache(maxsize=RESIZERS)
def _resizer(length: int, side: int) -> tuple[Any, FilmArray]:
    """(matrix, its row sums) of XRayResizer along one axis: float32 [side, length], as a sparse array, and [side]."""
    resized = resize(np.eye(length, dtype=np.float32), (side, length), mode="constant", preserve_range=True)
    matrix = resized.astype(np.float32)
    return csr_array(matrix), matrix.sum(axis=1)


def middle_square(shape: tuple[int, int]) -> tuple[float, float, float, float]:
    """The part of a film [H, W] that XRayCenterCrop keeps: (row_min, col_min, row_max, col_max), ends excluded."""
    height, width = shape
    side = min(height, width)
    top, left = height // 2 - side // 2, width // 2 - side // 2
    return float(top), float(left), float(top + side), float(left + side)


def _densenet(path: Path) -> _Convolutional:
    network = xrv.models.DenseNet(weights=None)
    _fill(network, tensors_of(path), path)
    return _Convolutional(nn.Sequential(network.features, nn.ReLU(inplace=True)), network.classifier)


def _resnet(path: Path) -> _Convolutional:
    """As torchxrayvision.models.ResNet builds it: torchvision's ResNet-50 with one input channel."""
    network = torchvision.models.resnet50(num_classes=len(xrv.models.ResNet.targets), weights=None)
    network.conv1 = nn.Conv2d(1, network.conv1.out_channels, kernel_size=7, stride=2, padding=3, bias=False)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise Unavailable(
            f"{path} was not loaded: {first_line(error)}.", "Get the file again from where the catalog says."
        ) from error
    _fill(network, state, path)
    return _Convolutional(nn.Sequential(*list(network.children())[:-2]), network.fc)


def _fill(network: nn.Module, state: object, path: Path) -> None:
    """Put a state dict into a network; every name and shape must match, but for the stored operating points."""
    if not isinstance(state, dict):
        raise Unavailable(f"{path} holds a {type(state).__name__}, not weights.", "Get the file again.")
    try:
        network.load_state_dict({name: value for name, value in state.items() if name != "op_threshs"})
    except RuntimeError as error:
        raise Unavailable(
            f"{path} holds another network than the catalog says: {first_line(error)}", "Get the file again."
        ) from error


__all__ = ["TorchXRayVision", "load", "middle_square", "prepare"]

"""torchxrayvision's two segmenters of anatomy: ChestX-Det's PSPNet (14 structures) and the CXAS U-Net (159).

The networks are built here without the constructors that download what is missing; architecture, order of the labels,
size, normalisation and the threshold are those of torchxrayvision.baseline_models (1.5.7): chestx_det, chestx_anatomy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from imaging.failures import Unavailable
from imaging.radiograph import Radiograph
from models.adapters.torchxrayvision import middle_square, prepare, xrv
from models.adapters.txrv_attributes import normalised
from models.card import ModelCard
from models.catalog import CatalogEntry, code_of
from models.device import inference, place
from models.outputs import Masks, Output, Task
from models.pickled import checkpoint_of, first_line, state_dict_of

SIDE_BY_SIDE = True

chestx_anatomy, chestx_det = xrv.baseline_models.chestx_anatomy, xrv.baseline_models.chestx_det

GPU_FILMS = 4
"""Films in one pass on a GPU; one on a processor: 159 maps of 512 x 512 and what they are made of take 0.3 GB each."""

CODES = {
    "Left Hilus Pulmonis": "left_hilum",
    "Right Hilus Pulmonis": "right_hilum",
    "Facies Diaphragmatica": "diaphragm",
    "Weasand": "esophagus",
    "left hemidiaphragm": "left_diaphragm",
    "right hemidiaphragm": "right_diaphragm",
    "tracheal bifurcation": "carina",
}
"""Labels of the two models that tools/knowledge/structures.toml, or the other model, calls differently."""

SIDES = ("left", "right")


@dataclass(frozen=True)
class Family:
    """How one of the two models is built.

    Attributes:
        labels: its outputs in order, in the package's words.
        build: a weight file -> network from float32 [N, 3, side, side] to logits [N, len(labels), side, side].
    """

    labels: tuple[str, ...]
    build: Callable[[Path], nn.Module]


@dataclass(frozen=True)
class AnatomySegmenter:
    """One loaded segmenter.

    Attributes:
        codes: structure codes of its outputs, in order.
        side: of the square the network sees, pixels.
    """

    card: ModelCard
    network: Any
    codes: tuple[str, ...]
    side: int
    device: str

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """The masks of each film, in order."""
        del task
        at_once = GPU_FILMS if self.device.startswith("cuda") else 1
        parts = [films[start : start + at_once] for start in range(0, len(films), at_once)]
        return [masks for part in parts for masks in self._predict(part)]

    def _predict(self, films: Sequence[Radiograph]) -> list[Masks]:
        squares = torch.from_numpy(np.stack([prepare(film.pixels, self.side) for film in films])).to(self.device)
        with inference(self.device):
            logits = self.network(normalised(((squares + 1024) / 2048).repeat(1, 3, 1, 1)))
        return [on_film(self.codes, one.float().cpu(), film.shape) for one, film in zip(logits, films, strict=True)]


def on_film(codes: tuple[str, ...], logits: torch.Tensor, shape: tuple[int, int]) -> Masks:
    """Logits of the middle square as masks of the film: a pixel belongs to a structure where its sigmoid is above 0.5.

    Args:
        codes: n structure codes.
        logits: float32 [n, side, side] of the film's middle square, on the CPU.
        shape: the film's [H, W]; outside of its middle square every mask is False.
    """
    top, left, bottom, right = (int(edge) for edge in middle_square(shape))
    masks = np.zeros((len(codes), *shape), dtype=bool)
    quality = np.zeros(len(codes), dtype=np.float32)
    for index, square in enumerate(logits):
        inside = square[square > 0]
        if not len(inside):
            continue
        quality[index] = float(torch.sigmoid(inside).mean())
        size = (bottom - top, right - left)
        larger = functional.interpolate(square[None, None], size, mode="bilinear", align_corners=False)[0, 0] > 0
        rows = np.flatnonzero(larger.any(dim=1).numpy())
        if len(rows):  # pages of zeros that nobody writes take no memory: 159 masks of a film would be 0.8 GB
            first, last = int(rows[0]), int(rows[-1]) + 1
            masks[index, top + first : top + last, left:right] = larger[first:last].numpy()
    return Masks(codes, masks, quality)


def structure_code(label: str) -> str:
    """A label as a code of tools/knowledge/structures.toml, or in its manner: the side first ("clavicle left").

    Sides are the patient's, as both sets name them.
    """
    words = CODES.get(label, code_of(label)).split("_")
    if words[-1] in SIDES:
        words = [words[-1], *words[:-1]]
    return "_".join(words)


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> AnatomySegmenter:
    """The segmenter of a catalog entry whose `weights` is one of FAMILIES.

    Raises:
        Unavailable: the file is not that network's weights, or the entry names no model of this module.
    """
    family = FAMILIES.get(entry.weights)
    if family is None:
        raise Unavailable(f"There is no segmenter {entry.weights!r}.", f"Known: {', '.join(FAMILIES)}.")
    codes = tuple(structure_code(label) for label in family.labels)
    return AnatomySegmenter(card, place(family.build(path), device), codes, entry.input_size, device)


class _Logits(nn.Module):
    """The U-Net without the package's own normalisation, which prints."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Normalised pictures [N, 3, side, side] -> logits [N, 159, side, side]."""
        logits: torch.Tensor = self.network._forward(pictures)["logits"]
        return logits


def _pspnet(path: Path) -> nn.Module:
    """chestx_det.PSPNet: saved from within DataParallel."""
    network: nn.Module = chestx_det.pspnet(len(chestx_det.PSPNet.targets))
    try:
        network.load_state_dict(state_dict_of(path, prefix="module."))
    except RuntimeError as error:
        raise _another(path, first_line(error)) from error
    return network


def _cxas(path: Path) -> nn.Module:
    """chestx_anatomy.UNetResNet50: a state dict, alone or in a checkpoint, under the names of CXAS or the package's.

    The package loads what fits and leaves the rest at random. Here nothing may be missing; what is not needed may be
    there.
    """
    network = chestx_anatomy.UNetResNet50(weights=False)
    held = checkpoint_of(path)
    try:
        state = chestx_anatomy._remap_state_dict_keys(chestx_anatomy._extract_state_dict(held))
        absent = network.load_state_dict(state, strict=False).missing_keys
    except (TypeError, RuntimeError, AttributeError) as error:
        raise _another(path, first_line(error)) from error
    if absent:
        raise _another(path, f"{len(absent)} of its weights are missing, among them {absent[0]}")
    return _Logits(network)


def _another(path: Path, why: str) -> Unavailable:
    return Unavailable(f"{path} holds another network than the catalog says: {why}.", "Get the file again.")


FAMILIES = {
    "pspnet": Family(tuple(chestx_det.PSPNet.targets), _pspnet),
    "cxas": Family(tuple(chestx_anatomy.TARGETS), _cxas),
}
"""By the entry's `weights`."""

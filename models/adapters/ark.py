"""Ark+, a Swin Transformer with one head per data set, from the checkpoint its authors give out.

The file holds `teacher`, a state dict with the names of timm's Swin Transformer, a `projector` and `omni_heads`; the
architecture is timm's, its sizes are read from the file. Order of heads and labels, size and normalisation are those
of the authors' notebook (github.com/jlianglab/Ark, Ark_Plus/Zeroshot/Ark+zeroshot-pred.ipynb).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from timm.models.swin_transformer import SwinTransformer, checkpoint_filter_fn
from torch import nn

from imaging.failures import Unavailable
from imaging.radiograph import FilmArray, Radiograph
from models.adapters.txrv_attributes import normalised
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference, place
from models.outputs import Embedding, Output, Scores, Task
from models.pickled import checkpoint_of, first_line

SIDE_BY_SIDE = True

NIH = (
    "atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule", "pneumonia", "pneumothorax",
    "consolidation", "edema", "emphysema", "fibrosis", "pleural_thickening", "hernia",
)  # fmt: skip
MIMIC = (
    "no_finding", "enlarged_cardiomediastinum", "cardiomegaly", "lung_opacity", "lung_lesion", "edema",
    "consolidation", "pneumonia", "atelectasis", "pneumothorax", "effusion", "pleural_other", "fracture",
    "support_devices",
)  # fmt: skip
HEADS = (14, 14, 14, 3, 6, 1)
"""Outputs of the heads: MIMIC-CXR, CheXpert, NIH, RSNA, VinDr-CXR, Shenzhen."""

READ = ((2, NIH), (0, MIMIC), (5, ("tuberculosis",)))
"""The heads that are read and their labels, the first that knows a finding counts; "no finding" is not a finding."""

STAGES = 4
NECESSARY = ("patch_embed.proj.weight", "layers.0.blocks.0.attn.relative_position_bias_table", "projector.weight")


@dataclass(frozen=True)
class Ark:
    """The loaded network.

    Attributes:
        network: float32 [N, 3, side, side] -> (vectors [N, d], logits of every head one after the other [N, 52]).
        codes, positions: the findings that are read, and where each lies among the logits.
    """

    card: ModelCard
    network: Any
    codes: tuple[str, ...]
    positions: tuple[int, ...]
    side: int
    device: str

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """Sigmoids (classify) or projected features of length 1 (embed) of each film, in order, from one batch."""
        squares = torch.from_numpy(np.stack([prepare(film.pixels, self.side) for film in films])).to(self.device)
        with inference(self.device):
            vectors, logits = self.network(normalised(squares))
        if task is Task.EMBED:
            rows = nn.functional.normalize(vectors.float(), dim=1).cpu().numpy()
            return [Embedding(row, f"{self.card.id}@{self.card.revision}") for row in rows]
        scores = torch.sigmoid(logits.float()[:, list(self.positions)]).cpu().numpy()
        return [Scores(self.codes, row) for row in scores]


class _Network(nn.Module):
    """The transformer, the mean over its last positions, the projector and all heads."""

    def __init__(self, encoder: SwinTransformer, width: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = nn.Linear(encoder.num_features, width)
        self.omni_heads = nn.ModuleList(nn.Linear(width, count) for count in HEADS)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalised pictures [N, 3, side, side] -> (vectors [N, d], logits [N, 52])."""
        vectors = self.projector(self.encoder.forward_features(pictures).mean(dim=(1, 2)))
        return vectors, torch.cat([head(vectors) for head in self.omni_heads], dim=1)


def prepare(pixels: FilmArray, side: int) -> FilmArray:
    """A film float32 [H, W] in [0, 1] as the authors prepare one: 8 bits, all of it squeezed into a square by Pillow.

    Returns float32 [3, side, side] in [0, 1].
    """
    eight_bit = Image.fromarray(np.round(pixels * 255).astype(np.uint8))
    square = np.asarray(eight_bit.resize((side, side)), dtype=np.float32) / np.float32(255)
    return np.repeat(square[None], 3, axis=0)


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> Ark:
    """Ark+ from its checkpoint.

    Raises:
        Unavailable: the file holds no `teacher`, or one that is not of this architecture.
    """
    held = checkpoint_of(path)
    state = held.get("teacher") if isinstance(held, dict) else None
    if not isinstance(state, dict):
        raise Unavailable(f"{path} holds no state dict named 'teacher'.", entry.source.note)
    state = {str(name).removeprefix("module."): value for name, value in state.items()}
    try:
        network = _network(state, entry.input_size)
    except (KeyError, RuntimeError, ValueError, AttributeError) as error:
        raise Unavailable(
            f"{path} is not Ark+ as its authors save it: {first_line(error)}.", entry.source.note
        ) from error
    starts = [sum(HEADS[:index]) for index in range(len(HEADS))]
    where: dict[str, int] = {}
    for head, labels in READ:
        for index, code in enumerate(labels):
            where.setdefault(code, starts[head] + index)
    codes = entry.finding_codes()
    return Ark(card, place(network, device), codes, tuple(where[code] for code in codes), entry.input_size, device)


def _network(state: Mapping[str, torch.Tensor], side: int) -> nn.Module:
    """The network with the sizes of its weights: width, depth and heads of each stage, window."""
    absent = [name for name in NECESSARY if name not in state]
    if absent:
        raise KeyError(f"{absent[0]} is missing")
    tables = "layers.{}.blocks.0.attn.relative_position_bias_table"
    depths = [
        1
        + max(int(found.group(1)) for name in state if (found := re.match(rf"layers\.{stage}\.blocks\.(\d+)\.", name)))
        for stage in range(STAGES)
    ]
    encoder = SwinTransformer(
        img_size=side,
        patch_size=state["patch_embed.proj.weight"].shape[-1],
        window_size=(math.isqrt(state[tables.format(0)].shape[0]) + 1) // 2,
        embed_dim=state["patch_embed.proj.weight"].shape[0],
        depths=tuple(depths),
        num_heads=tuple(state[tables.format(stage)].shape[1] for stage in range(STAGES)),
        num_classes=0,
    )
    own = {name: value for name, value in state.items() if name.startswith(("projector.", "omni_heads."))}
    theirs = {name: value for name, value in state.items() if name not in own and not name.startswith("head.")}
    network = _Network(encoder, state["projector.weight"].shape[0])
    filtered = checkpoint_filter_fn(dict(theirs), encoder)
    network.load_state_dict({**{f"encoder.{name}": value for name, value in filtered.items()}, **own})
    return network

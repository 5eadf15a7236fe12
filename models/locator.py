"""The embedded locator: outlines findings, devices and retained objects on a frontal film.

Findings are read by a feature pyramid on EfficientNet-Lite0's trunk (models/lite0.py), devices and objects, which are
thin, by a network of their own on a finer square (models/locator_fine.py); weights come from a state dict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from models import lite0
from models.locator_fine import Ends, Fine, tip_of
from models.networks import filled
from models.outputs import Heatmaps
from models.preprocess import Geometry

LESIONS = (
    "effusion", "pneumothorax", "lung_opacity", "atelectasis", "lung_lesion", "cavity", "pleural_thickening", "hernia",
    "fracture",
)  # fmt: skip
"""Classes of disease, by the ontology's codes; `lung_opacity` is consolidation or infiltration, `lung_lesion` a nodule
or mass."""

OBJECTS = (
    "ett", "ng_tube", "central_line", "pacemaker", "chest_drain", "retained_sponge", "retained_needle",
)  # fmt: skip
"""Classes of devices and retained objects."""

TIPPED = "ett"
"""The one whose tip's place the network tells."""

CLASSES = (*LESIONS, *OBJECTS)
"""Channels of the network, in order."""

SIDE = 640
"""Side of the square that the network sees, pixels."""

TRUNK_SIDE = SIDE // 2
"""And of the one that its trunk sees: the same, at half the size."""

DEEP_BLOCKS = 2
"""Blocks of the trunk's sixth stage that are kept: its field of view, at a third of its weights."""

SKIPS = (16, 24, 40, 112)
"""Channels of the trunk at strides 2, 4, 8 and 16."""

DEEP = 192
"""Channels at stride 32."""

ENDS = (1, 2, 3, 5)
"""Stages after which the trunk reaches strides 2, 4, 8 and 16."""

PYRAMID = 64
"""Channels of the lesions' branch."""

PEAK_CELLS = 24
"""A film's score is made of so many of the highest cells."""


class Pyramid(nn.Module):
    """A small feature pyramid (Lin et al., CVPR 2017) over the trunk's maps at strides 8, 16 and 32."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.whole = nn.Linear(DEEP, PYRAMID)
        self.lateral = nn.ModuleList([nn.Conv2d(channels, PYRAMID, 1) for channels in (DEEP, *SKIPS[:1:-1])])
        self.mix = nn.ModuleList(
            [
                nn.Sequential(
                    nn.BatchNorm2d(PYRAMID),
                    nn.ReLU6(),
                    nn.Conv2d(PYRAMID, PYRAMID, 3, padding=1, bias=False),
                    nn.BatchNorm2d(PYRAMID),
                    nn.ReLU6(),
                )
                for _ in SKIPS[:1:-1]
            ]
        )
        self.told = nn.Conv2d(PYRAMID, classes, 1)

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Logits [N, classes, side / 8, side / 8] from the trunk's maps, the finest first; the film's average is added
        everywhere."""
        deep = self.lateral[0](maps[-1]) + self.whole(maps[-1].mean(dim=(2, 3)))[:, :, None, None]
        for lateral, mix, skip in zip(self.lateral[1:], self.mix, maps[-2:1:-1], strict=True):
            grown = functional.interpolate(deep, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            deep = mix(lateral(skip) + grown)
        told: torch.Tensor = self.told(deep)
        return told


class Locator(nn.Module):
    """The trunk to stride 32 with the lesions' pyramid, and the parts for devices; see the module."""

    def __init__(self) -> None:
        super().__init__()
        trunk = lite0.stages()
        self.stem = lite0.stem()
        self.stages = nn.ModuleList(
            [*trunk[: ENDS[-1]], nn.Sequential(*list(trunk[ENDS[-1]].children())[:DEEP_BLOCKS])]
        )
        self.lesions = Pyramid(len(LESIONS))
        self.fine = Fine(len(OBJECTS))
        self.ends = Ends()

    def trunk(self, half: torch.Tensor) -> list[torch.Tensor]:
        """The trunk's maps at strides 2, 4, 8, 16 and 32 of squares float32 [N, 1, side / 2, side / 2]."""
        maps = []
        deep = self.stem(half)
        for number, stage in enumerate(self.stages, start=1):
            deep = stage(deep)
            if number in ENDS:
                maps.append(deep)
        return [*maps, deep]

    def forward(self, square: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits [N, 16, side / 4, side / 4] of the classes and [N, 1, side / 4, side / 4] of the tip of TIPPED.

        Takes squares float32 [N, 1, side, side] of `preprocess.prepare`.
        """
        half = functional.avg_pool2d(square, 2)
        thin = self.fine(square)
        index = OBJECTS.index(TIPPED)
        ends = self.ends.on_square(half, thin[:, index : index + 1])
        lesions = self.lesions(self.trunk(half))
        grown = functional.interpolate(lesions, size=thin.shape[-2:], mode="bilinear", align_corners=False)
        return torch.cat((grown, thin), dim=1), ends


def peak(logits: torch.Tensor, cells: int = PEAK_CELLS) -> torch.Tensor:
    """A film's logit of each class [N, K] from its cells [N, K, h, w]: the mean of the highest ones."""
    return logits.flatten(2).topk(cells, dim=2).values.mean(dim=2)


def located(logits: torch.Tensor, ends: torch.Tensor, geometry: Geometry) -> Heatmaps:
    """What the network says of one film: its score per class and a map of each, both through a sigmoid; and the tip.

    The score of TIPPED is multiplied by the tip's certainty: above the carina other tubes look like it, but go on.

    Takes logits float32 [16, side / 4, side / 4] and those of the tip [1, side / 4, side / 4]; the maps cover the
    region of the film that the network saw.
    """
    cells = logits.shape[-1] / geometry.side
    placed, region = geometry.placed, geometry.region
    edges = [round(edge * cells) for edge in (placed.top, placed.left, placed.bottom, placed.right)]
    top, left, bottom, right = edges[0], edges[1], max(edges[2], edges[0] + 1), max(edges[3], edges[1] + 1)
    inner = logits[:, top:bottom, left:right]
    values = torch.sigmoid(peak(logits[None])[0]).numpy()
    # Rounding to whole cells moves the map's edges; where they lie on the film follows from the cells kept.
    scale = region.height / (placed.height * cells), region.width / (placed.width * cells)
    extent = (
        region.top + (top - placed.top * cells) * scale[0],
        region.left + (left - placed.left * cells) * scale[1],
        region.top + (bottom - placed.top * cells) * scale[0],
        region.left + (right - placed.left * cells) * scale[1],
    )
    tips = np.full((len(CLASSES), 3), np.nan, dtype=np.float32)
    row, column, certainty = tip_of(ends[0])
    at = extent[0] + (row - top) * scale[0], extent[1] + (column - left) * scale[1]
    tipped = CLASSES.index(TIPPED)
    tips[tipped] = (*at, certainty)
    values[tipped] *= certainty
    return Heatmaps(CLASSES, values, torch.sigmoid(inner).numpy(), extent, tips)


def load_locator(state: Mapping[str, torch.Tensor]) -> Locator:
    """Locator in evaluation mode from the stored (half precision) state; computes in float32."""
    return filled(Locator(), state)

"""The locator's fine branch: devices and retained objects read again on the square itself.

A small U-shaped network at stride 2 sees the square, its detail against the surroundings, and what the locator's own
maps say, and adds to them.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from models.networks import UpBlock

STRIDE = 2

WIDTHS = (24, 32, 48, 64)
"""Channels at strides 2 to 16."""

NEAR_PX = 9
"""Half the window that detail is told from."""

FAINT = 0.02
"""Spread of detail (of the square's range of 2) below which it is noise."""

STEEP = 4.0
"""Detail is cut off beyond so many of the surroundings' spreads; logits of the locator are divided by as much."""


def _mean(square: torch.Tensor, reach: int) -> torch.Tensor:
    """Mean over a window of 2 reach + 1 pixels; beyond the border nothing is counted."""
    for size, edge in (((2 * reach + 1, 1), (reach, 0)), ((1, 2 * reach + 1), (0, reach))):
        square = functional.avg_pool2d(square, size, 1, edge, count_include_pad=False)
    return square


def detail(square: torch.Tensor) -> torch.Tensor:
    """Squares [N, 1, s, s] against their surroundings, in the surroundings' own spread.

    So a thin stripe over the mediastinum, where a film hardly tells greys apart, is as strong as one over lung.
    """
    off = square - _mean(square, NEAR_PX)
    spread = _mean(off.square(), 2 * NEAR_PX).sqrt()
    return (off / (spread + FAINT)).clamp(-STEEP, STEEP)


def _seen(square: torch.Tensor) -> torch.Tensor:
    """Grey and detail at stride 2: [N, 8, h / 2, w / 2] of [N, 1, h, w]."""
    return functional.pixel_unshuffle(torch.cat((square, detail(square)), dim=1), STRIDE)


def _block(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU6())


def _ups(widths: tuple[int, ...]) -> nn.ModuleList:
    return nn.ModuleList([UpBlock(widths[at + 1], widths[at], widths[at]) for at in range(len(widths) - 2, -1, -1)])


def _read(deep: torch.Tensor, downs: nn.ModuleList, ups: nn.ModuleList) -> torch.Tensor:
    """Through a U-shaped network and back to the size of what it was given."""
    maps = []
    for number, down in enumerate(downs):
        deep = down(deep if number == 0 else functional.max_pool2d(deep, 2))
        maps.append(deep)
    for up, skip in zip(ups, maps[-2::-1], strict=True):
        deep = up(deep, skip)
    return deep


class Fine(nn.Module):
    """Devices and objects at stride 2; see the module."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        first = _block(2 * STRIDE**2 + classes, WIDTHS[0])
        self.downs = nn.ModuleList([first, *(_block(*WIDTHS[at : at + 2]) for at in range(len(WIDTHS) - 1))])
        self.ups = _ups(WIDTHS)
        self.told = nn.Conv2d(WIDTHS[0], classes, 1)
        nn.init.zeros_(self.told.weight)
        nn.init.zeros_(self.told.bias)  # type: ignore[arg-type]

    def forward(self, square: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        """Logits [N, K, s / 2, s / 2] from squares float32 [N, 1, s, s] of `preprocess.prepare` and the locator's own
        logits of the classes [N, K, s / 2, s / 2]."""
        seen = torch.cat((_seen(square), coarse / STEEP), dim=1)
        told: torch.Tensor = self.told(_read(seen, self.downs, self.ups))
        return coarse + told

"""The locator's fine parts: devices and retained objects, which are thin, and where a tube ends.

`Fine` is a small U-shaped network on a square twice as fine as the trunk's. It sees the square and its detail against
the surroundings. `Ends` looks at a strip along the tube: one cell of it is the tip, or none, so that its certainty is a
probability by construction (softmax), learnt on tubes whose tips are known exactly.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from models.networks import UpBlock

FOLD = 4
"""Pixels of the square to a cell of Fine's map, each way; they are its channels."""

WIDTHS = (24, 32, 48, 64, 96)
"""Channels of Fine, each half as fine as the one before."""

STRIDE = 2
"""Pixels of its strip to a cell of Ends."""

STRIP_WIDTHS = (16, 24, 32, 48)
"""The same of Ends."""

STRIP = (224, 64)
"""Rows and columns of the strip that Ends sees, pixels of the trunk's square: from the top of the film to well below
the carina, about the tube."""

NEAR_PX, SHRINK, STRIP_NEAR_PX = 5, 2, 9
"""Half the window that detail is told from: of Fine, on the square made so much smaller, and of Ends on its strip."""

FAINT = 0.02
"""Spread of detail (of the square's range of 2) below which it is noise."""

STEEP = 4.0
"""Detail is cut off beyond so many of the surroundings' spreads."""

ABSENT = -4.0
"""First logit of every cell of Fine: a device is rare."""

DARK = -1.0
"""Grey beyond the square's border."""

NO_TIP = 0.0
"""Logit of a tube ending nowhere on the strip."""

TIP_BIAS = -8.0
"""First logit of every cell: about as likely in all 3,584 together as none."""

OUTSIDE = -30.0
"""Logit of a tip off the strip."""

ABOUT_CELLS = 4
"""A tip's certainty is the probability of the cells so near to it (about 9 mm to either side)."""


def _mean(square: torch.Tensor, reach: int) -> torch.Tensor:
    """Mean over a window of 2 reach + 1 pixels; beyond the border nothing is counted."""
    for size, edge in (((2 * reach + 1, 1), (reach, 0)), ((1, 2 * reach + 1), (0, reach))):
        square = functional.avg_pool2d(square, size, 1, edge, count_include_pad=False)
    return square


def detail(picture: torch.Tensor, near: int, shrink: int = 1) -> torch.Tensor:
    """Squares or strips [N, 1, h, w] against their surroundings, in the surroundings' own spread.

    So a thin stripe over the mediastinum, where a film hardly tells greys apart, is as strong as one over lung. The
    surroundings, `near` pixels to each side, are taken of the picture made smaller by `shrink`, which saves work.
    """

    def grown(small: torch.Tensor) -> torch.Tensor:
        if shrink == 1:
            return small
        return functional.interpolate(small, size=picture.shape[2:], mode="bilinear", align_corners=False)

    off = picture - grown(_mean(functional.avg_pool2d(picture, shrink), near))
    spread = _mean(functional.avg_pool2d(off.square(), shrink), 2 * near).sqrt()
    return (off / (grown(spread) + FAINT)).clamp(-STEEP, STEEP)


def _block(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU6())


def _ups(widths: tuple[int, ...]) -> nn.ModuleList:
    return nn.ModuleList([UpBlock(widths[at + 1], widths[at], widths[at]) for at in range(len(widths) - 2, -1, -1)])


def _down(deep: torch.Tensor, downs: nn.ModuleList) -> list[torch.Tensor]:
    """The maps of a U-shaped network on its way down, the finest first."""
    maps = []
    for number, down in enumerate(downs):
        deep = down(deep if number == 0 else functional.max_pool2d(deep, 2))
        maps.append(deep)
    return maps


def _up(maps: list[torch.Tensor], ups: nn.ModuleList) -> torch.Tensor:
    """And back to the finest one's size."""
    deep = maps[-1]
    for up, skip in zip(ups, maps[-2::-1], strict=True):
        deep = up(deep, skip)
    return deep


class Fine(nn.Module):
    """Devices and objects in cells of FOLD pixels; see the module."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        first = _block(2 * FOLD**2, WIDTHS[0])
        self.downs = nn.ModuleList([first, *(_block(*WIDTHS[at : at + 2]) for at in range(len(WIDTHS) - 1))])
        self.whole = nn.Linear(WIDTHS[-1], WIDTHS[-1])
        self.film = nn.Linear(2 * WIDTHS[-1], classes)
        self.ups = _ups(WIDTHS)
        self.told = nn.Conv2d(WIDTHS[0], classes, 1)
        for weight in self.film.parameters():
            nn.init.zeros_(weight)
        nn.init.normal_(self.told.weight, std=0.01)
        nn.init.constant_(self.told.bias, ABSENT)  # type: ignore[arg-type]

    @staticmethod
    def seen(square: torch.Tensor) -> torch.Tensor:
        """What it reads of squares [N, 1, s, s] of `preprocess.prepare`: [N, 32, s / 4, s / 4]."""
        return functional.pixel_unshuffle(torch.cat((square, detail(square, NEAR_PX, SHRINK)), dim=1), FOLD)

    def read(self, seen: torch.Tensor) -> torch.Tensor:
        """Logits [N, K, s / 4, s / 4] from what `seen` gives.

        What the film as a whole says of each class is added to every cell: a pacemaker's lead and a central line look
        alike where they lie in the same vein.
        """
        maps = _down(seen, self.downs)
        mean, most = maps[-1].mean(dim=(2, 3)), maps[-1].amax(dim=(2, 3))
        maps[-1] = maps[-1] + self.whole(mean)[:, :, None, None]
        told: torch.Tensor = self.told(_up(maps, self.ups))
        return told + self.film(torch.cat((mean, most), dim=1))[:, :, None, None]

    def forward(self, square: torch.Tensor) -> torch.Tensor:
        """Logits [N, K, s / 4, s / 4] of squares float32 [N, 1, s, s] of `preprocess.prepare`."""
        return self.read(self.seen(square))


class Ends(nn.Module):
    """The tip of a tube on a strip; see the module."""

    def __init__(self) -> None:
        super().__init__()
        widths = STRIP_WIDTHS
        deeper = (nn.Sequential(_block(*widths[at : at + 2]), _block(*widths[at + 1 : at + 2] * 2)) for at in range(3))
        self.downs = nn.ModuleList([_block(2 * STRIDE**2, widths[0]), *deeper])
        self.ups = _ups(widths)
        self.told = nn.Conv2d(widths[0], 1, 1)
        nn.init.zeros_(self.told.weight)
        nn.init.constant_(self.told.bias, TIP_BIAS)  # type: ignore[arg-type]

    def forward(self, strip: torch.Tensor) -> torch.Tensor:
        """Logits [N, 1, h / 2, w / 2] of strips float32 [N, 1, h, w]."""
        seen = functional.pixel_unshuffle(torch.cat((strip, detail(strip, STRIP_NEAR_PX)), dim=1), STRIDE)
        told: torch.Tensor = self.told(_up(_down(seen, self.downs), self.ups))
        return told

    def on_square(self, square: torch.Tensor, tube: torch.Tensor) -> torch.Tensor:
        """The same on whole squares [N, 1, s, s], about the columns where the tube is: [N, 1, s / 2, s / 2].

        `tube` are the logits of its outline [N, 1, s / 2, s / 2].
        """
        high, wide = (min(length, size) for length, size in zip(STRIP, square.shape[2:], strict=True))
        weight = torch.sigmoid(tube[:, 0, : high // STRIDE]).sum(dim=1)
        at = torch.arange(weight.shape[1], device=weight.device) + 0.5
        middles = STRIDE * (weight * at).sum(dim=1) / weight.sum(dim=1).clamp(min=1e-6)
        lows = [STRIDE * round((middle - wide / 2) / STRIDE) for middle in middles.tolist()]
        edge = functional.pad(square[:, :, :high], (wide, wide), value=DARK)
        told = self(
            torch.cat([one[None, :, :, low + wide : low + 2 * wide] for one, low in zip(edge, lows, strict=True)])
        )
        ends = functional.pad(torch.full_like(tube, OUTSIDE), (wide // STRIDE, wide // STRIDE), value=OUTSIDE)
        for number, low in enumerate(lows):
            start = (low + wide) // STRIDE
            ends[number, :, : high // STRIDE, start : start + wide // STRIDE] = told[number]
        return ends[..., wide // STRIDE : -(wide // STRIDE)]


def tip_of(ends: torch.Tensor) -> tuple[float, float, float]:
    """(row, column, certainty) of a tube's tip from its logits [h, w]: in cells from their edges.

    The place is the mean over the cells within ABOUT_CELLS of the surest surroundings, the certainty their sum; what is
    left to 1 lies elsewhere, or nowhere.
    """
    flat = torch.cat((ends.flatten(), torch.full((1,), NO_TIP)))
    chance = torch.softmax(flat, dim=0)[:-1].view(ends.shape)
    rows, columns = torch.meshgrid(*(torch.arange(length) + 0.5 for length in ends.shape), indexing="ij")
    size = 2 * ABOUT_CELLS + 1
    window = torch.ones(1, 1, size, size)
    parts = torch.stack((chance, chance * rows, chance * columns))[:, None]
    about, down, across = functional.conv2d(parts, window, padding=ABOUT_CELLS).flatten(1)
    best = int(about.argmax())
    certainty = max(float(about[best]), 1e-9)
    return float(down[best]) / certainty, float(across[best]) / certainty, min(certainty, 1.0)

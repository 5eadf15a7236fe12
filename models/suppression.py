"""The embedded bone suppressor: a small U-Net that estimates what bone adds to a film, and its use on whole films."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from models.networks import filled
from models.preprocess import FloatImage, Geometry, prepare, restore

SUPPRESSOR_SIDE = 512
"""Side of the suppressor's square, pixels: a rib is about 15 of them wide, its cortex two."""

FOLD = 2
"""Blocks of 2 x 2 pixels enter as channels: a quarter of the work of full resolution, nothing lost."""

WIDTHS = (24, 40, 64, 96)
"""Channels at strides 2, 4, 8 and 16 of the square."""


def _block(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
        nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
    )  # fmt: skip


class BoneSuppressor(nn.Module):
    """U-Net (Ronneberger et al., MICCAI 2015) of four levels over 2 x 2 pixel blocks."""

    def __init__(self) -> None:
        super().__init__()
        inputs = (FOLD * FOLD, *WIDTHS[:-1])
        self.down = nn.ModuleList([_block(first, last) for first, last in zip(inputs, WIDTHS, strict=True)])
        pairs = list(zip(WIDTHS[:0:-1], WIDTHS[-2::-1], strict=True))
        self.up = nn.ModuleList([_block(deep + skip, skip) for deep, skip in pairs])
        self.head = nn.Conv2d(WIDTHS[0], FOLD * FOLD, 1)
        for start in self.head.parameters():
            nn.init.zeros_(start)

    def forward(self, square: torch.Tensor) -> torch.Tensor:
        """Bone shadow [N, 1, S, S] in grey levels (0 to 1) from squares float32 [N, 1, S, S] of `preprocess.prepare`.

        S is a multiple of 16. Film minus shadow is the film without bone.
        """
        deep = functional.pixel_unshuffle(square, FOLD)
        kept: list[torch.Tensor] = []
        for level, block in enumerate(self.down):
            deep = block(deep if level == 0 else functional.max_pool2d(deep, 2))
            kept.append(deep)
        for block, skip in zip(self.up, kept[-2::-1], strict=True):
            grown = functional.interpolate(deep, scale_factor=2.0, mode="bilinear", align_corners=False)
            deep = block(torch.cat((grown, skip), dim=1))
        return functional.pixel_shuffle(self.head(deep), FOLD)


def load_suppressor(state: Mapping[str, torch.Tensor]) -> BoneSuppressor:
    """Suppressor in evaluation mode from the stored (half precision) state; computes in float32."""
    return filled(BoneSuppressor(), state)


def suppress(network: BoneSuppressor, pixels: FloatImage) -> FloatImage:
    """A film [H, W] in [0, 1] without the bone shadow the network sees on it, float32 [H, W] in [0, 1]."""
    square, geometry = prepare(pixels, SUPPRESSOR_SIDE)
    with torch.inference_mode():
        shadow = network(square)[0]
    return without_shadow(pixels, shadow, geometry)


def without_shadow(pixels: FloatImage, shadow: torch.Tensor, geometry: Geometry) -> FloatImage:
    """A film [H, W] minus the shadow [1, S, S] drawn on its square.

    Only the shadow is resampled, so the film keeps its own resolution, grain and everything that is no bone.
    """
    low, high = geometry.tone
    grown = restore(shadow.float().cpu(), geometry)[0]
    return (pixels - grown * (high - low)).clip(0.0, 1.0)

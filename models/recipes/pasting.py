"""Lays a phantom's lesions and devices over another film, real or synthetic, as attenuation in its grey levels.

A film's grey is about a logistic curve of the logarithm of the beam's signal (screen film's characteristic curve), so
what is added to the beam is added to the grey's logit. The donor's lungs are brought onto the film's by an affine map.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

LESION_GAIN, DEVICE_GAIN = (0.7, 1.6), (0.8, 2.2)
"""Logits of grey per neper, drawn evenly (set by eye on real films)."""

GREY_FLOOR = 0.02
"""Greys are kept this far from black and white before their logit is taken."""

JITTER_SCALE, JITTER_SHIFT = 0.12, 0.04
"""How far the donor's lungs may be off the film's: share of their size, share of the film's side."""

COLLAPSE_NEPERS = 0.15
"""What a collapsed lung gains in attenuation beside free air, at most; set by eye."""

PLEURA_NEPERS = 0.25
"""Of the visceral pleura's line at the edge of free air; set by eye."""

FINE_PX = 9
"""Detail finer than this many pixels in free air is vessels, and fades."""


@dataclass(frozen=True)
class Layer:
    """What to lay over a batch of films, on the donor's canvas.

    Attributes:
        nepers: float32 [N, 1, S, S].
        masks: float32 [N, K, s, s], the classes it brings; of any size.
        air: float32 [N, 1, S, S], where it is free air in the pleura.
        lungs: float32 [N, 2, S, S], the donor's; of any size where there is no free air.
    """

    nepers: torch.Tensor
    masks: torch.Tensor
    air: torch.Tensor
    lungs: torch.Tensor


def frame(lungs: torch.Tensor) -> torch.Tensor:
    """(centre x, centre y, half width, half height) in [-1, 1] of both lungs' extent [N, 2, S, S]; the whole film where
    there are none."""
    side = lungs.shape[-1]
    both = lungs.amax(dim=1) > 0.5
    at = (torch.arange(side) + 0.5) / side * 2 - 1
    ends = []
    for dim in (1, 2):
        line = both.any(dim=dim)
        low = torch.where(line, at, 2.0).amin(dim=1)
        high = torch.where(line, at, -2.0).amax(dim=1)
        empty = ~line.any(dim=1)
        ends.append((torch.where(empty, -1.0, low), torch.where(empty, 1.0, high)))
    (left, right), (top, bottom) = ends
    return torch.stack([(left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2], dim=1)


def moved(layer: Layer, lungs: torch.Tensor, generator: torch.Generator) -> Layer:
    """The layer with its donor's lungs over these lungs [N, 2, S, S], about."""
    count = len(lungs)
    here, there = frame(lungs), frame(layer.lungs)
    noise = torch.rand(count, 4, generator=generator) * 2 - 1
    scale = there[:, 2:] / here[:, 2:].clamp(min=0.1) * (1 + JITTER_SCALE * noise[:, :2])
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = scale[:, 0], scale[:, 1]
    theta[:, :, 2] = there[:, :2] - scale * here[:, :2] + JITTER_SHIFT * noise[:, 2:]

    def sampled(maps: torch.Tensor) -> torch.Tensor:
        grid = functional.affine_grid(theta, [count, 1, *maps.shape[2:]], align_corners=False)
        return functional.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    nepers, air = sampled(torch.cat((layer.nepers, layer.air), dim=1)).split(1, dim=1)
    return Layer(nepers, sampled(layer.masks), air, lungs)


def paste(grey: torch.Tensor, layer: Layer, gain: tuple[float, float], generator: torch.Generator) -> torch.Tensor:
    """Grey levels [N, 1, S, S] in [0, 1] with a layer that `moved` has put in place."""
    count = len(grey)
    drawn = (torch.rand(count, 3, generator=generator)).view(count, 3, 1, 1, 1)
    nepers, air = layer.nepers, (layer.air > 0.5).float()
    if air.any():
        soft = functional.avg_pool2d(grey, FINE_PX, stride=1, padding=FINE_PX // 2, count_include_pad=False)
        grey = grey + 0.8 * air * (soft - grey)
        edge = functional.max_pool2d(air, 3, stride=1, padding=1) - air
        inside = layer.lungs.amax(dim=1, keepdim=True)
        nepers = nepers + PLEURA_NEPERS * drawn[:, 1] * edge * inside
        for side in (0, 1):
            lung = layer.lungs[:, side : side + 1]
            hit = ((air * lung).sum(dim=(1, 2, 3), keepdim=True) > 0).float()
            nepers = nepers + COLLAPSE_NEPERS * drawn[:, 2] * hit * lung * (1 - air)
    curve = torch.logit(grey.clamp(GREY_FLOOR, 1 - GREY_FLOOR))
    strength = gain[0] + (gain[1] - gain[0]) * drawn[:, 0]
    changed = torch.sigmoid(curve + strength * nepers)
    return torch.where(nepers.abs() > 1e-3, changed, grey)

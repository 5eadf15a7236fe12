"""Random but seeded changes of film batches: place, tone, sharpness, borders and drawn disease. Never mirrored."""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional


@dataclass(frozen=True)
class Strength:
    """How far each change may go. Angles in degrees, shifts as shares of the side, the rest as factors or chances.

    `sharpening` is the largest weight of an unsharp mask, `haze` the largest slow change of grey levels over the film.
    """

    rotation: float
    zoom_low: float
    zoom_high: float
    stretch: float
    shift: float
    gamma: float
    contrast: float
    noise: float
    blur_chance: float
    frame_chance: float
    disease_chance: float
    sharpening: float = 0.0
    haze: float = 0.0


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low


def random_grid(count: int, side: int, strength: Strength, generator: torch.Generator) -> torch.Tensor:
    """Sampling grid [N, side, side, 2] of random rotations, zooms, stretches and shifts."""
    angle = _uniform(count, -strength.rotation, strength.rotation, generator) * math.pi / 180.0
    zoom = _uniform(count, strength.zoom_low, strength.zoom_high, generator)
    stretch = torch.exp(_uniform(count, -strength.stretch, strength.stretch, generator))
    shift = _uniform(2 * count, -2 * strength.shift, 2 * strength.shift, generator).view(count, 2)
    wide, tall = stretch.sqrt() / zoom, 1.0 / (stretch.sqrt() * zoom)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = torch.cos(angle) * wide, -torch.sin(angle) * tall
    theta[:, 1, 0], theta[:, 1, 1] = torch.sin(angle) * wide, torch.cos(angle) * tall
    theta[:, :, 2] = shift
    return functional.affine_grid(theta, [count, 1, side, side], align_corners=False)


def sample(images: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Images float32 [N, C, S, S] drawn on the grid, darkness outside."""
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def change_tone(grey: torch.Tensor, strength: Strength, generator: torch.Generator) -> torch.Tensor:
    """Random gamma, contrast, brightness, blur and noise on grey levels [N, 1, H, W] in [0, 1]."""
    count = len(grey)
    gamma = torch.exp(_uniform(count, -strength.gamma, strength.gamma, generator)).view(-1, 1, 1, 1)
    contrast = torch.exp(_uniform(count, -strength.contrast, strength.contrast, generator)).view(-1, 1, 1, 1)
    lift = _uniform(count, -strength.contrast, strength.contrast, generator).view(-1, 1, 1, 1) / 2
    toned = (grey.clamp(1e-4, 1.0).pow(gamma) - 0.5) * contrast + 0.5 + lift * (grey > 0)
    soft = functional.avg_pool2d(toned, 3, stride=1, padding=1, count_include_pad=False)
    blurred = (torch.rand(count, generator=generator) < strength.blur_chance).view(-1, 1, 1, 1)
    toned = torch.where(blurred, soft, toned)
    level = _uniform(count, 0.0, strength.noise, generator).view(-1, 1, 1, 1)
    return (toned + level * torch.randn(toned.shape, generator=generator)).clamp(0.0, 1.0)


def change_processing(grey: torch.Tensor, strength: Strength, generator: torch.Generator) -> torch.Tensor:
    """Random unsharp masking and slow drifts of grey, as film scanners, grids and viewing software leave them.

    Takes and returns grey levels [N, C, H, W] in [0, 1]; the C pictures of a film are changed alike.
    """
    count, _, side, _ = grey.shape
    size = grey.shape[2:]
    width = max(2, int(side * float(torch.rand((), generator=generator) * 0.06 + 0.02)))
    coarse = functional.avg_pool2d(grey, width, ceil_mode=True, count_include_pad=False)
    soft = functional.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    weight = _uniform(count, -0.3 * strength.sharpening, strength.sharpening, generator).view(-1, 1, 1, 1)
    reach = _uniform(count, 0.0, strength.haze, generator).view(-1, 1, 1, 1)
    drift = reach * torch.randn(count, 1, 3, 3, generator=generator)
    slow = functional.interpolate(drift, size=size, mode="bicubic", align_corners=False)
    return (grey + weight * (grey - soft) + slow * (grey > 0)).clamp(0.0, 1.0)


def draw_frames(grey: torch.Tensor, strength: Strength, generator: torch.Generator) -> torch.Tensor:
    """Some films get a black or white margin on random sides, and a bright rectangle like a side marker."""
    framed = grey.clone()
    side = grey.shape[-1]
    for index in range(len(grey)):
        if torch.rand((), generator=generator) >= strength.frame_chance:
            continue
        shade = float(torch.rand((), generator=generator) < 0.2)
        widths = (torch.rand(4, generator=generator) * 0.08 * side).long().tolist()
        framed[index, :, : widths[0]] = shade
        framed[index, :, side - widths[1] :] = shade
        framed[index, :, :, : widths[2]] = shade
        framed[index, :, :, side - widths[3] :] = shade
        row, column = (torch.rand(2, generator=generator) * side * 0.9).long().tolist()
        tall, wide = (torch.rand(2, generator=generator) * 0.1 * side).long().tolist()
        framed[index, :, row : row + tall, column : column + wide] = 1.0
    return framed


def draw_disease(
    grey: torch.Tensor, lungs: torch.Tensor, strength: Strength, generator: torch.Generator
) -> torch.Tensor:
    """Some films get cloudy opacity or a fluid level inside a lung, so that outlines are learnt on sick lungs too.

    Takes grey [N, 1, S, S] and the two lungs [N, 2, S, S], both float32 in [0, 1].
    """
    count, _, side, _ = grey.shape
    sick = (torch.rand(count, 2, generator=generator) < strength.disease_chance).float().view(count, 2, 1, 1)
    coarse = torch.rand(count, 2, 7, 7, generator=generator)
    clouds = functional.interpolate(coarse, size=(side, side), mode="bicubic", align_corners=False)
    density = torch.sigmoid((clouds - _uniform(count, 0.4, 0.8, generator).view(-1, 1, 1, 1)) * 12)
    rows = torch.arange(side).view(1, 1, side, 1) / side
    level = _uniform(2 * count, 0.35, 1.1, generator).view(count, 2, 1, 1)
    fluid = torch.sigmoid((rows - level) * 30)
    opacity = torch.maximum(density, fluid) * functional.avg_pool2d(lungs, 5, stride=1, padding=2) * sick
    white = _uniform(count, 0.55, 0.95, generator).view(-1, 1, 1, 1)
    amount = opacity.sum(dim=1, keepdim=True).clamp(0, 1) * _uniform(count, 0.3, 0.95, generator).view(-1, 1, 1, 1)
    return grey + amount * (torch.maximum(white, grey) - grey)

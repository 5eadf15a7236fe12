"""What the locator is taught with: phantoms, real films, and real films with phantoms' lesions pasted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from models.locator import CLASSES, LESIONS, OBJECTS, TRUNK_SIDE
from models.recipes import augment
from models.recipes.data import from_bytes, normalised
from models.recipes.lesion_films import RealFilms, Says
from models.recipes.lesion_phantoms import CANVAS, Outlined
from models.recipes.pasting import DEVICE_GAIN, LESION_GAIN, Layer, moved, paste

PARTS = {"phantom": 3, "pasted": 3, "healthy": 1, "labelled": 1}
"""Films of each kind in a batch: phantoms; healthy real films with something pasted; healthy ones as they are (JSRT's
nodules among them); and real films with any labels."""

PASTE_ON_PHANTOM = 0.5
"""Share of phantoms that get further devices pasted."""

NODULES = 3
NODULE_MM = (9.0, 45.0)
"""Up to so many balls of soft tissue of such diameters are drawn into lungs, evenly on a logarithmic scale."""

LUNGS_MM = 270.0
"""Width of both lungs of an adult, which gives drawn balls their size on the canvas."""

NEPERS_PER_MM = 0.016
"""Attenuation that soft tissue in place of lung adds per mm: 0.2 cm²/g times 0.8 g/cm³."""

THIN = ("fracture", *(code for code in OBJECTS if code != "pacemaker"))
STRENGTH = augment.Strength(
    rotation=8.0, zoom_low=0.88, zoom_high=1.25, stretch=0.12, shift=0.05, gamma=0.3, contrast=0.2, noise=0.03,
    blur_chance=0.2, frame_chance=0.15, disease_chance=0.0, sharpening=0.9, haze=0.07,
)  # fmt: skip

PASTED = tuple(code for code in LESIONS if code not in ("hernia", "fracture"))
"""Lesions that lie over lung and can be pasted."""

PASTED_CHANNELS = [CLASSES.index(code) for code in PASTED]
OBJECT_CHANNELS = [CLASSES.index(code) for code in OBJECTS]

TONED_PIXELS = 20_000
"""About so many pixels tell a film's percentiles."""

MASK_FROM = 0.45
"""Share of a pixel that a pasted mask must cover after it was moved."""


@dataclass(frozen=True)
class Lesson:
    """Films and what is known of them.

    Attributes:
        grey: float32 [N, 1, S, S] in [0, 1].
        masks: float32 [N, 16, S / 2, S / 2].
        says: int64 [N, 16], Says of each class.
        unsure: float32 [N, 1, S / 2, S / 2], where opacity does not count.
    """

    grey: torch.Tensor
    masks: torch.Tensor
    says: torch.Tensor
    unsure: torch.Tensor


def joined(parts: list[Lesson]) -> Lesson:
    """All films of several lessons."""
    return Lesson(*(torch.cat([getattr(part, name) for part in parts]) for name in Lesson.__annotations__))


def unpacked(bits: np.ndarray) -> torch.Tensor:
    """Packed masks [..., S, S / 8] as float32 [..., S, S]."""
    return torch.from_numpy(np.unpackbits(bits, axis=-1)).float()


def stretched(grey: torch.Tensor) -> torch.Tensor:
    """Greys [N, 1, S, S] with their 1st and 99th percentile, of every so manyth pixel, at 0 and 1."""
    step = max(1, grey[0].numel() // TONED_PIXELS)
    ends = torch.quantile(grey.flatten(1)[:, ::step], torch.tensor([0.01, 0.99]), dim=1)
    low, high = ends.view(2, -1, 1, 1, 1)
    return ((grey - low) / (high - low)).clamp(0, 1)


def halved(masks: torch.Tensor, codes: Sequence[str] = CLASSES) -> torch.Tensor:
    """Masks [N, K, S, S] of such classes at half the size; what is thin keeps every pixel, so that no tube is torn."""
    thin = torch.tensor([code in THIN for code in codes])[None, :, None, None]
    return torch.where(thin, functional.max_pool2d(masks, 2), functional.avg_pool2d(masks, 2))


class School:
    """Draws lessons from phantoms and real films."""

    def __init__(self, phantoms: Outlined, real: RealFilms, generator: torch.Generator) -> None:
        self.phantoms, self.real, self.generator = phantoms, real, generator
        self.healthy = np.flatnonzero(real.healthy | (real.source == "JSRT"))
        self.clean = np.flatnonzero(real.healthy)
        self.labelled = np.flatnonzero((real.says == Says.SOMEWHERE).any(axis=1))
        lesions = np.array([code in PASTED for code in CLASSES])
        self.donors = np.flatnonzero(phantoms.masks[:, lesions].any(axis=(1, 2, 3)))

    def _pick(self, rows: np.ndarray, count: int) -> np.ndarray:
        return rows[torch.randint(len(rows), (count,), generator=self.generator).numpy()]

    def _chance(self, share: float) -> bool:
        return bool(torch.rand((), generator=self.generator) < share)

    def phantom(self, count: int) -> Lesson:
        """Phantoms as they are, some with further devices."""
        rows = self._pick(self.donors if self._chance(0.7) else np.arange(len(self.phantoms.pixels)), count)
        grey = stretched(from_bytes(torch.from_numpy(self.phantoms.pixels[rows]))[:, None])
        masks, lungs = unpacked(self.phantoms.masks[rows]), unpacked(self.phantoms.lungs[rows])
        if self._chance(PASTE_ON_PHANTOM):
            grey, masks = self._with_devices(grey, masks, lungs)
        unsure = functional.max_pool2d(unpacked(self.phantoms.unsure[rows])[:, None], 2)
        return Lesson(grey, halved(masks), torch.full((count, len(CLASSES)), int(Says.HERE)), unsure)

    def _films(self, rows: np.ndarray) -> Lesson:
        grey = from_bytes(torch.from_numpy(self.real.squares[rows]))[:, None]
        masks = torch.zeros(len(rows), len(CLASSES), CANVAS, CANVAS)
        at = torch.arange(CANVAS) + 0.5
        for number, (row, column, radius) in enumerate(self.real.discs[rows]):
            if not np.isnan(row):
                away = (at[:, None] - row).square() + (at[None, :] - column).square()
                masks[number, CLASSES.index("lung_lesion")] = (away <= max(radius, 2.0) ** 2).float()
        says = torch.from_numpy(self.real.says[rows]).long()
        return Lesson(grey, masks, says, torch.zeros(len(rows), 1, CANVAS // 2, CANVAS // 2))

    def films(self, rows: np.ndarray) -> Lesson:
        """Real films with their labels."""
        made = self._films(rows)
        return Lesson(made.grey, halved(made.masks), made.says, made.unsure)

    def pasted(self, count: int) -> Lesson:
        """Healthy real films with a phantom's lesions, devices, or both."""
        rows = self._pick(self.clean, count)
        made = self._films(rows)
        grey, masks, says = made.grey, made.masks, made.says.clone()
        lungs = unpacked(self.real.lungs[rows])
        if with_lesions := self._chance(0.85):
            grey, masks = self._with_lesions(grey, masks, lungs)
        if self._chance(0.4):
            grey, masks = self._with_nodules(grey, masks, lungs)
        if not with_lesions or self._chance(0.5):
            grey, masks = self._with_devices(grey, masks, lungs)
        says[masks.amax(dim=(2, 3)) > 0] = int(Says.HERE)
        return Lesson(grey, halved(masks), says, made.unsure)

    def _with_lesions(
        self, grey: torch.Tensor, masks: torch.Tensor, lungs: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        rows = self._pick(self.donors, len(grey))
        theirs = unpacked(self.phantoms.masks[rows][:, PASTED_CHANNELS])
        nepers = torch.from_numpy(self.phantoms.lesions[rows].astype(np.float32))[:, None]
        air = theirs[:, PASTED.index("pneumothorax")][:, None]
        layer = Layer(nepers, theirs, air, unpacked(self.phantoms.lungs[rows]))
        return self._laid(grey, masks, lungs, layer, LESION_GAIN, PASTED_CHANNELS)

    def _with_nodules(
        self, grey: torch.Tensor, masks: torch.Tensor, lungs: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Balls of soft tissue at random places of the lungs."""
        nepers, at = torch.zeros_like(grey), torch.arange(CANVAS) + 0.5
        here = masks[:, [CLASSES.index("lung_lesion")]]
        for row, lung in enumerate(lungs):
            inside = lung.amax(dim=0).nonzero()
            columns = lung.amax(dim=(0, 1)).nonzero()
            if not len(inside):
                continue
            scale = float(columns[-1] - columns[0] + 1) / LUNGS_MM
            for _ in range(1 + int(torch.randint(NODULES, (), generator=self.generator))):
                drawn = float(torch.rand((), generator=self.generator))
                radius = scale / 2 * NODULE_MM[0] * (NODULE_MM[1] / NODULE_MM[0]) ** drawn
                place = inside[int(torch.randint(len(inside), (), generator=self.generator))]
                away = (at[:, None] - place[0]).square() + (at[None, :] - place[1]).square()
                depth = 2 * (radius**2 - away).clamp(min=0).sqrt() / scale
                nepers[row, 0] += NEPERS_PER_MM * depth
                here[row, 0] = torch.maximum(here[row, 0], (away < radius**2).float())
        masks[:, [CLASSES.index("lung_lesion")]] = here
        nothing = torch.zeros_like(nepers)
        return paste(grey, Layer(nepers, here, nothing, lungs), LESION_GAIN, self.generator), masks

    def _with_devices(
        self, grey: torch.Tensor, masks: torch.Tensor, lungs: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        rows = self._pick(np.arange(len(self.phantoms.pixels)), len(grey))
        spare = int(torch.randint(self.phantoms.devices.shape[1], (), generator=self.generator))
        nepers = torch.from_numpy(self.phantoms.devices[rows, spare].astype(np.float32))[:, None]
        theirs = unpacked(self.phantoms.device_masks[rows, spare])
        layer = Layer(nepers, theirs, torch.zeros_like(nepers), unpacked(self.phantoms.lungs[rows]))
        return self._laid(grey, masks, lungs, layer, DEVICE_GAIN, OBJECT_CHANNELS)

    def _laid(
        self,
        grey: torch.Tensor,
        masks: torch.Tensor,
        lungs: torch.Tensor,
        layer: Layer,
        gain: tuple[float, float],
        channels: list[int],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        placed = moved(layer, lungs, self.generator)
        masks[:, channels] = torch.maximum(masks[:, channels], (placed.masks > MASK_FROM).float())
        return paste(grey, placed, gain, self.generator), masks

    def batch(self) -> Lesson:
        """A batch of all kinds, still on the canvas."""
        return joined(
            [
                self.phantom(PARTS["phantom"]),
                self.pasted(PARTS["pasted"]),
                self.films(self._pick(self.healthy, PARTS["healthy"])),
                self.films(self._pick(self.labelled, PARTS["labelled"])),
            ]
        )


def augmented(lesson: Lesson, generator: torch.Generator) -> Lesson:
    """The batch on the trunk's square, moved and toned at random; grey as the network takes it."""
    grid = augment.random_grid(len(lesson.grey), TRUNK_SIDE, STRENGTH, generator)
    grey = augment.sample(lesson.grey, grid)
    coarse = functional.avg_pool2d(grid.movedim(-1, 1), 2).movedim(1, -1)
    drawn = augment.sample(torch.cat((lesson.masks, lesson.unsure), dim=1), coarse)
    grey = augment.change_processing(grey, STRENGTH, generator)
    grey = augment.change_tone(grey, STRENGTH, generator)
    grey = augment.draw_frames(grey, STRENGTH, generator)
    return Lesson(normalised(grey), drawn[:, :-1], lesson.says, drawn[:, -1:])

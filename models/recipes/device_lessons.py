"""What devices are learnt from: phantoms with many of them, real films with their attenuation pasted on, plain ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from models.locator import CLASSES, OBJECTS, SIDE
from models.locator_fine import FOLD
from models.recipes import augment
from models.recipes.data import from_bytes, normalised
from models.recipes.device_phantoms import LAYERS, SIZE, TRAINING_SEED, DeviceFilms, make_device_films
from models.recipes.lesion_films import RealFilms, Says, finer_squares, real_films
from models.recipes.locator_lessons import MASK_FROM, STRENGTH, halved, stretched, unpacked
from models.recipes.pasting import DEVICE_GAIN, Layer, moved, paste

PARTS = {"phantom": 6, "pasted": 3, "plain": 3}
"""Films of each kind in a batch: phantoms; healthy real films with devices pasted; real ones as they are."""

TONE = replace(STRENGTH, gamma=0.25, contrast=0.12, noise=0.02, blur_chance=0.25, frame_chance=0.05)
"""Gentler than for lesions: a stripe over a mediastinum that turned white would be gone."""

SEEN_NEPERS = 0.02
"""A layer of devices is there where it adds so much to the attenuation."""

LEAST_DRAWN = 0.05
"""Least weight of a real film to be drawn, beside the highest score that it got of a device that it does not have."""


@dataclass(frozen=True)
class DeviceLesson:
    """Films as Fine takes them, and what is known of them.

    Attributes:
        square: float32 [N, 1, SIDE, SIDE], as `preprocess.prepare` gives it.
        masks: float32 [N, 7, SIDE / FOLD, SIDE / FOLD], in the order of OBJECTS.
        says: int64 [N, 7], Says of each.
        films: int64 [N], which real film each is as it stands, and -1 for the others.
    """

    square: torch.Tensor
    masks: torch.Tensor
    says: torch.Tensor
    films: torch.Tensor


class DeviceSchool:
    """Draws films with and without devices, and lessons from them.

    `real` are films to learn from and `squares` the same at SIZE; `hard` holds the highest score that each got of a
    device that it does not have, and is kept up by who learns.
    """

    def __init__(
        self, films: DeviceFilms, real: RealFilms, squares: npt.NDArray[np.uint8], generator: torch.Generator
    ) -> None:
        self.films, self.real, self.squares, self.generator = films, real, squares, generator
        self.says = real.says[:, [CLASSES.index(code) for code in OBJECTS]]
        self.plain = np.flatnonzero((self.says == Says.ABSENT).any(axis=1))
        self.clean = np.flatnonzero(real.healthy | (real.source == "JSRT"))
        flat = films.nepers.reshape(-1, SIZE * SIZE)[:, ::97]
        self.layers = np.flatnonzero((flat > SEEN_NEPERS).any(axis=1))
        self.hard = torch.zeros(len(real.files))

    def drawn(self, rows: npt.NDArray[np.intp], count: int) -> npt.NDArray[np.intp]:
        """So many of these rows."""
        return rows[torch.randint(len(rows), (count,), generator=self.generator).numpy()]

    def grey_of_phantoms(self, rows: npt.NDArray[np.intp]) -> torch.Tensor:
        """Greys [N, 1, SIZE, SIZE] of phantoms."""
        return stretched(torch.from_numpy(self.films.pixels[rows].astype(np.float32) / 65535)[:, None])

    def grey_of_films(self, rows: npt.NDArray[np.intp]) -> torch.Tensor:
        """The same of real films."""
        return from_bytes(torch.from_numpy(self.squares[rows]))[:, None]

    def pasted(self, rows: npt.NDArray[np.intp], layers: npt.NDArray[np.intp]) -> tuple[torch.Tensor, torch.Tensor]:
        """Real films with a phantom's devices: greys [N, 1, SIZE, SIZE] and masks [N, 7, SIZE / 2, SIZE / 2]."""
        patients, numbers = np.divmod(layers, LAYERS)
        nepers = torch.from_numpy(self.films.nepers[patients, numbers].astype(np.float32))[:, None]
        masks = unpacked(self.films.masks[patients * self.films.pictures + numbers])
        lungs, mine = unpacked(self.films.lungs[patients]), unpacked(self.real.lungs[rows])
        placed = moved(Layer(nepers, masks, torch.zeros_like(nepers), lungs), mine, self.generator)
        grey = paste(self.grey_of_films(rows), placed, DEVICE_GAIN, self.generator)
        return grey, (placed.masks > MASK_FROM).float()

    def lesson(self) -> DeviceLesson:
        """A batch of all kinds, as PARTS says, moved, toned and mirrored at random."""
        phantoms = self.drawn(np.arange(len(self.films.pixels)), PARTS["phantom"])
        under = self.drawn(self.clean, PARTS["pasted"])
        over, their = self.pasted(under, self.drawn(self.layers, PARTS["pasted"]))
        weights = LEAST_DRAWN + self.hard[self.plain]
        plain = self.plain[torch.multinomial(weights, PARTS["plain"], generator=self.generator).numpy()]
        grey = torch.cat((self.grey_of_phantoms(phantoms), over, self.grey_of_films(plain)))
        nothing = torch.zeros(len(plain), *their.shape[1:])
        masks = halved(torch.cat((unpacked(self.films.masks[phantoms]), their, nothing)), OBJECTS)
        here = torch.full((len(grey), len(OBJECTS)), int(Says.HERE))
        known = torch.from_numpy(self.says[np.concatenate((under, plain))]).long()
        says = torch.cat((here[: len(phantoms)], known))
        says = torch.where(masks.amax(dim=(2, 3)) > MASK_FROM, here, says)
        films = torch.cat((torch.full((len(grey) - len(plain),), -1), torch.from_numpy(plain)))
        return self._changed(DeviceLesson(grey, masks, says, films))

    def _changed(self, lesson: DeviceLesson) -> DeviceLesson:
        generator = self.generator
        grid = augment.random_grid(len(lesson.square), SIDE, STRENGTH, generator)
        coarse = functional.avg_pool2d(grid.movedim(-1, 1), FOLD).movedim(1, -1)
        grey, masks = augment.sample(lesson.square, grid), augment.sample(lesson.masks, coarse)
        for change in (augment.change_processing, augment.change_tone, augment.draw_frames):
            grey = change(grey, TONE, generator)
        if torch.rand((), generator=generator) < 0.5:
            grey, masks = grey.flip(-1), masks.flip(-1)
        return replace(lesson, square=normalised(grey), masks=masks)


def make_school(data: Path, cache: Path, generator: torch.Generator) -> DeviceSchool:
    """The school of the training sets; phantoms and squares are kept in the cache folder."""
    real = real_films(data, cache).training()
    films = make_device_films(TRAINING_SEED, cache)
    return DeviceSchool(films, real, finer_squares(real, data, cache, SIZE), generator)

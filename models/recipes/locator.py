"""Trains and measures the embedded locator: python -m models.recipes.locator --cache FOLDER [--data DIR] [--out DIR].

Phantoms say exactly where everything is; real films say what does not look like it, and, weakly, what does: a label
without a place asks only that the finding be seen somewhere. In between, phantoms' lesions and devices are pasted over
real films (models.recipes.pasting), so that they are learnt on real texture. Starts from the embedded classifier's
trunk. The state after every epoch is kept in the cache folder, and a run that was broken off goes on from there.
"""

from __future__ import annotations

import argparse
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from models.locator import CLASSES, LESIONS, OBJECTS, SIDE, Locator, load_locator, peak
from models.recipes import augment
from models.recipes.cards import halved as stored_state
from models.recipes.cards import write_card, write_weights
from models.recipes.data import from_bytes, normalised
from models.recipes.lesion_films import RealFilms, Says, real_films
from models.recipes.lesion_phantoms import CANVAS, TRAINING, TRAINING_SEED, Outlined, make_outlined
from models.recipes.locator_card import describe, measured
from models.recipes.pasting import DEVICE_GAIN, LESION_GAIN, Layer, moved, paste

NAME = "embedded-locator"
SEED = 20261128
TRUNK = Path("models/embedded/embedded-classifier.safetensors")
"""Its trunk has seen chests already (models.recipes.pretraining)."""

STEPS_PER_EPOCH = 50
EPOCHS = 16
RATE = 1.5e-3
"""AdamW with a warm-up and a cosine to 0."""

WEIGHT_DECAY = 1e-3
WARM_UP = 0.05
FROZEN = 4
"""The stem and this many stages keep their weights: edges are edges, and time is saved."""

AVERAGE_DECAY = 0.99
"""Decay per step of the moving average of the weights that is kept."""

PARTS = {"phantom": 3, "pasted": 3, "healthy": 1, "labelled": 1}
"""Films of each kind in a batch: phantoms; healthy real films with something pasted; healthy ones as they are (JSRT's
nodules among them); and real films with any labels."""

PASTE_ON_PHANTOM = 0.5
"""Share of phantoms that get further devices pasted."""

SOFT_PRESENT = 0.85
"""What a film's label of presence counts for: mined labels are wrong at times."""

DICE_WEIGHT, FILM_WEIGHT = 3.0, 1.0

POSITIVE_WEIGHTS = {
    "effusion": 6.0, "pneumothorax": 6.0, "lung_opacity": 5.0, "atelectasis": 12.0, "lung_lesion": 16.0,
    "cavity": 16.0, "pleural_thickening": 12.0, "hernia": 12.0, "fracture": 16.0, "retained_sponge": 12.0,
    "retained_needle": 16.0,
}  # fmt: skip
"""Weight of a positive pixel in the cross-entropy, about the root of how many negative ones there are to it; 4 for the
others. Without it the rare classes are not learnt beside the frequent devices."""

FREQUENT_WEIGHT = 4.0

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


def halved(masks: torch.Tensor) -> torch.Tensor:
    """Masks [N, K, S, S] at half the size; what is thin keeps every pixel, so that no tube is torn."""
    thin = torch.tensor([code in THIN for code in CLASSES])[None, :, None, None]
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
        grey = from_bytes(torch.from_numpy(self.phantoms.pixels[rows]))[:, None]
        low, high = torch.quantile(grey.flatten(1)[:, ::7], torch.tensor([0.01, 0.99]), dim=1).view(2, -1, 1, 1, 1)
        grey = ((grey - low) / (high - low)).clamp(0, 1)
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
    """The batch on the network's square, moved and toned at random; grey as the network takes it."""
    grid = augment.random_grid(len(lesson.grey), SIDE, STRENGTH, generator)
    grey = augment.sample(lesson.grey, grid)
    coarse = functional.avg_pool2d(grid.movedim(-1, 1), 2).movedim(1, -1)
    drawn = augment.sample(torch.cat((lesson.masks, lesson.unsure), dim=1), coarse)
    grey = augment.change_processing(grey, STRENGTH, generator)
    grey = augment.change_tone(grey, STRENGTH, generator)
    grey = augment.draw_frames(grey, STRENGTH, generator)
    return Lesson(normalised(grey), drawn[:, :-1], lesson.says, drawn[:, -1:])


def loss_of(logits: torch.Tensor, lesson: Lesson) -> torch.Tensor:
    """Cross-entropy of cells, Dice where a class is drawn, cross-entropy of films; each over what is known."""
    placed = (lesson.says == Says.ABSENT) | (lesson.says == Says.HERE)
    counted = placed.float()[:, :, None, None].expand_as(logits).clone()
    counted[:, CLASSES.index("lung_opacity")] *= 1 - lesson.unsure[:, 0]
    weights = torch.tensor([POSITIVE_WEIGHTS.get(code, FREQUENT_WEIGHT) for code in CLASSES])[:, None, None]
    targets = lesson.masks.clamp(0, 1)
    entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none", pos_weight=weights)
    pixel = (entropy * counted).sum(dim=(0, 2, 3)) / counted.sum(dim=(0, 2, 3)).clamp(min=1)
    drawn = (targets.amax(dim=(2, 3)) > 0.5) & placed
    chance = torch.sigmoid(logits) * counted
    shared, total = (chance * targets).sum(dim=(2, 3)), (chance + targets * counted).sum(dim=(2, 3))
    dice = 1 - (2 * shared + 1) / (total + 1)
    overlap = (dice * drawn).sum(dim=0) / drawn.sum(dim=0).clamp(min=1)
    told = lesson.says != Says.NOTHING
    present = torch.where(lesson.says == Says.SOMEWHERE, SOFT_PRESENT, drawn.float())
    film = functional.binary_cross_entropy_with_logits(peak(logits), present, reduction="none")
    whole = (film * told).sum() / told.sum().clamp(min=1)
    return pixel.sum() + DICE_WEIGHT * overlap.sum() / drawn.any(dim=0).sum().clamp(min=1) + FILM_WEIGHT * whole


def started() -> Locator:
    """A locator with the embedded classifier's trunk and a fresh decoder."""
    torch.manual_seed(SEED)
    network = Locator()
    own = network.state_dict()
    for name, value in load_file(TRUNK).items():
        if name in own and name.startswith(("stem.", "stages.")):
            own[name] = value.float() if value.is_floating_point() else value
    network.load_state_dict(own)
    with torch.no_grad():  # a class is rare: begin with it absent
        for head in (network.lesions, network.objects):
            head.bias.fill_(-3.0)  # type: ignore[union-attr]
    return network


def share_of_rate(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine to 0."""
    warm = max(1, int(WARM_UP * steps))
    return (step + 1) / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def train(school: School, epochs: int, kept: Path, start: Path | None = None) -> Locator:
    """The moving average of the weights after so many epochs, from `started` or from earlier weights.

    The state after each epoch is kept in a file.
    """
    network = started() if start is None else load_locator(load_file(start)).requires_grad_(True)
    network = network.train().to(memory_format=torch.channels_last)
    for part in (network.stem, *network.stages[:FROZEN]):
        part.eval().requires_grad_(False)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE_DECAY), use_buffers=True
    )
    learnt = [weight for weight in network.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=RATE, weight_decay=WEIGHT_DECAY)
    steps = epochs * STEPS_PER_EPOCH
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: share_of_rate(step, steps))
    parts: dict[str, Any] = {
        "network": network, "average": average, "optimiser": optimiser, "schedule": schedule
    }  # fmt: skip
    first = 0
    if kept.exists():
        held = torch.load(kept, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(held[name])
        first = held["epoch"]
        school.generator.manual_seed(SEED + first)
    console = Console()
    for epoch in range(first, epochs):
        total = 0.0
        for _ in track(range(STEPS_PER_EPOCH), description=f"epoch {epoch + 1}/{epochs}", console=console):
            lesson = augmented(school.batch(), school.generator)
            loss = loss_of(network(lesson.grey.contiguous(memory_format=torch.channels_last)), lesson)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learnt, 1.0)
            optimiser.step()
            schedule.step()
            average.update_parameters(network)
            total += float(loss.detach())
        console.print(f"epoch {epoch + 1}/{epochs} loss {total / STEPS_PER_EPOCH:.4f}")
        states = {name: part.state_dict() for name, part in parts.items()}
        torch.save({**states, "epoch": epoch + 1}, kept.with_suffix(".part"))
        kept.with_suffix(".part").replace(kept)
    return load_locator(average.module.state_dict())


def main() -> None:
    """Train, store the weights, and write their card; or only measure what is stored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("models/embedded"))
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps phantoms and states between runs")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--phantoms", type=int, default=TRAINING)
    parser.add_argument("--start", type=Path, help="earlier weights of the whole network to go on from")
    parser.add_argument("--measure-only", action="store_true", help="measure the stored weights again")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.measure_only:
        card = tomllib.loads((arguments.out / f"{NAME}.toml").read_text(encoding="utf-8"))
        identity = {key: card[key] for key in ("id", "revision", "sha256", "date")}
    else:
        phantoms = make_outlined(TRAINING_SEED, arguments.phantoms, arguments.cache)
        films = real_films(arguments.data, arguments.cache).training()
        school = School(phantoms, films, torch.Generator().manual_seed(SEED))
        network = train(school, arguments.epochs, arguments.cache / "locator.pt", arguments.start)
        identity = write_weights(stored_state(network), arguments.out, NAME)
    stored = load_locator(load_file(arguments.out / f"{NAME}.safetensors"))
    points, figures = measured(stored, arguments.data, arguments.cache)
    write_card(describe(identity, points, figures), arguments.out)


if __name__ == "__main__":
    main()

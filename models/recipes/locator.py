"""Trains and measures the embedded locator: python -m models.recipes.locator --cache FOLDER [--data DIR] [--out DIR].

Phantoms say exactly where everything is; real films say what does not look like it, and, weakly, what does: a label
without a place asks only that the finding be seen somewhere. In between, phantoms' lesions and devices are pasted over
real films (models.recipes.pasting), so that they are learnt on real texture. The trunk is taken from the embedded
classifier, or with --start from an earlier locator, and stays as it is; only the pyramid of the classes of disease is
trained. The state is kept in the cache folder, and a run that was broken off goes on from there. Devices are taught
after it, by models.recipes.locator_fine and models.recipes.locator_ends.

The shipped weights went on from a locator whose trunk beyond its second stage was trained for 250 steps by an earlier
form of this recipe, which taught the same classes at stride 2.
"""

from __future__ import annotations

import argparse
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console
from safetensors.torch import load_file
from torch.nn import functional

from models.locator import CLASSES, LESIONS, PEAK_CELLS, Locator, load_locator, peak
from models.recipes.cards import halved as stored_state
from models.recipes.cards import write_weights
from models.recipes.lesion_films import Says, real_films
from models.recipes.lesion_phantoms import TRAINING, TRAINING_SEED, make_outlined
from models.recipes.locator_card import write_measured
from models.recipes.locator_lessons import THIN, Lesson, School, augmented
from models.recipes.rates import Course

NAME = "embedded-locator"
SEED = 20261128
TRUNK = Path("models/embedded/embedded-classifier.safetensors")
"""Its trunk has seen chests already (models.recipes.pretraining)."""

Part = Literal["lesions", "objects"]
CHANNELS: dict[Part, slice] = {"lesions": slice(0, len(LESIONS)), "objects": slice(len(LESIONS), len(CLASSES))}
"""Classes of each of the network's parts, which are trained one after the other."""

STRIDE: dict[Part, int] = {"lesions": 8, "objects": 2}
"""At which each is read."""

STEPS, KEPT_EVERY = 1600, 100
"""Lessons, each new, and after how many the state is stored."""

OPACITY, HALF = "lung_opacity", 0.5
RATE = 1.5e-3
"""AdamW with a warm-up and a cosine to 0."""

WEIGHT_DECAY = 1e-3
WARM_UP = 0.05
AVERAGE_DECAY = 0.99
"""Decay per step of the moving average of the weights that is kept."""

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


def pooled(lesson: Lesson) -> Lesson:
    """The lesson of the classes of disease, masks at the size at which they are read."""
    step, rows = STRIDE["lesions"] // 2, CHANNELS["lesions"]
    masks = lesson.masks[:, rows]
    thin = torch.tensor([code in THIN for code in CLASSES[rows]])[None, :, None, None]
    masks = torch.where(thin, functional.max_pool2d(masks, step), functional.avg_pool2d(masks, step))
    return Lesson(lesson.grey, masks, lesson.says[:, rows], functional.max_pool2d(lesson.unsure, step))


def loss_of(logits: torch.Tensor, lesson: Lesson, part: Part) -> torch.Tensor:
    """Cross-entropy of cells, Dice where a class is drawn, cross-entropy of films; each over what is known."""
    codes = CLASSES[CHANNELS[part]]
    placed = (lesson.says == Says.ABSENT) | (lesson.says == Says.HERE)
    counted = placed.float()[:, :, None, None].expand_as(logits).clone()
    if OPACITY in codes:
        counted[:, codes.index(OPACITY)] *= 1 - lesson.unsure[:, 0]
    weights = torch.tensor([POSITIVE_WEIGHTS.get(code, FREQUENT_WEIGHT) for code in codes])[:, None, None]
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
    cells = max(1, PEAK_CELLS * 4 // STRIDE[part] ** 2)
    film = functional.binary_cross_entropy_with_logits(peak(logits, cells), present, reduction="none")
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
        network.lesions.told.bias.fill_(-3.0)  # type: ignore[union-attr]
    return network


def next_lesson(school: School) -> Lesson:
    """A lesson for lesions, mirrored at random."""
    lesson = pooled(augmented(school.batch(), school.generator))
    if torch.rand((), generator=school.generator) < HALF:
        return replace(lesson, grey=lesson.grey.flip(-1), masks=lesson.masks.flip(-1), unsure=lesson.unsure.flip(-1))
    return lesson


def train(network: Locator, school: School, kept: Path) -> dict[str, torch.Tensor]:
    """State of the moving average of the pyramid's weights after STEPS lessons; the rest of the network stays."""
    network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    network.lesions.train().requires_grad_(True)
    course = Course(
        network.lesions, STEPS, RATE, weight_decay=WEIGHT_DECAY, average_decay=AVERAGE_DECAY, warm_up=WARM_UP
    )
    course.take_up(kept)
    total = 0.0
    while course.step < STEPS:
        school.generator.manual_seed(SEED + course.step)
        lesson = next_lesson(school)
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            maps = network.trunk(lesson.grey.contiguous(memory_format=torch.channels_last))
        loss = loss_of(network.lesions([one.float() for one in maps]), lesson, "lesions")
        course.learn(loss)
        total += float(loss.detach())
        if course.step % KEPT_EVERY == 0:
            Console().print(f"lesions: step {course.step}/{STEPS} loss {total / KEPT_EVERY:.4f}")
            course.keep(kept)
            total = 0.0
    return course.average.module.state_dict()


def main() -> None:
    """Train, store the weights, and write their card; or only measure what is stored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("models/embedded"))
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps phantoms and states between runs")
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
        network = started() if arguments.start is None else load_locator(load_file(arguments.start))
        network.lesions.load_state_dict(train(network, school, arguments.cache / "locator_lesions.pt"))
        identity = write_weights(stored_state(network), arguments.out, NAME)
    write_measured(identity, arguments.out, arguments.data, arguments.cache)


if __name__ == "__main__":
    main()

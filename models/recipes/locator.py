"""Trains and measures the embedded locator: python -m models.recipes.locator --cache FOLDER [--data DIR] [--out DIR].

Phantoms say exactly where everything is; real films say what does not look like it, and, weakly, what does: a label
without a place asks only that the finding be seen somewhere. In between, phantoms' lesions and devices are pasted over
real films (models.recipes.pasting), so that they are learnt on real texture. The trunk is taken from the embedded
classifier, or with --start from an earlier locator, and stays as it is; only the decoder is trained. Lessons and the
state after every epoch are kept in the cache folder, and a run that was broken off goes on from there.

The shipped weights went on from a locator whose trunk beyond its second stage was trained for 250 steps by an earlier
form of this recipe, which taught the same classes at stride 2.
"""

from __future__ import annotations

import argparse
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from rich.progress import track
from safetensors.torch import load_file
from torch.nn import functional

from models.locator import CLASSES, LESIONS, PEAK_CELLS, Locator, load_locator, peak
from models.recipes.cards import halved as stored_state
from models.recipes.cards import write_weights
from models.recipes.lesion_films import Says, real_films
from models.recipes.lesion_phantoms import TRAINING, TRAINING_SEED, make_outlined
from models.recipes.locator_card import write_measured
from models.recipes.locator_lessons import THIN, Lesson, School, augmented
from models.recipes.rates import descend, share_of_rate

NAME = "embedded-locator"
SEED = 20261128
TRUNK = Path("models/embedded/embedded-classifier.safetensors")
"""Its trunk has seen chests already (models.recipes.pretraining)."""

Part = Literal["lesions", "objects"]
CHANNELS: dict[Part, slice] = {"lesions": slice(0, len(LESIONS)), "objects": slice(len(LESIONS), len(CLASSES))}
"""Classes of each of the network's parts, which are trained one after the other."""

STRIDE: dict[Part, int] = {"lesions": 8, "objects": 2}
"""At which each is read."""

LESSONS = 60
"""Batches that are drawn; the trunk stays as it is, so that its maps of them are made once."""

EPOCHS: dict[Part, int] = {"lesions": 12, "objects": 6}
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


def pooled(lesson: Lesson, part: Part) -> Lesson:
    """The lesson of one part's classes, masks at the size at which the part is read."""
    step, rows = STRIDE[part] // 2, CHANNELS[part]
    masks = lesson.masks[:, rows]
    if step > 1:
        thin = torch.tensor([code in THIN for code in CLASSES[rows]])[None, :, None, None]
        masks = torch.where(thin, functional.max_pool2d(masks, step), functional.avg_pool2d(masks, step))
    unsure = functional.max_pool2d(lesson.unsure, step)
    return Lesson(lesson.grey, masks, lesson.says[:, rows], unsure)


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
        for head in (network.lesions.told, network.objects):
            head.bias.fill_(-3.0)  # type: ignore[union-attr]
    return network


def kept_lessons(school: School, network: Locator, folder: Path) -> list[Path]:
    """Files of lessons with the trunk's maps of them; a file once made is not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"lesson_{number:03d}.pt" for number in range(LESSONS)]
    missing = [(number, path) for number, path in enumerate(paths) if not path.exists()]
    network.eval()
    for number, path in track(missing, description="lessons"):
        school.generator.manual_seed(SEED + number)
        lesson = augmented(school.batch(), school.generator)
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            maps = network.trunk(lesson.grey.contiguous(memory_format=torch.channels_last))
        held = {name: getattr(lesson, name) for name in Lesson.__annotations__}
        held["masks"] = torch.round(held["masks"].clamp(0, 1) * 255).byte()
        torch.save({"maps": [one.bfloat16() for one in maps], **held}, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)
    return paths


def opened(path: Path, part: Part) -> tuple[list[torch.Tensor], Lesson]:
    """The trunk's maps of one lesson, and the lesson for one part."""
    held = torch.load(path, weights_only=True)
    maps = held.pop("maps")
    held["masks"] = held["masks"].float() / 255
    return maps if part == "objects" else [torch.zeros(0), torch.zeros(0), *maps[2:]], pooled(Lesson(**held), part)


def train(network: Locator, lessons: list[Path], part: Part, kept: Path) -> Locator:
    """The moving average of the weights after EPOCHS over lessons of `kept_lessons`; only one part learns.

    Maps and masks are mirrored at random, as if the film had been. The state after each epoch is kept in a file.
    """
    learning = [network.lesions] if part == "lesions" else [network.whole, network.merges, network.objects]
    told = network.lesions if part == "lesions" else network.thin
    network.eval().requires_grad_(False)
    for module in learning:
        module.train().requires_grad_(True)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE_DECAY), use_buffers=True
    )
    learnt = [weight for weight in network.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: share_of_rate(step, EPOCHS[part] * len(lessons), WARM_UP)
    )
    parts: dict[str, Any] = {"network": network, "average": average, "optimiser": optimiser, "schedule": schedule}
    first = 0
    if kept.exists():
        held = torch.load(kept, weights_only=True)
        for name, one in parts.items():
            one.load_state_dict(held[name])
        first = held["epoch"]
    console = Console()
    shown = [opened(path, part) for path in lessons]
    for epoch in range(first, EPOCHS[part]):
        total, generator = 0.0, torch.Generator().manual_seed(SEED + epoch)
        for number in torch.randperm(len(lessons), generator=generator).tolist():
            maps, lesson = shown[number]
            if torch.rand((), generator=generator) < HALF:
                maps = [one.flip(-1) for one in maps]
                lesson = replace(lesson, masks=lesson.masks.flip(-1), unsure=lesson.unsure.flip(-1))
            loss = loss_of(told([one.float() for one in maps]), lesson, part)
            descend(loss, learnt, optimiser, schedule)
            average.update_parameters(network)
            total += float(loss.detach())
        console.print(f"{part}: epoch {epoch + 1}/{EPOCHS[part]} loss {total / len(lessons):.4f}")
        torch.save({**{name: one.state_dict() for name, one in parts.items()}, "epoch": epoch + 1}, kept)
    return load_locator(average.module.state_dict())


def main() -> None:
    """Train, store the weights, and write their card; or only measure what is stored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("models/embedded"))
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps phantoms and states between runs")
    parser.add_argument("--parts", nargs="+", choices=tuple(CHANNELS), default=tuple(CHANNELS), help="what is to learn")
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
        lessons = kept_lessons(school, network, arguments.cache / "lessons")
        for part in arguments.parts:
            network = train(network, lessons, part, arguments.cache / f"locator_{part}.pt")
        identity = write_weights(stored_state(network), arguments.out, NAME)
    write_measured(identity, arguments.out, arguments.data, arguments.cache)


if __name__ == "__main__":
    main()

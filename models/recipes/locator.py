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
import math
import tomllib
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from models.locator import CLASSES, Locator, load_locator, peak
from models.recipes.cards import halved as stored_state
from models.recipes.cards import write_card, write_weights
from models.recipes.lesion_films import Says, real_films
from models.recipes.lesion_phantoms import TRAINING, TRAINING_SEED, make_outlined
from models.recipes.locator_card import describe, measured
from models.recipes.locator_lessons import Lesson, School, augmented

NAME = "embedded-locator"
SEED = 20261128
TRUNK = Path("models/embedded/embedded-classifier.safetensors")
"""Its trunk has seen chests already (models.recipes.pretraining)."""

LESSONS = 64
"""Batches that are drawn; the trunk stays as it is, so that its maps of them are made once."""

EPOCHS = 6
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


def _opened(path: Path) -> tuple[list[torch.Tensor], Lesson]:
    held = torch.load(path, weights_only=True)
    held["masks"] = held["masks"].float() / 255
    return held.pop("maps"), Lesson(**held)


def train(network: Locator, lessons: list[Path], epochs: int, kept: Path) -> Locator:
    """The moving average of the weights after so many epochs over lessons of `kept_lessons`; the trunk stays as it is.

    The state after each epoch is kept in a file.
    """
    network.train()
    for part in (network.stem, network.stages):
        part.eval().requires_grad_(False)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE_DECAY), use_buffers=True
    )
    learnt = [weight for weight in network.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=RATE, weight_decay=WEIGHT_DECAY)
    steps = epochs * len(lessons)
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
    console = Console()
    for epoch in range(first, epochs):
        total = 0.0
        order = torch.randperm(len(lessons), generator=torch.Generator().manual_seed(SEED + epoch)).tolist()
        for number in track(order, description=f"epoch {epoch + 1}/{epochs}", console=console):
            maps, lesson = _opened(lessons[number])
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = network.decoded(maps)
            loss = loss_of(logits.float(), lesson)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learnt, 1.0)
            optimiser.step()
            schedule.step()
            average.update_parameters(network)
            total += float(loss.detach())
        console.print(f"epoch {epoch + 1}/{epochs} loss {total / len(lessons):.4f}")
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
        network = started() if arguments.start is None else load_locator(load_file(arguments.start))
        network.requires_grad_(True)
        lessons = kept_lessons(school, network, arguments.cache / "lessons")
        network = train(network, lessons, arguments.epochs, arguments.cache / "locator.pt")
        identity = write_weights(stored_state(network), arguments.out, NAME)
    stored = load_locator(load_file(arguments.out / f"{NAME}.safetensors"))
    points, figures = measured(stored, arguments.data, arguments.cache)
    write_card(describe(identity, points, figures), arguments.out)


if __name__ == "__main__":
    main()

"""Trains the locator's devices: python -m models.recipes.locator_fine --cache FOLDER [--data DIR] [--out DIR].

The weights that models.recipes.locator made stay as they are; then the card is written anew. The state is kept in the
cache folder, and a run that was broken off goes on from there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.console import Console
from safetensors.torch import load_file

from models.locator import OBJECTS, load_locator, peak
from models.locator_fine import Fine
from models.recipes.cards import halved, write_weights
from models.recipes.device_lessons import DeviceLesson, DeviceSchool, make_school
from models.recipes.lesion_films import Says
from models.recipes.locator import NAME, WEIGHT_DECAY, loss_of
from models.recipes.locator_card import write_measured
from models.recipes.locator_lessons import Lesson
from models.recipes.rates import Course

SEED = 20261129
STEPS, RATE = 3600, 3e-3
"""Lessons of DeviceSchool, each new, and AdamW's rate."""

WARM_UP, LEVEL = 0.03, 0.4
"""Shares of the steps over which the rate rises, and up to which it stays."""

AVERAGE_DECAY = 0.995
"""Decay per step of the moving average of the weights that is kept."""

KEPT_EVERY = 200
"""Steps after which the state is stored."""


def loss_on(logits: torch.Tensor, lesson: DeviceLesson) -> torch.Tensor:
    """The locator's loss of devices."""
    nothing = torch.zeros_like(lesson.masks[:, :1])
    return loss_of(logits, Lesson(lesson.square, lesson.masks, lesson.says, nothing), "objects")


def mark_hard(school: DeviceSchool, logits: torch.Tensor, lesson: DeviceLesson) -> None:
    """Tells the school how high real films scored for devices that they do not have, so that it draws these again."""
    scores = torch.sigmoid(peak(logits)) * (lesson.says == Says.ABSENT)
    plain = lesson.films >= 0
    school.hard[lesson.films[plain]] = scores[plain].amax(dim=1)


def train(school: DeviceSchool, kept: Path) -> dict[str, torch.Tensor]:
    """State of the moving average of the weights after STEPS lessons."""
    torch.manual_seed(SEED)
    network = Fine(len(OBJECTS)).to(memory_format=torch.channels_last).train()
    course = Course(
        network, STEPS, RATE, weight_decay=WEIGHT_DECAY, average_decay=AVERAGE_DECAY, warm_up=WARM_UP, level=LEVEL
    )
    school.hard = course.take_up(kept).get("hard", school.hard)
    total = 0.0
    while course.step < STEPS:
        school.generator.manual_seed(SEED + course.step)
        lesson = school.lesson()
        seen = network.seen(lesson.square).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = network.read(seen)
        loss = loss_on(logits.float(), lesson)
        course.learn(loss)
        mark_hard(school, logits.detach().float(), lesson)
        total += float(loss.detach())
        if course.step % KEPT_EVERY == 0:
            Console().print(f"fine: step {course.step}/{STEPS} loss {total / KEPT_EVERY:.4f}")
            course.keep(kept, hard=school.hard)
            total = 0.0
    return course.average.module.state_dict()


def main() -> None:
    """Train the network, store the weights of the whole locator, and write their card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("models/embedded"))
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps phantoms and states between runs")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = load_locator(load_file(arguments.out / f"{NAME}.safetensors"))
    school = make_school(arguments.data, arguments.cache, torch.Generator())
    network.fine.load_state_dict(train(school, arguments.cache / "locator_fine.pt"))
    identity = write_weights(halved(network), arguments.out, NAME)
    write_measured(identity, arguments.out, arguments.data, arguments.cache)


if __name__ == "__main__":
    main()

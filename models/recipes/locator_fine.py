"""Trains the locator's fine branch: python -m models.recipes.locator_fine --cache FOLDER [--data DIR] [--out DIR].

Goes on from the weights that models.recipes.locator made, which stay as they are, and learns from lessons of that
recipe; then the card is written anew. Lessons and the state after every epoch are kept in the cache folder, and a run
that was broken off goes on from there.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from safetensors.torch import load_file

from models.locator import OBJECTS, Locator, load_locator
from models.locator_fine import Fine
from models.recipes.cards import halved, write_weights
from models.recipes.lesion_films import real_films
from models.recipes.lesion_phantoms import TRAINING_SEED, make_outlined
from models.recipes.locator import AVERAGE_DECAY, HALF, NAME, SEED, WARM_UP, WEIGHT_DECAY, loss_of, pooled
from models.recipes.locator_card import write_measured
from models.recipes.locator_lessons import Lesson, School, augmented
from models.recipes.rates import descend, share_of_rate

PHANTOMS = 100
LESSONS, EPOCHS, RATE = 100, 6, 3e-3
"""Batches, how often each is seen, and AdamW's rate."""

FIRST_LESSON = 1000
"""Lessons are drawn from seeds that the locator's own were not."""

TRUST = 0.5
"""Share of what it learnt that is added to the locator's maps. With all of it, scores of real films without a retained
object have a longer tail: of 0, 0.35, 0.5, 0.7 and 1 this one found most at 0.3 % of false alarms (validation sets)."""


def kept_lessons(school: School, network: Locator, folder: Path) -> list[Path]:
    """Files of lessons with what the locator itself says of them; a file once made is not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"fine_{number:03d}.pt" for number in range(LESSONS)]
    for number, path in track([item for item in enumerate(paths) if not item[1].exists()], description="lessons"):
        school.generator.manual_seed(SEED + FIRST_LESSON + number)
        lesson = pooled(augmented(school.batch(), school.generator), "objects")
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            coarse = network.thin(network.trunk(lesson.grey.contiguous(memory_format=torch.channels_last)))
        held = {"grey": lesson.grey.half(), "masks": torch.round(lesson.masks.clamp(0, 1) * 255).byte()}
        torch.save({**held, "says": lesson.says, "coarse": coarse.half()}, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)
    return paths


def loss_on(fine: Fine, lesson: Path, generator: torch.Generator) -> torch.Tensor:
    """The loss of one lesson, mirrored at random."""
    held = torch.load(lesson, weights_only=True)
    grey, masks, coarse = held["grey"].float(), held["masks"].float() / 255, held["coarse"].float()
    if torch.rand((), generator=generator) < HALF:
        grey, masks, coarse = grey.flip(-1), masks.flip(-1), coarse.flip(-1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = fine(grey.contiguous(memory_format=torch.channels_last), coarse)
    return loss_of(logits.float(), Lesson(grey, masks, held["says"], torch.zeros_like(masks[:, :1])), "objects")


def train(fine: Fine, lessons: list[Path], kept: Path) -> dict[str, torch.Tensor]:
    """State of the moving average of the weights after EPOCHS over lessons."""
    fine.to(memory_format=torch.channels_last).train().requires_grad_(True)
    average = torch.optim.swa_utils.AveragedModel(
        fine, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE_DECAY), use_buffers=True
    )
    optimiser = torch.optim.AdamW(fine.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: share_of_rate(step, EPOCHS * len(lessons), WARM_UP)
    )
    parts: dict[str, Any] = {"network": fine, "average": average, "optimiser": optimiser, "schedule": schedule}
    first = 0
    if kept.exists():
        held = torch.load(kept, weights_only=True)
        first = held.pop("epoch")
        for name, state in held.items():
            parts[name].load_state_dict(state)
    for epoch in range(first, EPOCHS):
        total, generator = 0.0, torch.Generator().manual_seed(SEED + epoch)
        for number in torch.randperm(len(lessons), generator=generator).tolist():
            loss = loss_on(fine, lessons[number], generator)
            descend(loss, fine.parameters(), optimiser, schedule)
            average.update_parameters(fine)
            total += float(loss.detach())
        Console().print(f"fine: epoch {epoch + 1}/{EPOCHS} loss {total / len(lessons):.4f}")
        torch.save({**{name: one.state_dict() for name, one in parts.items()}, "epoch": epoch + 1}, kept)
    return average.module.state_dict()


def trusted(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state that adds TRUST of what this one adds."""
    return {name: TRUST * value if name.startswith("told.") else value for name, value in state.items()}


def main() -> None:
    """Train the branch, store the weights of the whole network, and write their card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("models/embedded"))
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps phantoms and states between runs")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = load_locator(load_file(arguments.out / f"{NAME}.safetensors"))
    phantoms = make_outlined(TRAINING_SEED, PHANTOMS, arguments.cache)
    school = School(phantoms, real_films(arguments.data, arguments.cache).training(), torch.Generator())
    lessons = kept_lessons(school, network, arguments.cache / "lessons")
    torch.manual_seed(SEED)
    state = train(Fine(len(OBJECTS)), lessons, arguments.cache / "locator_fine.pt")
    network.fine.load_state_dict(trusted(state))
    identity = write_weights(halved(network), arguments.out, NAME)
    write_measured(identity, arguments.out, arguments.data, arguments.cache)


if __name__ == "__main__":
    main()

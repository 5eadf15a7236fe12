"""Trains the end of the locator's tubes: python -m models.recipes.locator_ends --cache FOLDER [--data DIR] [--out DIR].

Learns from strips about endotracheal tubes: phantoms' (models.recipes.device_phantoms), whose tips are known exactly,
and phantoms' tubes pasted over real films, so that it has seen real spines. Goes on from the weights that
models.recipes.locator_fine made, which stay as they are; then the card is written anew.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.progress import track
from safetensors.torch import load_file
from torch.nn import functional

from models.locator import OBJECTS, TIPPED, TRUNK_SIDE, load_locator
from models.locator_fine import NO_TIP, STRIDE, STRIP, Ends
from models.recipes import augment
from models.recipes.cards import halved, write_weights
from models.recipes.data import normalised
from models.recipes.device_lessons import DeviceSchool, make_school
from models.recipes.device_phantoms import LAYERS, SIZE
from models.recipes.lesion_films import Says
from models.recipes.lesion_phantoms import CANVAS
from models.recipes.locator import AVERAGE_DECAY, HALF, NAME, WARM_UP, WEIGHT_DECAY
from models.recipes.locator_card import write_measured
from models.recipes.locator_lessons import STRENGTH
from models.recipes.rates import Course

SEED = 20261129
STEPS, STRIPS = 2400, {"phantom": 11, "pasted": 4, "real": 1}
"""Batches, and what is in one."""

PASTED, PLAIN = 160, 120
"""Real films with a tube pasted, and real films without a tube, that strips are cut from."""

WITH_TUBE = 0.7
"""Share of phantoms' strips with a tube."""

RATE = 4e-3
"""AdamW's, with a warm-up and a cosine to 0."""

TURN_DEG, ZOOM, STRETCH, SHIFT_PX = 8.0, (0.88, 1.25), 0.08, (30.0, 12.0)
"""How strips are moved: turned, scaled, stretched across, and shifted along and across, pixels of the canvas."""

TONE = replace(STRENGTH, gamma=0.2, contrast=0.06, noise=0.012)
"""Gentler than for lessons, so that the mediastinum does not turn white: a stripe would be gone."""

SPREAD_PX = 2.6
"""Standard deviation of the spot about a tip that is learnt."""

OFF_MIDDLE_PX = 8.0
"""Standard deviation of where a strip without a tube is cut, about the film's middle."""

WHOLE = 0.6
"""Share of the spot that must lie on the strip."""


@dataclass(frozen=True)
class Tubes:
    """Films to cut strips from.

    Attributes:
        grey: float32 [N, 1, S, S] in [0, 1].
        columns: float32 [N], the tube's middle column; about the film's middle where there is none.
        tips: float32 [N, 2], (row, column) in pixels from the film's edges, NaN without a tube.
    """

    grey: torch.Tensor
    columns: torch.Tensor
    tips: torch.Tensor


class Bench:
    """Draws films with and without tubes."""

    def __init__(self, school: DeviceSchool) -> None:
        self.school, self.generator = school, school.generator
        films, number = school.films, OBJECTS.index(TIPPED)
        self.tubes = np.unpackbits(films.masks[:, number], axis=-1)
        there = np.asarray(self.tubes.any(axis=(1, 2)))
        self.rows = np.flatnonzero(~there), np.flatnonzero(there & (films.tips[:, 0] > 0))
        without = np.flatnonzero(school.says[:, number] == Says.ABSENT)
        self.plain = self._plain(school.drawn(without, PLAIN))
        layers = [layer for layer in school.layers if there[layer // LAYERS * films.pictures + layer % LAYERS]]
        self.pasted = joined([self._pasted(school.drawn(without, 1), np.array(layers)) for _ in range(PASTED)])

    def _middle(self, count: int) -> torch.Tensor:
        return CANVAS / 2 + OFF_MIDDLE_PX * torch.randn(count, generator=self.generator)

    def _plain(self, rows: npt.NDArray[np.intp]) -> Tubes:
        grey = functional.avg_pool2d(self.school.grey_of_films(rows), 2)
        return Tubes(grey, self._middle(len(rows)), torch.full((len(rows), 2), torch.nan))

    def _pasted(self, row: npt.NDArray[np.intp], layers: npt.NDArray[np.intp]) -> Tubes:
        """A real film with a phantom's tube; the tip is the outline's lowest end. None where the tube is off it."""
        grey, masks = self.school.pasted(row, self.school.drawn(layers, 1))
        drawn = np.array(masks[0, OBJECTS.index(TIPPED)].numpy() > 0)
        if not drawn.any():
            return Tubes(grey[:0, :, ::2, ::2], torch.zeros(0), torch.zeros(0, 2))
        middle = torch.tensor([float(np.nonzero(drawn)[1].mean())])
        return Tubes(functional.avg_pool2d(grey, 2), middle, torch.tensor([lowest(drawn)]))

    def phantoms(self, count: int) -> Tubes:
        """Phantoms, WITH_TUBE of them with a tube."""
        kinds = (torch.rand(count, generator=self.generator) < WITH_TUBE).tolist()
        rows = np.concatenate([self.school.drawn(self.rows[kind], 1) for kind in kinds])
        columns = self._middle(count)
        for number, (row, kind) in enumerate(zip(rows, kinds, strict=True)):
            if kind:
                columns[number] = float(np.nonzero(self.tubes[row])[1].mean())
        tips = (torch.from_numpy(self.school.films.tips[rows]) + 0.5) * (CANVAS / SIZE)
        return Tubes(functional.avg_pool2d(self.school.grey_of_phantoms(rows), 2), columns, tips)

    def batch(self) -> Tubes:
        """Of all kinds, as STRIPS says."""
        chosen = []
        for among, count in ((self.pasted, STRIPS["pasted"]), (self.plain, STRIPS["real"])):
            rows = self.school.drawn(np.arange(len(among.tips)), count)
            chosen.append(Tubes(*(getattr(among, name)[rows] for name in Tubes.__annotations__)))
        return joined([self.phantoms(STRIPS["phantom"]), *chosen])


def joined(parts: list[Tubes]) -> Tubes:
    """All films of several."""
    return Tubes(*(torch.cat([getattr(part, name) for part in parts]) for name in Tubes.__annotations__))


def lowest(tube: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """(row, column) of the lower end of a tube's outline bool [H, W], from the film's edges."""
    row = int(np.flatnonzero(tube.any(axis=1))[-1])
    return row + 0.5, float(np.flatnonzero(tube[row]).mean()) + 0.5


def cut(tubes: Tubes, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Strips float32 [N, 1, *STRIP] of films, moved at random, and their tips [N, 2] in pixels of the strip.

    Sampled twice as fine and averaged, as a film is when it is made smaller.
    """
    count, (high, wide), scale = len(tubes.tips), STRIP, CANVAS / TRUNK_SIDE

    def even(low: float, up: float) -> torch.Tensor:
        return low + (up - low) * torch.rand(count, 1, 1, generator=generator)

    turn, zoom = torch.deg2rad(even(-TURN_DEG, TURN_DEG)), even(*ZOOM)
    size = scale / zoom, scale / zoom / even(1 - STRETCH, 1 + STRETCH)
    top = high / 2 * scale + even(-SHIFT_PX[0], SHIFT_PX[0])
    left = tubes.columns[:, None, None] + even(-SHIFT_PX[1], SHIFT_PX[1])
    down = ((torch.arange(2 * high) + 0.5) / 2 - high / 2)[None, :, None] * size[0]
    across = ((torch.arange(2 * wide) + 0.5) / 2 - wide / 2)[None, None, :] * size[1]
    cos, sin = turn.cos(), turn.sin()
    rows, columns = top + cos * down - sin * across, left + sin * down + cos * across
    grid = torch.stack((columns, rows), dim=3) / CANVAS * 2 - 1
    strips = functional.avg_pool2d(functional.grid_sample(tubes.grey, grid, align_corners=False), 2)
    off_row, off_column = tubes.tips[:, :1, None] - top, tubes.tips[:, 1:, None] - left
    tip_row = (cos * off_row + sin * off_column) / size[0] + high / 2
    tip_column = (cos * off_column - sin * off_row) / size[1] + wide / 2
    return strips, torch.cat((tip_row, tip_column), dim=1)[..., 0]


def loss_of_tips(logits: torch.Tensor, tips: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the cell (or none) with a spot about the tip; strips that cut the tip off do not count.

    Takes logits [N, 1, h, w] and tips [N, 2] in pixels of the strip.
    """
    spots = []
    for length, at in zip(logits.shape[2:], tips.unbind(dim=1), strict=True):
        off = (torch.arange(length) + 0.5) * STRIDE - at[:, None]
        spots.append(torch.exp(-off.square() / (2 * SPREAD_PX**2)))
    target = torch.nan_to_num(spots[0][:, :, None] * spots[1][:, None, :]).flatten(1)
    total = target.sum(dim=1, keepdim=True)
    here = total[:, 0] > WHOLE * 2 * torch.pi * (SPREAD_PX / STRIDE) ** 2
    flat = logits.flatten(1)
    chance = torch.log_softmax(torch.cat((flat, torch.full_like(flat[:, :1], NO_TIP)), dim=1), dim=1)
    spot = -(chance[:, :-1] * target / total.clamp(min=1e-6)).sum(dim=1)
    none = torch.isnan(tips[:, 0])
    each = torch.where(here, spot, torch.where(none, -chance[:, -1], torch.zeros_like(spot)))
    return each.sum() / (here | none).sum().clamp(min=1)


def train(bench: Bench) -> dict[str, torch.Tensor]:
    """State of the moving average of Ends after STEPS batches, mirrored at random."""
    generator = bench.generator.manual_seed(SEED)
    torch.manual_seed(SEED)
    network = Ends().to(memory_format=torch.channels_last).train()
    course = Course(network, STEPS, RATE, weight_decay=WEIGHT_DECAY, average_decay=AVERAGE_DECAY, warm_up=WARM_UP)
    for _ in track(range(STEPS), description="ends"):
        strips, tips = cut(bench.batch(), generator)
        strips = augment.change_tone(augment.change_processing(strips, TONE, generator), TONE, generator)
        if torch.rand((), generator=generator) < HALF:
            strips, tips = strips.flip(-1), torch.stack((tips[:, 0], STRIP[1] - tips[:, 1]), dim=1)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = network(normalised(strips).contiguous(memory_format=torch.channels_last))
        loss = loss_of_tips(logits.float(), tips)
        course.learn(loss)
    Console().print(f"ends: {STEPS} steps, last loss {float(loss.detach()):.4f}")
    return course.average.module.state_dict()


def main() -> None:
    """Train, store the weights of the whole network, and write their card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("models/embedded"))
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps phantoms between runs")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = load_locator(load_file(arguments.out / f"{NAME}.safetensors"))
    school = make_school(arguments.data, arguments.cache, torch.Generator().manual_seed(SEED))
    network.ends.load_state_dict(train(Bench(school)))
    identity = write_weights(halved(network), arguments.out, NAME)
    write_measured(identity, arguments.out, arguments.data, arguments.cache)


if __name__ == "__main__":
    main()

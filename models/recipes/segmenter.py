"""Trains and measures the embedded segmenter: python -m models.recipes.segmenter [--data DIR] [--out DIR]."""

import argparse
import copy
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import Progress
from safetensors.torch import load_file, save_file
from torch.nn import functional

from models.networks import DRAWN_BY_HAND, SEGMENTER_SIDE, STRUCTURES, Segmenter, load_segmenter
from models.recipes import augment
from models.recipes.anatomy import (
    HELD_OUT,
    HELD_OUT_SEED,
    TRAINING,
    TRAINING_SEED,
    VALIDATION,
    VALIDATION_SEED,
    make_anatomy,
)  # fmt: skip
from models.recipes.cards import halved, write_card, write_weights
from models.recipes.data import (
    TEST_FOLD,
    VALIDATION_FOLD,
    MaskedFilm,
    from_bytes,
    jsrt_films,
    normalised,
    square_masked,
    tuberculosis_films,
)  # fmt: skip
from models.recipes.dice import choose_thresholds, figures, interval, measure
from models.recipes.initialise import initialised_segmenter
from models.recipes.outlines import CHECKS, checked
from models.recipes.rates import descend, share_of_rate
from models.recipes.segmenter_card import describe
from models.recipes.surroundings import concluded

NAME = "embedded-segmenter"
SEED = 20261123
BATCH = 8
EPOCHS = 50
"""Passes over folds 2 to 4 when choosing."""

MORE_EPOCHS = 15
"""Further passes over folds 1 to 4, from the chosen weights, once everything is chosen."""

LEARNING_RATE = 2e-3
"""AdamW with a cosine to 0 after a warm-up; the usual rate for a fresh decoder of this size. Halved for the rest."""

FROZEN_STAGES = 2
"""The stem and this many encoder stages keep their ImageNet weights: edges are edges, and half the time is saved."""

WIDENING_STEPS = 690
"""Batches from which the structures are learnt that only phantoms have; half of each is hand-drawn films."""

WIDENING_FROZEN = 3
"""Encoder stages kept meanwhile."""

ONE_BRANCH = (len(STRUCTURES),)
"""Outputs of the network in training, which learns all structures in one branch."""

RENAMED = {"stages.3.": "branches.0.deep.", "ups.": "branches.0.ups.", "head.": "branches.0.head."}
"""Names of parameters in weights stored before there were branches, and now."""

HEART_CUT = 0.45
"""Threshold of the heart. Its Dice is flat from 0.45 to 0.6 (0.961 on folds 1 to 4), its width is not: there the
cardiothoracic ratio is least biased at 0.45 (148 JSRT films: 0.001 too small; 0.004 at 0.6, which was used before)."""

WARM_UP = 0.1
WEIGHT_DECAY = 1e-3
CANVAS = 320
"""Films are held larger than the network's square so that zooming in does not blur."""

AVERAGE_DECAY = 0.99
"""Decay per step of the moving average of the weights that is kept (about the last hundred steps)."""

STRENGTH = augment.Strength(
    rotation=12.0, zoom_low=0.75, zoom_high=1.35, stretch=0.25, shift=0.08, gamma=0.5, contrast=0.35, noise=0.05,
    blur_chance=0.3, frame_chance=0.25, disease_chance=0.3, sharpening=1.2, haze=0.12,
)  # fmt: skip

REPORT_STEPS = 25
"""Steps between two lines of progress."""


@dataclass(frozen=True)
class Places:
    """Where the films are read, the weights and card are written, and phantoms are kept between runs."""

    data: Path
    out: Path
    cache: Path


def overlap_loss(logits: torch.Tensor, masks: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Cross-entropy plus soft Dice, averaged over the films that have a structure drawn, then over the structures.

    masks [N, 12, s, s], known [N, 12]. Of the structures not drawn on a film the cross-entropy counts where the lungs
    drawn on it say what is there (`surroundings.concluded`).
    """
    weight = known.float()
    targets, certain = concluded(masks[:, :2])
    fully = known[:, :, None, None]
    targets, certain = torch.where(fully, masks, targets), torch.where(fully, 1.0, certain)
    entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none") * certain
    entropy = entropy.sum(dim=(2, 3)) / certain.sum(dim=(2, 3)).clamp(min=1)
    probability = torch.sigmoid(logits)
    shared = (probability * masks).sum(dim=(2, 3))
    dice = 1 - (2 * shared + 1) / (probability.sum(dim=(2, 3)) + masks.sum(dim=(2, 3)) + 1)
    drawn = (dice * weight).sum(dim=0) / weight.sum(dim=0).clamp(min=1)
    return (entropy.mean(dim=0) + drawn).sum() / (known.any(dim=0) | (certain.sum(dim=(0, 2, 3)) > 0)).sum()


def augmented(
    squares: torch.Tensor, masks: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """A training batch: network input [N, 1, side, side] and masks float32 [N, 12, side, side]."""
    grid = augment.random_grid(len(squares), SEGMENTER_SIDE, STRENGTH, generator)
    both = augment.sample(torch.cat((from_bytes(squares), from_bytes(masks)), dim=1), grid)
    grey, drawn = both[:, :1], both[:, 1:]
    grey = augment.draw_disease(grey, drawn[:, :2], STRENGTH, generator)
    grey = augment.change_processing(grey, STRENGTH, generator)
    grey = augment.change_tone(grey, STRENGTH, generator)
    return normalised(augment.draw_frames(grey, STRENGTH, generator)), drawn


def freeze_early(network: Segmenter, frozen: int = FROZEN_STAGES) -> None:
    """Keep the stem and the first stages, their batch statistics included, as they are."""
    for part in (network.stem, *network.stages[:frozen]):
        part.eval().requires_grad_(False)


Films = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Films on squares, as `square_masked` gives them: grey, masks, known."""


def passes(films: Films, epochs: int, generator: torch.Generator) -> Iterator[Films]:
    """Batches of so many passes over the films, each in a new order."""
    batches = len(films[0]) // BATCH
    for _ in range(epochs):
        order = torch.randperm(len(films[0]), generator=generator)
        for chunk in order[: batches * BATCH].split(BATCH):
            yield films[0][chunk], films[1][chunk], films[2][chunk]


def mixed(first: Films, second: Films, steps: int, generator: torch.Generator) -> Iterator[Films]:
    """So many batches, half of each from either set, drawn at random."""
    for _ in range(steps):
        chosen = [torch.randint(len(films[0]), (BATCH // 2,), generator=generator) for films in (first, second)]
        pairs = zip(first, second, strict=True)
        yield tuple(torch.cat((one[chosen[0]], other[chosen[1]])) for one, other in pairs)  # type: ignore[misc]


def train(network: Segmenter, films: Sequence[MaskedFilm], label: str, epochs: int, rate: float) -> Segmenter:
    """The moving average of the segmenter's weights after so many passes over the films."""
    generator = torch.Generator().manual_seed(SEED)
    squares = square_masked(films, CANVAS)
    steps = epochs * (len(squares[0]) // BATCH)
    return fit(network, passes(squares, epochs, generator), steps, label, rate, generator)


def fit(
    network: Segmenter,
    batches: Iterator[Films],
    steps: int,
    label: str,
    rate: float,
    generator: torch.Generator,
    frozen: int = FROZEN_STAGES,
    keep: Path | None = None,
) -> Segmenter:
    """The moving average of the segmenter's weights after the batches, `steps` in number; kept in a file meanwhile."""
    torch.manual_seed(SEED)
    network = network.train().requires_grad_(True).to(memory_format=torch.channels_last)
    freeze_early(network, frozen)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE_DECAY), use_buffers=True
    )
    learnt = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learnt, lr=rate, weight_decay=WEIGHT_DECAY)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: share_of_rate(step, steps, WARM_UP))
    total = 0.0
    with Progress() as progress:
        bar = progress.add_task(label, total=steps)
        for step, (squares, masks, known) in enumerate(batches, start=1):
            pictures, targets = augmented(squares, masks, generator)
            logits = network.halved(pictures.contiguous(memory_format=torch.channels_last))
            loss = overlap_loss(logits, functional.avg_pool2d(targets, 2), known)
            descend(loss, learnt, optimizer, scheduler)
            average.update_parameters(network)
            total += float(loss.detach())
            progress.advance(bar)
            if step % REPORT_STEPS == 0:
                progress.console.print(f"{label} step {step}/{steps} loss {total / REPORT_STEPS:.4f}")
                total = 0.0
                if keep is not None:
                    save_file(halved(average.module), keep)
    return load_segmenter(average.module.state_dict(), ONE_BRANCH).requires_grad_(True)


def held_out(data: Path) -> Iterator[tuple[str, list[MaskedFilm]]]:
    """The real films of the patients of fold 0, which no choice was made on."""
    for name, films in (("JSRT", jsrt_films(data)), ("Montgomery", tuberculosis_films(data, "Montgomery"))):
        yield f"{name}, held-out patients (fold 0)", [film for film in films if film.fold == TEST_FOLD]


def test_sets(places: Places) -> Iterator[tuple[str, list[MaskedFilm]]]:
    """The sets the card reports on, none of which a choice was made on."""
    yield from held_out(places.data)
    yield "Shenzhen, all films (external: never trained on)", list(tuberculosis_films(places.data, "Shenzhen"))
    phantoms = make_anatomy(HELD_OUT_SEED, HELD_OUT, places.cache)
    yield f"phantoms (synthetic), {HELD_OUT} held-out films", list(phantoms.masked(HELD_OUT_SEED, TEST_FOLD))


def check_figures(network: Segmenter, thresholds: Sequence[float], places: Places) -> list[dict[str, Any]]:
    """What hand-drawn lungs say of the structures nobody drew, on the held-out real films and on phantoms."""
    phantoms = make_anatomy(HELD_OUT_SEED, HELD_OUT, places.cache).masked(HELD_OUT_SEED, TEST_FOLD)
    rows = []
    for dataset, films in (*held_out(places.data), ("phantoms (synthetic), held out", phantoms)):
        for name, values in checked(network, films, list(thresholds)).items():
            value, low, high = interval(values)
            number = int((~np.isnan(values)).sum())
            facts = {"check": name, "meaning": CHECKS[name], "dataset": dataset, "films": number}
            rows.append({**facts, "value": value, "low": low, "high": high})
    return rows


def write_measured(
    network: Segmenter, identity: Mapping[str, Any], thresholds: Sequence[float], places: Places
) -> None:
    """Measure stored weights on every test set and write their card."""
    measured = [figures(measure(network, films, thresholds), name) for name, films in test_sets(places)]
    card = describe(identity, thresholds, measured, check_figures(network, thresholds, places))
    write_card(card, places.out)
    for row in (*card["structures"], {"code": "lungs", "dice": card["lungs_together"]}, *card["checks"]):
        print(row)


def drawn_by_hand(data: Path) -> tuple[Segmenter, list[float]]:
    """The segmenter of the hand-drawn structures and its thresholds: chosen on fold 1, then trained on it as well."""
    films = [*jsrt_films(data), *tuberculosis_films(data, "Montgomery")]
    validation = [film for film in films if film.fold == VALIDATION_FOLD]
    fewer = [film for film in films if film.fold not in (TEST_FOLD, VALIDATION_FOLD)]
    network = train(initialised_segmenter(), fewer, "choose", EPOCHS, LEARNING_RATE)
    thresholds = choose_thresholds(network, validation)[:DRAWN_BY_HAND]
    thresholds[STRUCTURES.index("heart")] = HEART_CUT
    more = [film for film in films if film.fold != TEST_FOLD]
    return train(network, more, "final", MORE_EPOCHS, LEARNING_RATE / 2), thresholds


def widened(state: Mapping[str, torch.Tensor]) -> Segmenter:
    """One branch for all structures from weights of the first few, as they were stored before there were branches."""
    network = Segmenter(ONE_BRANCH)
    own = network.state_dict()
    for name, value in state.items():
        whole = value.float() if value.is_floating_point() else value
        for before, now in RENAMED.items():
            name = now + name.removeprefix(before) if name.startswith(before) else name
        own[name] = whole if ".head." not in name else torch.cat((whole, own[name][len(whole) :]))
    network.load_state_dict(own)
    return network


def joined(drawn: Segmenter, widened: Segmenter) -> Segmenter:
    """The shipped network: the structures drawn by hand as the first network has them, the others as the second.

    Raises:
        ValueError: the two do not share the stages before the branches.
    """
    network = Segmenter()
    state = network.state_dict()
    first, second = drawn.state_dict(), widened.state_dict()
    for name in state:
        if not name.startswith("branches."):
            if not torch.equal(first[name], second[name]):
                raise ValueError(f"{name} differs between the networks; keep the shared stages while widening")
            state[name] = first[name]
            continue
        _, number, rest = name.split(".", 2)
        origin = (first, second)[int(number)][f"branches.0.{rest}"]
        rows = slice(0, DRAWN_BY_HAND) if number == "0" else slice(DRAWN_BY_HAND, None)
        state[name] = origin[rows] if rest.startswith("head.") else origin
    network.load_state_dict(state)
    return network


def started(folder: Path) -> tuple[Segmenter, list[float]]:
    """Earlier weights, widened, and the thresholds of their card, from a folder that holds both."""
    card = tomllib.loads((folder / f"{NAME}.toml").read_text(encoding="utf-8"))
    thresholds = [float(row["threshold"]) for row in card["structures"][:DRAWN_BY_HAND]]
    return widened(load_file(folder / f"{NAME}.safetensors")), thresholds


def fitted(places: Places, start: tuple[Segmenter, list[float]]) -> tuple[Segmenter, list[float]]:
    """All structures, learnt from phantoms and from hand-drawn films in equal parts; thresholds of the new ones are
    chosen on phantoms of another set."""
    drawn, thresholds = start
    generator = torch.Generator().manual_seed(SEED)
    films = [*jsrt_films(places.data), *tuberculosis_films(places.data, "Montgomery")]
    real = square_masked([film for film in films if film.fold != TEST_FOLD], CANVAS)
    made = make_anatomy(TRAINING_SEED, TRAINING, places.cache)
    synthetic = square_masked(made.masked(TRAINING_SEED, VALIDATION_FOLD + 1), CANVAS)
    batches = mixed(real, synthetic, WIDENING_STEPS, generator)
    wide = fit(
        copy.deepcopy(drawn),
        batches,
        WIDENING_STEPS,
        "widen",
        LEARNING_RATE,
        generator,
        WIDENING_FROZEN,
        places.out / "part",
    )
    network = joined(drawn, wide)
    return network, [*thresholds, *new_thresholds(network, places.cache)]


def new_thresholds(network: Segmenter, cache: Path) -> list[float]:
    """Thresholds of the structures that only phantoms have, chosen on validation phantoms."""
    films = make_anatomy(VALIDATION_SEED, VALIDATION, cache).masked(VALIDATION_SEED, VALIDATION_FOLD)
    return choose_thresholds(network, list(films))[DRAWN_BY_HAND:]


def main() -> None:
    """Train, store the weights, measure them as stored, and write their card; or only measure what is stored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("models/embedded"))
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps the phantoms between runs")
    parser.add_argument("--start", type=Path, help="folder with the five-structure weights and card to start from")
    parser.add_argument("--weights", type=Path, help="take these weights; only choose thresholds and measure")
    parser.add_argument("--measure-only", action="store_true", help="measure the stored weights again")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    places = Places(arguments.data, arguments.out, arguments.cache)
    if arguments.measure_only:
        card = tomllib.loads((places.out / f"{NAME}.toml").read_text(encoding="utf-8"))
        identity = {key: card[key] for key in ("id", "revision", "sha256", "date")}
        thresholds = [float(row["threshold"]) for row in card["structures"]]
    else:
        start = started(arguments.start) if arguments.start else drawn_by_hand(places.data)
        if arguments.weights:
            network = joined(start[0], widened(load_file(arguments.weights)))
            thresholds = [*start[1], *new_thresholds(network, places.cache)]
        else:
            network, thresholds = fitted(places, start)
        identity = write_weights(halved(network), places.out, NAME)
    stored = load_segmenter(load_file(places.out / f"{NAME}.safetensors"))
    write_measured(stored, identity, thresholds, places)


if __name__ == "__main__":
    main()

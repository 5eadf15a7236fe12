"""Trains and measures the embedded quality network: python -m models.recipes.quality --pictures DIR [--data DIR].

The trunk stays as ImageNet left it; neck and outputs learn from real films turned, mirrored, inverted and cut with
exact truth, from generated negatives, and from negatives in DIR/train/KIND/*.png (pictures that are no chest films, of
any origin). Nothing under DIR/test and DIR/medical is ever trained on. The breath is taught afterwards, by
models.recipes.quality_breath.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track
from torch.nn import functional

from models.quality import OUTPUTS, QualityNetwork, load_quality
from models.recipes.cards import halved, write_card, write_weights
from models.recipes.data import from_bytes, normalised
from models.recipes.initialise import initialised_quality
from models.recipes.quality_figures import card_of, cut_figures, film_figures, negative_figures
from models.recipes.quality_films import Change, Film, Outliner, Truth, read_films, synthetic_films
from models.recipes.quality_pictures import (
    Pictures,
    drawn_from_films,
    drawn_negatives,
    folder_negatives,
    gather,
    generated_kinds,
    posed,
)
from models.weights import EMBEDDED_DIR

Floats = npt.NDArray[np.float32]

BATCH = 64
TRUNK_BATCH = 8
"""Few at a time: the trunk's maps then stay in the processor's cache."""

EPOCHS = 9
SEED = 1
HELD_OUT_FOLD = 0
RATE = 2e-3
DECAY = 1e-3

WEIGHTS = {"chest": 1.0, "pose": 1.0, "inverted": 0.5, "view": 0.5, "cut": 1.0}
"""Of each output's loss."""


def trunk_features(network: QualityNetwork, pictures: Pictures) -> torch.Tensor:
    """The trunk's maps of all pictures, float16 [N, 112, 10, 10]."""
    rows = []
    for start in track(range(0, len(pictures.squares), TRUNK_BATCH), description="trunk"):
        square = normalised(from_bytes(pictures.squares[start : start + TRUNK_BATCH]))
        with torch.inference_mode():
            rows.append(network.trunk(square.contiguous(memory_format=torch.channels_last)).half())
    return torch.cat(rows)


def loss_of(raw: dict[str, torch.Tensor], truth: torch.Tensor, balance: float) -> torch.Tensor:
    """Weighted sum of the outputs' losses; what is NaN in the truth [N, 8] counts for nothing."""
    chest = truth[:, :1]
    known = ~torch.isnan(chest)
    weight = torch.where(chest == 1, 1.0, balance)
    losses = {
        "chest": _masked(
            functional.binary_cross_entropy_with_logits(raw["chest"], torch.nan_to_num(chest), reduction="none")
            * weight,
            known,
        )
    }
    for name, column in (("pose", 1), ("view", 3)):
        here = ~torch.isnan(truth[:, column])
        if here.any():
            losses[name] = functional.cross_entropy(raw[name][here], truth[here, column].long())
    for name, first, last in (("inverted", 2, 3), ("cut", 4, 8)):
        target = truth[:, first:last]
        each = functional.binary_cross_entropy_with_logits(raw[name], torch.nan_to_num(target), reduction="none")
        losses[name] = _masked(each, ~torch.isnan(target))
    return torch.stack([WEIGHTS[name] * value for name, value in losses.items()]).sum()


def _masked(values: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    return (values * known).sum() / known.sum().clamp(min=1)


def fit(network: QualityNetwork, features: torch.Tensor, truth: Floats, epochs: int, seed: int) -> None:
    """Train neck and outputs on cached trunk maps; one-cycle learning rate, AdamW."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    targets = torch.from_numpy(truth)
    learnt = [*network.neck.parameters(), *network.summary.parameters(), *network.outputs.parameters()]
    optimiser = torch.optim.AdamW(learnt, lr=RATE, weight_decay=DECAY)
    steps = epochs * -(-len(features) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=RATE, total_steps=steps)
    balance = float((truth[:, 0] == 1).sum() / max((truth[:, 0] == 0).sum(), 1))
    network.train()
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(features), generator=generator).split(BATCH):
            if len(rows) < 2:
                continue
            loss = loss_of(network.judge(features[rows].float()), targets[rows], balance)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) * len(rows)
        print(f"epoch {epoch + 1}: loss {total / len(features):.4f}", flush=True)
    network.eval()


def scores(network: QualityNetwork, features: torch.Tensor) -> dict[str, Floats]:
    """Outputs as scores in [0, 1] by name: sigmoids, and softmax for pose and view."""
    rows = []
    with torch.inference_mode():
        for start in range(0, len(features), BATCH):
            raw = network.judge(features[start : start + BATCH].float())
            rows.append({name: _squashed(name, value).numpy() for name, value in raw.items()})
    return {name: np.concatenate([row[name] for row in rows]) for name in OUTPUTS}


def _squashed(name: str, value: torch.Tensor) -> torch.Tensor:
    return torch.softmax(value, dim=1) if name in ("pose", "view") else torch.sigmoid(value)


@dataclass(frozen=True)
class Part:
    """Pictures whose trunk maps are at hand: features float16 [N, 112, 10, 10], truth [N, 8], kinds and names."""

    features: torch.Tensor
    truth: Floats
    kinds: list[str]
    names: list[str]


Items = Iterator[tuple[npt.NDArray[np.uint8], Truth, str, str]]

UPRIGHT = (Change(),)
POSED = (Change(turns=1), Change(turns=2), Change(mirrored=True), Change(inverted=True))
POSED_EVERY = 3
"""One held-out film in so many is also turned, mirrored, inverted and cut."""

SMALL_SETS = ("JSRT", "Montgomery", "Cohen")
LARGE_SETS = ("NIH", "Kermany")
EXTERNAL_SETS = ("Shenzhen", "Hannover")
"""Sets that training draws from three and two times a film, and those that it never sees."""

FILM_TESTS = ("test_plain", "test_posed", "test_drawn")
NEGATIVE_TESTS = ("neg_test_folder", "neg_medical")

CHILDREN = 700
FRONTAL_PHANTOMS, LATERAL_PHANTOMS = 60, 12
DRAWN_OF_EACH = 40


def training_parts(films: Sequence[Film], pictures: Path) -> dict[str, Callable[[], Items]]:
    """What is learnt from, by name."""
    seen = [film for film in films if film.fold != HELD_OUT_FOLD and film.dataset not in EXTERNAL_SETS]
    small = [film for film in seen if film.dataset in SMALL_SETS]
    large = [film for film in seen if film.dataset in LARGE_SETS]
    return {
        "small": lambda: drawn_from_films(small, 3, 11),
        "train_a": lambda: drawn_from_films(large[::2], 2, 12),
        "train_b": lambda: drawn_from_films(large[1::2], 2, 13),
        "neg_train_folder": lambda: folder_negatives(pictures / "train", 1, 1),
        "phantoms": lambda: drawn_from_films(list(synthetic_films(FRONTAL_PHANTOMS, 0)), 3, 31),
        "laterals": lambda: drawn_from_films(list(synthetic_films(0, LATERAL_PHANTOMS)), 6, 32),
        "neg_drawn": lambda: drawn_negatives(generated_kinds(), DRAWN_OF_EACH, 3),
    }


def test_parts(films: Sequence[Film], pictures: Path) -> dict[str, Callable[[], Items]]:
    """What is measured on, by name."""
    held_out = [film for film in films if film.fold == HELD_OUT_FOLD or film.dataset in EXTERNAL_SETS]
    return {
        "test_plain": lambda: posed(held_out, UPRIGHT),
        "test_posed": lambda: posed(held_out[::POSED_EVERY], POSED),
        "test_drawn": lambda: drawn_from_films(held_out[::POSED_EVERY], 1, 14),
        "neg_test_folder": lambda: folder_negatives(pictures / "test", 1, 2),
        "neg_medical": lambda: folder_negatives(pictures / "medical", 1, 2),
    }


def prepared(name: str, items: Callable[[], Items], network: QualityNetwork, cache: Path) -> Part:
    """A part with its trunk maps, from the cache where it lies there."""
    stored = cache / f"{name}.npz"
    if stored.exists():
        with np.load(stored) as held:
            features = torch.from_numpy(held["features"])
            return Part(features, held["truth"], [str(kind) for kind in held["kinds"]], [str(n) for n in held["names"]])
    made = gather(items(), name)
    part = Part(trunk_features(network, made), made.truth, made.kinds, made.names)
    np.savez(stored, features=part.features.numpy(), truth=part.truth, kinds=part.kinds, names=part.names)
    return part


def measure(network: QualityNetwork, tests: dict[str, Part]) -> dict[str, Any]:
    """Every figure of the card, for the parts that are there."""
    said = {name: scores(network, part.features) for name, part in tests.items()}
    figures: dict[str, Any] = {}
    for name in NEGATIVE_TESTS:
        if name in tests:
            figures[name] = negative_figures(tests[name].kinds, said[name])
    for name in FILM_TESTS:
        if name in tests:
            figures[name] = {"all": film_figures(tests[name].truth, said[name])}
            for kind in sorted(set(tests[name].kinds)):
                rows = np.asarray(tests[name].kinds) == kind
                each = {output: value[rows] for output, value in said[name].items()}
                if (tests[name].truth[rows, 0] == 1).any():
                    figures[name][kind] = film_figures(tests[name].truth[rows], each)
    if "test_drawn" in tests:
        figures["cut"] = cut_figures(tests["test_drawn"].truth, said["test_drawn"])
    return figures


def main() -> None:
    """Gather, train, measure, and store weights and card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True, help="DIR/SET/KIND/*.png; sets: train, test, medical")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("models/embedded"))
    parser.add_argument("--cache", type=Path, default=Path("/tmp/hilum-quality"), help="keeps trunk maps between runs")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    films = read_films(arguments.data, Outliner(EMBEDDED_DIR / "embedded-segmenter.safetensors"), CHILDREN)
    network = load_quality(halved(initialised_quality()))
    network.requires_grad_(True)
    parts = training_parts(films, arguments.pictures)
    learnt = [prepared(name, items, network, arguments.cache) for name, items in parts.items()]
    truth = np.concatenate([part.truth for part in learnt])
    known = ~np.isnan(truth[:, 0])
    features = torch.cat([part.features for part in learnt])[torch.from_numpy(known)]
    fit(network, features, truth[known], arguments.epochs, SEED)
    delivered = load_quality(halved(network))
    tests = {
        name: prepared(name, items, network, arguments.cache)
        for name, items in test_parts(films, arguments.pictures).items()
    }
    identity = write_weights(halved(network), arguments.out, "embedded-quality")
    write_card(card_of(identity, measure(delivered, tests)), arguments.out)


if __name__ == "__main__":
    main()

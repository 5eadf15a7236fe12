"""What the classifier's head sees of real and synthetic films: averages of its maps, then their peaks."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track

from models.networks import CLASSIFIER_SIDE, Classifier
from models.preprocess import FloatImage, prepare
from models.recipes.data import from_bytes, normalised
from models.recipes.findings_phantoms import FindingsPhantoms
from models.recipes.phantoms import Phantoms
from models.recipes.statistics import Floats

BATCH = 16


def film_features(network: Classifier, films: Iterator[FloatImage], count: int) -> Floats:
    """What the head will see of each film: [N, F], computed exactly as the delivered network computes it."""
    rows = []
    for _ in track(range(0, count, BATCH), description="features"):
        squares = [prepare(film, CLASSIFIER_SIDE)[0] for film in islice(films, BATCH)]
        with torch.inference_mode():
            square = torch.cat(squares).contiguous(memory_format=torch.channels_last)
            rows.append(network.columns(network.levels(square)))
    return torch.cat(rows).double().numpy()


@dataclass(frozen=True)
class Drawn:
    """Synthetic films as the head sees them: features [M, F], labels [M, 14], and bool [M, 14] of clear findings."""

    features: Floats
    labels: Floats
    clear: npt.NDArray[np.bool_]


def features_of(network: Classifier, films: FindingsPhantoms) -> Drawn:
    """Features and truth of synthetic films that are stored as the network sees them."""
    with torch.inference_mode():
        parts = [network.columns(network.levels(normalised(from_bytes(some)))) for some in films.squares.split(BATCH)]
    return Drawn(torch.cat(parts).double().numpy(), films.labels.double().numpy(), films.clear.numpy())


def drawn_films(network: Classifier, simple: Phantoms, further: FindingsPhantoms) -> Drawn:
    """Features and truth of the older draws (six findings), then of the newer (thirteen)."""
    pixels = (film.astype(np.float32) / 255.0 for film in simple.pixels)
    first, second = film_features(network, pixels, len(simple.pixels)), features_of(network, further)
    return Drawn(
        np.concatenate((first, second.features)),
        np.concatenate((simple.labels, second.labels)),
        np.concatenate((simple.clear, second.clear)),
    )

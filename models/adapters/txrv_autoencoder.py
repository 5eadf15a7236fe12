"""torchxrayvision's ResNet-101 autoencoder: how a film looks through the eyes of the films it was trained on.

The network is built here without the function that downloads what is missing; architecture, size and range are those
of torchxrayvision.autoencoders (1.5.7), "101-elastic".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imaging.failures import Unavailable
from imaging.radiograph import Radiograph
from models.adapters.torchxrayvision import middle_square, prepare, xrv
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference, place
from models.outputs import Output, Picture, Task
from models.pickled import first_line, state_dict_of

SIDE_BY_SIDE = True


@dataclass(frozen=True)
class Autoencoder:
    """The loaded network; `side` of the square it sees and draws, in pixels."""

    card: ModelCard
    network: Any
    side: int
    device: str

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """Each film's middle square as the network draws it, in order, from one batch.

        A picture's score is the mean absolute difference, over its pixels, between what the network was shown and what
        it drew, both on the film's scale of [0, 1]; 0 is a perfect copy. The drawing is cut to [0, 1] afterwards.
        """
        del task
        squares = torch.from_numpy(np.stack([prepare(film.pixels, self.side) for film in films])).to(self.device)
        with inference(self.device):
            drawn = self.network(squares)["out"].float()
            scores = ((drawn - squares) / 2048).abs().mean(dim=(1, 2, 3)).tolist()
            pictures = ((drawn[:, 0] + 1024) / 2048).clamp(0, 1).cpu().numpy()
        return [
            Picture(picture, "reconstruction", middle_square(film.shape), score)
            for picture, score, film in zip(pictures, scores, films, strict=True)
        ]


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> Autoencoder:
    """The autoencoder of a catalog entry whose `weights` is the package's name for it.

    Raises:
        Unavailable: the installed package does not know the name, or the file is not that network's weights.
    """
    if entry.weights not in xrv.autoencoders.model_urls:
        raise Unavailable(
            f"torchxrayvision {xrv.__version__} knows no autoencoder {entry.weights!r}.",
            "Install the release of constraints.txt.",
        )
    network = xrv.autoencoders.ResNetAE101()
    try:
        network.load_state_dict(state_dict_of(path))
    except RuntimeError as error:
        raise Unavailable(
            f"{path} holds another network than the catalog says: {first_line(error)}.", "Get the file again."
        ) from error
    return Autoencoder(card, place(network, device), entry.input_size, device)

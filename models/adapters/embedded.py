"""What the adapters of Hilum's own networks share: reading a weight file, and a batch of films on its squares."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from imaging.failures import Unavailable
from imaging.radiograph import Radiograph
from models.catalog import CatalogEntry
from models.device import place
from models.preprocess import Geometry, prepare

TOLD_MAX = 300
"""Letters of a library's message that are repeated."""

Network = TypeVar("Network", bound=torch.nn.Module)


def read_network(
    build: Callable[[dict[str, torch.Tensor]], Network], entry: CatalogEntry, path: Path, device: str
) -> Network:
    """The network that `build` makes of a safetensors file's tensors, placed on the device.

    Raises:
        Unavailable: the file is not this network's.
    """
    try:
        network = build(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        told = textwrap.shorten(str(error), TOLD_MAX, placeholder=" …")  # else the names of some hundred tensors
        raise Unavailable(f"{path} is not the file of {entry.id}: {told}", made_again(entry)) from error
    return place(network, device)


def demand(told: Iterable[str], wanted: Iterable[str], entry: CatalogEntry) -> None:
    """Refuses a card that does not tell all that its network needs.

    Raises:
        Unavailable: something wanted was not told.
    """
    held = set(told)
    absent = [name for name in wanted if name not in held]
    if absent:
        raise Unavailable(f"The card of {entry.id} lacks {', '.join(absent)}.", made_again(entry))


def made_again(entry: CatalogEntry) -> str:
    """The remedy for a weight file or card that does not fit."""
    return f"Make it again with {entry.reference}."


def on_squares(films: Sequence[Radiograph], side: int, device: str) -> tuple[torch.Tensor, list[Geometry]]:
    """Films as one batch float32 [N, 1, side, side] on the device, and how each lies on its square."""
    squares, geometries = zip(*(prepare(film.pixels, side) for film in films), strict=True)
    return torch.cat(squares).to(device), list(geometries)

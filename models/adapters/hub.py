"""What the adapters of hub folders share: films as pictures, strict loading, one failure for what does not load."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers.utils.logging import disable_progress_bar

from imaging.failures import Unavailable
from imaging.radiograph import Radiograph
from models.catalog import CatalogEntry
from models.numerics import QUANTISED, current
from models.pickled import first_line
from models.placement import is_out_of_memory

WHITE = 255
"""Of the 8-bit pictures that every processor here takes."""

LOCAL = {"local_files_only": True, "trust_remote_code": False}
"""Nothing is downloaded behind the user's back, and no code of a repository runs."""


disable_progress_bar()  # Hilum shows its own


def picture(film: Radiograph) -> Image.Image:
    """A film as an RGB picture of 8 bits, its own size, 255 = dense."""
    grey = np.rint(film.pixels * WHITE).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def dtype_on(entry: CatalogEntry, device: str) -> torch.dtype:
    """The dtype in which a model's weights are read for a device; quantised ones compute in bfloat16."""
    name = current().read_as(entry, device)
    found: torch.dtype = torch.bfloat16 if name in QUANTISED else getattr(torch, name)
    return found


def weights_of(kind: Any, path: Path, **options: Any) -> Any:
    """A transformers model of class `kind` from its folder, every weight of it read from there.

    transformers fills what a checkpoint lacks with random numbers; here that is an Unavailable.
    """
    model, told = kind.from_pretrained(path, output_loading_info=True, **LOCAL, **options)
    absent = sorted([*told["missing_keys"], *(str(item) for item in told["mismatched_keys"])])
    if absent:
        raise Unavailable(
            f"{path} lacks {len(absent)} of the weights of {kind.__name__}, {absent[0]} among them.",
            "Pull the model again.",
        )
    return model


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever a library says of a folder that it cannot load becomes one Unavailable; lack of memory stays itself."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        raise Unavailable(
            f"{path} was not loaded: {first_line(error)}.", "Pull the model again, or put its whole folder there."
        ) from error


def require(module: str, extra: str, what: str) -> None:
    """Raise Unavailable, with the command that installs it, unless an optional package is here."""
    if importlib.util.find_spec(module) is None:
        raise Unavailable(
            f"{what} needs the package {module}, which is not installed.", f"pip install 'hilum[{extra}]'"
        )

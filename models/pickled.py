"""Tensors out of a pickled network, without giving the pickle any power.

torchxrayvision's DenseNets are whole training objects written by torch.save before its zip format. torch's own
weights_only loader cannot read such files (they name their classes as persistent ids), and weights_only=False would
run whatever the file says. Here a pickle may name only the few things below; network classes become inert shells
that carry nothing but the attributes stored for them, and the tensors are then collected from those.
"""

from __future__ import annotations

import collections
import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import torch
from torch._utils import _rebuild_parameter, _rebuild_tensor_v2

from imaging.failures import Unavailable

HARMLESS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("builtins", "set"): set,
    ("__builtin__", "set"): set,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "Size"): torch.Size,
}
"""What a weight pickle may name and get: containers, and the functions that make a tensor of a storage."""

INERT = (
    "torchxrayvision.models",
    "torch.nn.modules.",
    "torch.nn.backends.",
    "numpy",
    "_codecs",
    "pytorch_lightning.",
    "lightning.",
    "lightning_fabric.",
)
"""Modules whose names a pickled training object may carry: its layers, torch's old back end, stray NumPy values, the
callbacks and settings of a Lightning checkpoint. They are not imported for it; each name becomes a shell."""


class _Sealed(type):
    """A class that a pickle's state cannot alter."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise pickle.UnpicklingError(f"the file tries to set {name!r} on a class")


class Shell(metaclass=_Sealed):
    """Stands for any class or function of INERT: takes any arguments, holds its attributes, does nothing."""

    dump_patches = False
    """torch.load asks this of a class whose source has changed."""

    def __init__(self, *arguments: object, **options: object) -> None:
        del arguments, options

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)

    def __setitem__(self, key: object, value: object) -> None:
        """A pickled subclass of dict fills itself this way; what it holds is not wanted."""


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows HARMLESS and shells, and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        """The thing of that name; UnpicklingError when a weight file has no business naming it."""
        if (module, name) in HARMLESS:
            return HARMLESS[module, name]
        if module.startswith(INERT):
            return Shell
        raise pickle.UnpicklingError(f"the file names {module}.{name}, which weights do not need")


class _RestrictedPickle:
    """The pickle module as torch.load wants one."""

    __name__ = "models.pickled"
    Unpickler = _Unpickler

    @staticmethod
    def load(file: IO[bytes], **options: Any) -> Any:
        """One object from a file, by the restricted unpickler."""
        return _Unpickler(file, **options).load()


def tensors_of(path: Path) -> dict[str, torch.Tensor]:
    """Parameters and buffers of the network pickled in a file, by their names in its state dict; on the CPU.

    Raises:
        Unavailable: the file is no pickled network, is broken, or names something it should not.
    """
    network = checkpoint_of(path)
    tensors = dict(_walk(network, ""))
    if not tensors:
        raise Unavailable(f"{path} holds no network but a {type(network).__name__}.", "Get the file again.")
    return tensors


def state_dict_of(path: Path, prefix: str = "") -> dict[str, torch.Tensor]:
    """The state dict in a file: saved alone, or as the `state_dict` of a Lightning checkpoint; on the CPU.

    Args:
        path: a file of torch.save.
        prefix: taken off the names that begin with it ("model.", "module."), as wrappers of a network add it.

    Raises:
        Unavailable: the file is broken, holds no state dict, or names something it should not.
    """
    found = checkpoint_of(path)
    state = found.get("state_dict", found) if isinstance(found, dict) else found
    if not isinstance(state, dict) or not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise Unavailable(f"{path} holds no state dict but a {type(found).__name__}.", "Get the file again.")
    return {str(name).removeprefix(prefix): value for name, value in state.items()}


def checkpoint_of(source: Path | IO[bytes], name: str = "") -> Any:
    """What a file of torch.save holds: tensors on the CPU, plain containers, and shells for everything else.

    Args:
        source: the file, or its bytes as a stream.
        name: what to call a stream when it is wrong.

    Raises:
        Unavailable: the file is broken, or names something it should not.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch compares the class's old source with the shell's
            # By an unpickler that finds no names but those of tensors and of inert shells.
            return torch.load(  # nosec B614
                source, map_location="cpu", pickle_module=_RestrictedPickle(), weights_only=False
            )
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unavailable(
            f"{name or source} was not loaded: {first_line(error)}.", "Get the file again from where the catalog says."
        ) from error


def first_line(error: BaseException) -> str:
    """The first line of an error's text without its full stop; torch writes pages."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _walk(shell: object, prefix: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Named tensors of a shell and the shells in it, as torch.nn.Module.state_dict names them."""
    parts = shell.__dict__ if isinstance(shell, Shell) else {}
    for kind in ("_parameters", "_buffers"):
        for name, value in parts.get(kind, {}).items():
            if isinstance(value, torch.Tensor):
                yield prefix + name, value
    for name, child in parts.get("_modules", {}).items():
        yield from _walk(child, f"{prefix}{name}.")

"""A pickled network gives up its tensors and nothing else."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from imaging.failures import Unavailable
from models.pickled import Shell, tensors_of

FORMATS = pytest.mark.parametrize("zipped", [False, True], ids=["before torch 1.6", "zip"])


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Sequential(nn.Linear(2, 3, bias=False)))


class Calling:
    """Pickles as a call of a function with arguments."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@FORMATS
def test_tensors_are_those_of_the_state_dict(zipped: bool, tmp_path: Path) -> None:
    """Expected: torch.nn.Module.state_dict of the same object."""
    stored = network()
    torch.save(stored, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    found, expected = tensors_of(tmp_path / "a.pt"), stored.state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@FORMATS
def test_a_pickle_that_calls_the_system_is_refused_raises(zipped: bool, tmp_path: Path) -> None:
    stored = network()
    stored.extra = Calling(os.mkdir, str(tmp_path / "owned"))  # type: ignore[assignment]
    torch.save(stored, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(Unavailable, match=r"names \w+\.mkdir, which weights do not need"):
        tensors_of(tmp_path / "a.pt")
    assert not (tmp_path / "owned").exists()


def test_a_name_within_an_inert_module_runs_nothing(tmp_path: Path) -> None:
    """torch.nn.modules.utils imports os-free helpers only, but even these must not run: every name is a shell."""
    stored = network()
    stored.extra = Calling(nn.modules.module.register_module_forward_hook, repr)  # type: ignore[assignment]
    hooks = len(nn.modules.module._global_forward_hooks)
    torch.save(stored, tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(Unavailable, match=r"builtins?(__)?\.repr"):
        tensors_of(tmp_path / "a.pt")
    assert len(nn.modules.module._global_forward_hooks) == hooks


def test_a_shell_class_cannot_be_altered_raises() -> None:
    with pytest.raises(pickle.UnpicklingError, match="'dump_patches'"):
        Shell.dump_patches = True


@pytest.mark.parametrize("content", [b"", b"\x80\x02}q\x00.", b"rubbish"])
def test_a_file_without_a_network_raises(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(Unavailable, match=r"a\.pt"):
        tensors_of(tmp_path / "a.pt")


def test_a_truncated_file_raises(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "a.pt").write_bytes((tmp_path / "a.pt").read_bytes()[:-20])
    with pytest.raises(Unavailable, match="was not loaded"):
        tensors_of(tmp_path / "a.pt")

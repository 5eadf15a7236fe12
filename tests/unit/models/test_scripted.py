"""A TorchScript file is read before it runs: networks load, programs that touch files do not."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from imaging.failures import Unavailable
from models.scripted import load_script

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
torchvision = pytest.importorskip("torchvision")


def traced(network: torch.nn.Module) -> torch.jit.ScriptModule:
    return torch.jit.trace(network, torch.rand(1, 3, 64, 64))


@pytest.mark.parametrize(
    ("name", "compiled"), [("resnet18", torch.jit.script), ("resnet18", traced), ("mobilenet_v3_small", traced)]
)
def test_networks_load_and_answer_alike(
    name: str, compiled: Callable[..., torch.jit.ScriptModule], tmp_path: Path
) -> None:
    """Expected: the network itself, before it was written."""
    network = getattr(torchvision.models, name)(weights=None, num_classes=1).eval()
    films = torch.rand(2, 3, 64, 64)
    compiled(network).save(tmp_path / "a.pt")
    with torch.inference_mode():
        assert torch.allclose(load_script(tmp_path / "a.pt", "cpu")(films), network(films), atol=1e-5)


class Saving(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save(x, "owned.pt")
        return x


class Mapping(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.from_file("owned.pt", True, 4)


class Strange(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.fft(x).real


@pytest.mark.parametrize(("kind", "word"), [(Saving, "save"), (Mapping, "from_file"), (Strange, "fft")])
def test_a_program_that_does_more_than_a_network_raises(
    kind: type[torch.nn.Module], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.jit.script(kind()).save(tmp_path / "a.pt")
    with pytest.raises(Unavailable, match=f"its code calls .*{word}"):
        load_script(tmp_path / "a.pt", "cpu")
    assert not (tmp_path / "owned.pt").exists()


@pytest.mark.parametrize(
    "line",
    [
        'f = torch.from_file\n    y = f("owned.pt", True, 4)',
        'y = getattr(torch, "sa" "ve")(x, "owned.pt")',
        'y = getattr(torch, "\\x73ave")(x, "owned.pt")',
        'y = ops.image.read_file("owned.pt")',
        'y = "owned.pt".from_file(True, 4)',
        "def __setstate__(self, state: int) -> None:\n    pass",
    ],
)
def test_other_names_for_it_raise_too(line: str, tmp_path: Path) -> None:
    torch.jit.script(torch.nn.ReLU()).save(tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as old, zipfile.ZipFile(tmp_path / "b.pt", "w") as new:
        for member in old.infolist():
            data = old.read(member)
            if member.filename.endswith(".py"):
                data += f"\n  def extra(self, x: Tensor) -> Tensor:\n    {line}\n    return x\n".encode()
            new.writestr(member.filename, data)
    with pytest.raises(Unavailable, match="which weights do not need"):
        load_script(tmp_path / "b.pt", "cpu")


def test_other_files_raise(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "state.pt")
    (tmp_path / "text.pt").write_text("hello")
    torch.jit.script(torch.nn.ReLU()).save(tmp_path / "whole.pt")
    shutil.copy(tmp_path / "whole.pt", tmp_path / "twice.pt")
    with zipfile.ZipFile(tmp_path / "twice.pt", "a") as archive, pytest.warns(UserWarning):
        archive.writestr(next(name for name in archive.namelist() if name.endswith(".py")), "")
    for name in ("state.pt", "text.pt", "twice.pt"):
        with pytest.raises(Unavailable):
            load_script(tmp_path / name, "cpu")

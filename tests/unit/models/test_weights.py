"""What counts as usable weights, and what a user is told when they are not."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pytest
import torch
from catalog_entries import entry
from safetensors.torch import save

from models import weights
from models.catalog import Catalog
from models.weights import MANIFEST, fault, locate


def torch_bytes(zipped: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save({"a": torch.arange(400.0)}, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


GOOD = {"new.pt": torch_bytes(True), "old.pt": torch_bytes(False), "a.safetensors": save({"a": torch.arange(9.0)})}


@pytest.mark.parametrize("name", GOOD)
def test_a_sound_file_has_no_fault(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(GOOD[name])
    assert fault(tmp_path / name) == ""


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.pt", b"", "is empty"),
        ("a.pt", b"\n<!DOCTYPE html><title>404</title>", "is a web page"),
        ("a.pt", b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        ("a.pt", b"Not Found", "is no torch file"),
        ("a.pt", GOOD["new.pt"][:-40], "cut short: its archive has no end"),
        ("a.safetensors", GOOD["a.safetensors"][:20], "is cut short or no safetensors file"),
        ("a.safetensors", b"\x04" + bytes(7) + b"????", "its header is not JSON"),
    ],
)
def test_a_broken_file_says_what_it_is(name: str, content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert reason in fault(tmp_path / name)


def test_a_file_smaller_than_its_weights_is_cut_short(tmp_path: Path) -> None:
    item = Catalog.read().get("txrv-densenet121-res224-all")
    (tmp_path / item.source.file).write_bytes(GOOD["old.pt"])
    presence = locate(item, tmp_path)
    assert not presence.present
    assert "cut short" in presence.reason and "28,198,728" in presence.reason


def test_an_absent_file_says_where_to_get_it(tmp_path: Path) -> None:
    item = Catalog.read().get("txrv-densenet121-res224-all")
    presence = locate(item, tmp_path)
    assert not presence.present and presence.path == tmp_path / item.source.file
    assert f"hilum models pull {item.id}" in presence.remedy and item.licence in presence.remedy


def test_without_a_model_directory_the_package_cache_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Expected: torchxrayvision.utils.get_cache_dir() joins ~, .torchxrayvision, models_data."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HILUM_STATE_DIR", str(tmp_path / "state"))
    item = entry("mine", source={"kind": "url", "url": "http://localhost/old.pt", "note": "written by the test"})
    assert locate(item).path == tmp_path / "state" / "models" / "old.pt", "where pull would put it"
    cache = tmp_path / ".torchxrayvision" / "models_data"
    cache.mkdir(parents=True)
    (cache / "old.pt").write_bytes(GOOD["old.pt"])
    assert locate(item).present and locate(item).path == cache / "old.pt"


def test_a_flipped_byte_is_refused_by_the_sha256(tmp_path: Path) -> None:
    pinned = hashlib.sha256(GOOD["old.pt"]).hexdigest()
    item = entry("mine", source={"kind": "user", "file": "mine.pt", "sha256": pinned})
    (tmp_path / "mine.pt").write_bytes(GOOD["old.pt"])
    assert locate(item, tmp_path).present
    flipped = bytearray(GOOD["old.pt"])
    flipped[len(flipped) // 2] ^= 1
    (tmp_path / "mine.pt").write_bytes(flipped)
    assert f"not the expected {pinned[:12]}" in locate(item, tmp_path).reason


def test_embedded_weights_need_a_card_with_their_sha256(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "EMBEDDED_DIR", tmp_path)
    item = entry("own", source={"kind": "embedded", "file": "own.safetensors"})
    content, card = GOOD["a.safetensors"], tmp_path / "own.toml"
    (tmp_path / "own.safetensors").write_bytes(content)
    assert "its card, is not there" in locate(item).reason
    card.write_text("id = ")
    assert "is no TOML" in locate(item).reason
    card.write_text('id = "own"')
    assert "names no sha256" in locate(item).reason
    card.write_text(f'sha256 = "{"0" * 64}"')
    assert "not the expected 000000000000" in locate(item).reason
    card.write_text(f'sha256 = "{hashlib.sha256(content).hexdigest()}"')
    assert locate(item).present


def test_a_model_in_several_files_is_a_folder_of_its_own(tmp_path: Path) -> None:
    item = entry("hub", source={"kind": "hub", "repo": "a/b", "revision": "1" * 40, "note": "several files"})
    assert "is not there" in locate(item, tmp_path).reason
    folder = tmp_path / "hub"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    assert "holds no weights" in locate(item, tmp_path).reason
    (folder / "model.safetensors").write_bytes(GOOD["a.safetensors"])
    assert locate(item, tmp_path).present and locate(item, tmp_path).path == folder
    (folder / "part-2.safetensors").write_bytes(GOOD["a.safetensors"][:-3] + b"<")
    manifest = {"files": {"part-2.safetensors": {"bytes": len(GOOD["a.safetensors"])}}}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert "part-2.safetensors is missing or cut short" in locate(item, tmp_path).reason

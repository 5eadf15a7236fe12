"""Where a model's weights lie and whether they can be used. Looks at files; downloads nothing."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imaging.identity import state_directory
from models.catalog import CatalogEntry, SourceKind

EMBEDDED_DIR = Path(__file__).parent / "embedded"
"""The weights of this repository, each NAME.safetensors with its card NAME.toml."""

PACKAGE_MODEL_DIR = Path("~/.torchxrayvision/models_data")
"""Where torchxrayvision itself keeps what it downloads (torchxrayvision.utils.get_cache_dir); read too when the user
chose no directory."""

MANIFEST = "pulled.json"
"""What `hilum models pull` writes beside a model: its revision, and each file's size and sha256."""

FOLDER_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.pth", "*.ckpt")
"""Weight files in a model's folder, at any depth."""

HEAD_BYTES = 512
"""Enough of a file to tell weights from a web page or a Git LFS pointer."""

MARK_BYTES = 1 << 16
"""Read of each file to tell a folder from another: the whole of a small one, the header and more of weights."""

LFS_POINTER = b"version https://git-lfs"
"""First bytes of a Git LFS pointer file (git-lfs specification)."""

ZIP_MAGIC = b"PK\x03\x04"
"""torch.save since torch 1.6 writes a zip archive."""

PICKLE_MAGIC = b"\x80"
"""torch.save before 1.6 writes a plain pickle; protocol 2 and later begin with this opcode."""


@dataclass(frozen=True)
class Presence:
    """Whether a model's weights are here and usable.

    Attributes:
        path: the file, or where it was looked for; None where the source has no file.
        reason: why it is not usable; empty where it is.
        remedy: what to do about that; empty where it is usable.
    """

    present: bool
    path: Path | None
    reason: str = ""
    remedy: str = ""


def model_directory(model_dir: Path | None = None) -> Path:
    """Where models are pulled to: the directory the user chose, else "models" in the state directory."""
    if model_dir is not None:
        return model_dir.expanduser()
    state = state_directory()
    return state / "models" if state else PACKAGE_MODEL_DIR.expanduser()


def folder_of(entry: CatalogEntry, model_dir: Path) -> Path:
    """The folder that holds a model's files: one of its own for a hub repository, else the model directory."""
    return model_dir / entry.id if entry.source.kind is SourceKind.HUB else model_dir


def locate(entry: CatalogEntry, model_dir: Path | None = None) -> Presence:
    """Find and check the weights of a model: there, of a plausible form and size, and of the pinned sha256 if one is.

    Args:
        entry: the model.
        model_dir: the directory the user chose; None looks where `hilum models pull` puts them and where
            torchxrayvision keeps its files. Ignored for embedded weights.
    """
    if entry.source.kind is SourceKind.EMBEDDED:
        return _found(entry, EMBEDDED_DIR)
    if entry.source.kind is SourceKind.PACKAGE:
        return _packaged(entry)
    if entry.source.kind is SourceKind.MEMBERS:
        remedy = f"Run: hilum models pull {' '.join(entry.members)}."
        return Presence(False, None, "it is the mean of other models and has no weights of its own", remedy)
    first = model_directory(model_dir)
    places = [first] if model_dir is not None else [first, PACKAGE_MODEL_DIR.expanduser()]
    found = [_found(entry, place) for place in places]
    return next((presence for presence in found if presence.present), found[0])


def pulled(entry: CatalogEntry, path: Path) -> dict[str, Any]:
    """What pull wrote down of a model whose file or folder is `path`; empty where it did not pull it."""
    beside = path / MANIFEST if path.is_dir() else path.with_name(f"{entry.id}.{MANIFEST}")
    record: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
    return record


def _packaged(entry: CatalogEntry) -> Presence:
    """The folder of weights within an installed package."""
    package, remedy = str(entry.source.package), entry.source.note
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return Presence(False, None, f"the package {package} is not installed", remedy)
    folder = Path(found.origin).parent / entry.source.file
    reason = _folder_fault(entry, folder)
    return Presence(not reason, folder, reason, remedy if reason else "")


def _found(entry: CatalogEntry, place: Path) -> Presence:
    """The model in one directory, or what is wrong with it there."""
    remedy = _remedy(entry, place)
    folder = folder_of(entry, place)
    if not entry.source.file:
        reason = _folder_fault(entry, folder)
        return Presence(not reason, folder, reason, remedy if reason else "")
    path = folder / entry.source.file
    if path.is_dir():
        reason = _folder_fault(entry, path)
        return Presence(not reason, path, reason, remedy if reason else "")
    if not path.is_file():
        return Presence(False, path, f"{path} is not there", remedy)
    reason = fault(path, entry.source.minimum_bytes)
    if not reason:
        reason = _mismatch(entry, path)
    return Presence(not reason, path, reason, remedy if reason else "")


def _folder_fault(entry: CatalogEntry, folder: Path) -> str:
    """What is wrong with a model's folder: incomplete after a pull, or without sound weights."""
    if not folder.is_dir():
        return f"{folder} is not there"
    for name, facts in pulled(entry, folder).get("files", {}).items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != facts["bytes"]:
            return f"{path} is missing or cut short"
    weights = [path for pattern in FOLDER_WEIGHTS for path in sorted(folder.rglob(pattern))]
    if not weights:
        return f"{folder} holds no weights"
    return next((reason for path in weights if (reason := fault(path))), "")


def fault(path: Path, minimum_bytes: int = 0, *, suffix: str = "") -> str:
    """What is wrong with the form of a weight file, in words; empty when nothing is. Nothing is unpickled.

    Args:
        path: the file.
        minimum_bytes: a smaller one is cut short.
        suffix: in place of the file's own, for one that has not got its name yet.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if size == 0:
        return f"{path} is empty"
    if head.lstrip()[:1] == b"<":
        return f"{path} is a web page, not weights"
    if head.startswith(LFS_POINTER):
        return f"{path} is a Git LFS pointer, not the weights"
    if size < minimum_bytes:
        return f"{path} is cut short: {size:,} bytes, the weights alone are {minimum_bytes:,}"
    if (suffix or path.suffix) == ".json":
        return "" if head.lstrip()[:1] == b"{" else f"{path} is no JSON object"
    if (suffix or path.suffix) == ".safetensors":
        return _safetensors_fault(path, head, size)
    if head.startswith(ZIP_MAGIC):
        return "" if zipfile.is_zipfile(path) else f"{path} is cut short: its archive has no end"
    return "" if head.startswith(PICKLE_MAGIC) else f"{path} is no torch file: it begins with {head[:8]!r}"


def sha256_of(path: Path) -> str:
    """sha256 of a file as 64 hex digits; computed again only when its size or time changes."""
    facts = path.stat()
    return _digest(path, facts.st_size, facts.st_mtime_ns)


def folder_mark(folder: Path) -> str:
    """64 hex digits of every file's name, size and first MARK_BYTES: not all of large files, which takes minutes."""
    mark = hashlib.sha256()
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        mark.update(f"{path.relative_to(folder).as_posix()}\n{path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            mark.update(file.read(MARK_BYTES))
    return mark.hexdigest()


def card_path(path: Path) -> Path | None:
    """The card that lies beside a weight file (same name, .toml); None where there is none."""
    beside = path.with_suffix(".toml")
    return beside if beside.is_file() else None


def _safetensors_fault(path: Path, head: bytes, size: int) -> str:
    """The form of safetensors: 8 bytes little-endian header length, then that much JSON, then the tensors."""
    length = int.from_bytes(head[:8], "little")
    if size < 8 + length:
        return f"{path} is cut short or no safetensors file"
    return "" if head[8:9] == b"{" else f"{path} is no safetensors file: its header is not JSON"


def _mismatch(entry: CatalogEntry, path: Path) -> str:
    """Whether the sha256 pinned in the catalog or in the card beside the file is another than the file's."""
    expected, card = entry.source.sha256, card_path(path)
    if expected is None and card is not None:
        try:
            expected = tomllib.loads(card.read_text(encoding="utf-8")).get("sha256")
        except tomllib.TOMLDecodeError as error:
            return f"{card}, its card, is no TOML: {error}"
    if expected is None:
        missing = f"{card} names no sha256" if card else f"{path.with_suffix('.toml')}, its card, is not there"
        return missing if entry.source.kind is SourceKind.EMBEDDED else ""
    found = sha256_of(path)
    return "" if found == expected else f"{path} has sha256 {found[:12]}…, not the expected {expected[:12]}…"


def _remedy(entry: CatalogEntry, place: Path) -> str:
    source = entry.source
    if source.kind is SourceKind.EMBEDDED:
        return f"Restore it: git checkout -- models/embedded (made by {entry.reference})."
    if source.kind is SourceKind.USER:
        return f"Put {source.file or 'its folder'} into {folder_of(entry, place)}. {source.note}".strip()
    return f"Run: hilum models pull {entry.id} ({entry.download_mb:g} MB; {entry.licence})."


@functools.lru_cache(maxsize=64)
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    del size, mtime_ns
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

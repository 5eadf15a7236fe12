"""Predictions and the bounded caches that keep them, in memory and on disk, so that one call is made once."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
import zipfile
from collections import OrderedDict
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from models import wire
from models.card import ModelCard
from models.outputs import Output, Task

HEADER = "header"
"""Name of the JSON text among the arrays of a kept file."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What one model said of one film. The arrays of `output` are shared between callers and not writeable.

    Attributes:
        revision: of the model, as on its card.
        cached: whether the output was at hand already.
        elapsed_ms: this film's share of the batch that computed it, loading included; 0 where cached.
    """

    output: Output
    card: ModelCard
    model_id: str
    revision: str
    cached: bool
    elapsed_ms: float


@dataclass(frozen=True)
class PredictionKey:
    """What makes two predictions the same.

    Attributes:
        edition: of the model, as its card tells it.
        question: a Question's key, empty where nothing was asked.
        numerics: Numerics.key() of the number formats, empty for the usual ones.
    """

    film_id: str
    model_id: str
    edition: str
    task: Task
    question: str = ""
    numerics: str = ""


class PredictionCache:
    """Outputs by key, the least recently used dropped first; safe to use from several threads."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._kept: OrderedDict[PredictionKey, Output] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: PredictionKey) -> Output | None:
        """The output of that key, or None."""
        with self._lock:
            output = self._kept.get(key)
            if output is not None:
                self._kept.move_to_end(key)
            return output

    def put(self, key: PredictionKey, output: Output) -> None:
        """Keep an output; one larger than the whole cache is not kept."""
        size = size_of(output)
        if size > self._limit:
            return
        with self._lock:
            replaced = self._kept.pop(key, None)
            if replaced is not None:
                self._bytes -= size_of(replaced)
            self._kept[key] = output
            self._bytes += size
            while self._bytes > self._limit:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= size_of(dropped)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size_bytes(self) -> int:
        """Bytes of the arrays kept."""
        return self._bytes


class DiskCache:
    """Outputs in a folder, one file each, the least recently used deleted first; several processes may share it.

    A file is named by the key's sha256, so that no film can be told from a name; it is written beside and renamed.
    A file that cannot be read is deleted and counts as absent.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder.expanduser()
        self._limit = limit_bytes
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def get(self, key: PredictionKey) -> Output | None:
        """The output of that key, or None."""
        path = self._path(key)
        try:
            with np.load(path, allow_pickle=False) as held:
                header = json.loads(str(held[HEADER]))
                output = wire.decode(header, {name: held[name] for name in held.files if name != HEADER})
            os.utime(path)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
            path.unlink(missing_ok=True)
            return None
        return output

    def put(self, key: PredictionKey, output: Output) -> None:
        """Keep an output; a full disk or one larger than the limit keeps nothing."""
        if size_of(output) > self._limit:
            return
        header, arrays = wire.encode(output)
        beside = ""
        try:
            with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as file:
                beside = file.name
                np.savez_compressed(file, allow_pickle=False, **{HEADER: np.array(json.dumps(header)), **arrays})
            Path(beside).replace(self._path(key))
        except OSError:
            Path(beside).unlink(missing_ok=True)
            return
        self._shrink()

    @property
    def size_bytes(self) -> int:
        """Bytes of the files kept."""
        return sum(size for _, size, _ in self._files())

    def _path(self, key: PredictionKey) -> Path:
        return self._folder / f"{hashlib.sha256(json.dumps(astuple(key)).encode()).hexdigest()}.npz"

    def _files(self) -> list[tuple[float, int, Path]]:
        """(time of use, bytes, path) of each file; one that another process deletes meanwhile is left out."""
        found = []
        for path in self._folder.glob("*.npz"):
            try:
                facts = path.stat()
            except FileNotFoundError:
                continue
            found.append((facts.st_mtime, facts.st_size, path))
        return sorted(found)

    def _shrink(self) -> None:
        files = self._files()
        excess = sum(size for _, size, _ in files) - self._limit
        for _, size, path in files:
            if excess <= 0:
                break
            path.unlink(missing_ok=True)
            excess -= size


def size_of(output: Output) -> int:
    """Bytes of an output's arrays; of its text where it has none."""
    values = [getattr(output, item.name) for item in fields(output)]
    arrays = sum(value.nbytes for value in values if isinstance(value, np.ndarray))
    return arrays or sum(len(value) for value in values if isinstance(value, str))


def seal(output: Output) -> Output:
    """The same output with its arrays made read-only, as callers share them."""
    for item in fields(output):
        value = getattr(output, item.name)
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    return output

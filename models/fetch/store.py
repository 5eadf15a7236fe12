"""Models in the model directory: pulled with progress, verified against what was pulled, removed."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imaging.failures import BadArguments, Unavailable
from models.catalog import CatalogEntry, SourceKind
from models.fetch.remote import look_up
from models.fetch.transfer import Connection, RemoteFile, fetch, form_fault
from models.weights import MANIFEST, folder_of, sha256_of

PARALLEL = 4
"""Files downloaded at the same time."""

SPARE_BYTES = 500_000_000
"""Room that is left on the disk after a pull."""

LEFT_OUT = {SourceKind.EMBEDDED: "part of Hilum", SourceKind.PACKAGE: "a Python package of its own"}
"""Why a model is not downloaded."""

Progress = Callable[[str, int, int | None], None]
"""progress(model id, bytes so far, bytes in all or None)."""


@dataclass(frozen=True)
class Plan:
    """What a pull would do.

    Attributes:
        wanted: models to download, with the megabytes the catalog expects.
        here: ids already here.
        left_out: id -> why it is not downloaded (shipped, supplied by the user).
        needed_mb, free_mb: of the disk.
    """

    wanted: tuple[CatalogEntry, ...]
    here: tuple[str, ...]
    left_out: dict[str, str]
    needed_mb: float
    free_mb: float


def plan(entries: Sequence[CatalogEntry], model_dir: Path, present: Callable[[CatalogEntry], bool]) -> Plan:
    """What pulling these models would take; asks nobody.

    Raises:
        Unavailable: the disk has not the room, or the directory cannot be written.
    """
    left_out = {
        entry.id: LEFT_OUT.get(entry.source.kind, "supplied by you")
        for entry in entries
        if entry.source.kind not in (SourceKind.URL, SourceKind.HUB)
    }
    open_ones = [entry for entry in entries if entry.id not in left_out]
    here = tuple(entry.id for entry in open_ones if present(entry))
    wanted = tuple(entry for entry in open_ones if entry.id not in here)
    needed_mb = sum(entry.download_mb for entry in wanted)
    free_mb = shutil.disk_usage(_existing(model_dir)).free / 1e6
    if wanted and needed_mb + SPARE_BYTES / 1e6 > free_mb:
        raise Unavailable(
            f"{model_dir} has {free_mb:,.0f} MB free; these models need {needed_mb:,.0f} MB.",
            "Pull fewer, make room, or set HILUM_MODEL_DIR to a larger disk.",
        )
    return Plan(wanted, here, left_out, needed_mb, free_mb)


def pull(
    entry: CatalogEntry, model_dir: Path, progress: Progress | None = None, *, pause_s: float | None = None
) -> Path:
    """Download one model into the directory and write down what came; returns its file or folder.

    Files already complete are kept, broken ones go on where they stopped. Ctrl-C leaves what came for the next time.

    Raises:
        BadArguments, Unavailable: as look_up and fetch; or the disk is full.
    """
    remote = look_up(entry)
    target = folder_of(entry, model_dir)
    _writable(model_dir)
    total = sum(item.size_bytes or 0 for item in remote.files) or None
    done, lock = [0], threading.Lock()

    def advance(count: int) -> None:
        with lock:
            done[0] += count
            if progress is not None:
                progress(entry.id, done[0], total)

    connection = Connection(headers=remote.headers, advance=advance, licence=entry.licence)
    if pause_s is not None:
        connection.pause_s = pause_s
    with _writing(model_dir):
        digests = _all(remote.files, target, connection)
    record = {
        "id": entry.id,
        "revision": remote.revision,
        "files": {
            item.name: {"sha256": digest, "bytes": (target / item.name).stat().st_size}
            for item, digest in zip(remote.files, digests, strict=True)
        },
    }
    manifest = manifest_of(entry, model_dir)
    with _writing(model_dir):
        manifest.with_suffix(".part").write_text(json.dumps(record, indent=1), encoding="utf-8")
        manifest.with_suffix(".part").replace(manifest)
    return target / entry.source.file if entry.source.file else target


def verify(entry: CatalogEntry, model_dir: Path) -> list[str]:
    """What is wrong with a model's files, one sentence each; empty when each is what was pulled and has its form.

    Raises:
        Unavailable: nothing of it is here, or it was put there by hand, so that there is nothing to compare with.
    """
    manifest, folder = manifest_of(entry, model_dir), folder_of(entry, model_dir)
    if not manifest.is_file():
        raise Unavailable(f"{entry.id} was not pulled into {model_dir}.", f"Run: hilum models pull {entry.id}")
    found = []
    for name, facts in json.loads(manifest.read_text(encoding="utf-8"))["files"].items():
        path = folder / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif path.stat().st_size != facts["bytes"]:
            found.append(f"{name} has {path.stat().st_size:,} bytes, not {facts['bytes']:,}")
        elif sha256_of(path) != facts["sha256"]:
            found.append(f"{name} has changed: its sha256 is not the one that was pulled")
        elif wrong := form_fault(path, name):
            found.append(wrong)
    return found


def remove(entry: CatalogEntry, model_dir: Path) -> int:
    """Delete a pulled model; returns the bytes freed.

    Raises:
        BadArguments: it is part of Hilum, or was not pulled: files put there by hand are not deleted.
        Unavailable: the directory cannot be written.
    """
    manifest, folder = manifest_of(entry, model_dir), folder_of(entry, model_dir)
    if not manifest.is_file():
        raise BadArguments(
            f"{entry.id} was not pulled into {model_dir}; nothing was deleted.", "Delete by hand what you put there."
        )
    _writable(model_dir)
    freed = 0
    for name in json.loads(manifest.read_text(encoding="utf-8"))["files"]:
        path = folder / name
        if path.is_file():
            freed += path.stat().st_size
            path.unlink()
    manifest.unlink()
    if folder != model_dir and folder.is_dir():
        shutil.rmtree(folder)
    return freed


def manifest_of(entry: CatalogEntry, model_dir: Path) -> Path:
    """Where it stands what was pulled of a model."""
    folder = folder_of(entry, model_dir)
    return folder / MANIFEST if folder != model_dir else model_dir / f"{entry.id}.{MANIFEST}"


def _all(files: Sequence[RemoteFile], target: Path, connection: Connection) -> list[str]:
    """Fetch several files at once; the first failure, or Ctrl-C, ends the others too."""
    with connection.client, ThreadPoolExecutor(PARALLEL) as threads:
        jobs = [threads.submit(fetch, item, target / item.name, connection) for item in files]
        try:
            ended, _ = wait(jobs, return_when=FIRST_EXCEPTION)
            for job in ended:
                job.result()
            return [job.result() for job in jobs]
        except BaseException:
            connection.stop.set()
            for job in jobs:
                job.cancel()
            raise


def _existing(path: Path) -> Path:
    """The nearest folder on the way to a path that is there."""
    return next(folder for folder in (path, *path.resolve().parents) if folder.is_dir())


def _writable(model_dir: Path) -> None:
    with _writing(model_dir):
        model_dir.mkdir(parents=True, exist_ok=True)
        probe = model_dir / ".writable"
        probe.touch()
        probe.unlink()


@contextmanager
def _writing(model_dir: Path) -> Iterator[None]:
    """While the model directory is written to: a full or read-only disk is Unavailable, with the remedy."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"{model_dir} cannot be written ({error.strerror}).",
            "Make room, or set HILUM_MODEL_DIR to a folder of yours; a pull goes on where it stopped.",
        ) from error

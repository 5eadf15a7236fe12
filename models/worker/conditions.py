"""What stands before a worker may run: its environment, and the user's word that the model's own code may run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from imaging.failures import BadArguments, Unavailable
from models.catalog import CatalogEntry
from models.weights import pulled, sha256_of
from models.worker import environment
from models.worker.process import Launch

SETTING = "HILUM_TRUST_REMOTE_CODE"
"""Environment variable of the setting `trust_remote_code`."""

ALLOWED = re.compile(r"[a-z0-9][a-z0-9_.-]*@[A-Za-z0-9_.-]+")
"""id@revision."""


class Conditions:
    """The user's terms for isolated workers.

    Args:
        model_dir: where models and their environments lie; None takes the default.
        trusted: "id@revision, ..." of the models whose own code may run.

    Raises:
        BadArguments: something between the commas is not id@revision.
    """

    def __init__(self, model_dir: Path | None = None, trusted: str = "") -> None:
        self._model_dir = model_dir
        self._trusted = frozenset(part.strip() for part in trusted.split(",") if part.strip())
        for part in self._trusted:
            if not ALLOWED.fullmatch(part):
                raise BadArguments(
                    f"{SETTING} names {part!r}.", "Each is a catalog id and a revision: id@revision, no wildcards."
                )

    def fault(self, entry: CatalogEntry, path: Path) -> tuple[str, str]:
        """(what keeps a model whose files are here from running, what to do); both empty where nothing does."""
        if entry.worker is None:
            return "", ""
        wrong = environment.fault(entry, self._model_dir)
        if wrong:
            return wrong, f"Run: hilum models pull {entry.id}"
        if not entry.worker.remote_code:
            return "", ""
        code = code_files(path)
        if not code:
            return f"{path} holds no code, which {entry.id} needs", f"Run: hilum models pull {entry.id}"
        changed = _changed(entry, path, code)
        if changed:
            return f"{changed} is not the code that was pulled", f"Run: hilum models rm, then pull {entry.id}"
        return self._refusal(entry, path, code)

    def launch(self, entry: CatalogEntry, path: Path, device: str, limit_bytes: int | None) -> Launch:
        """What to start for a model.

        Raises:
            Unavailable: as `fault` says; looked at again because files change.
        """
        reason, remedy = self.fault(entry, path)
        if reason or entry.worker is None:
            raise Unavailable(f"{entry.id} does not run: {reason or 'it has no worker'}.", remedy)
        return Launch(
            name=entry.id,
            python=environment.python_of(environment.place_of(entry, self._model_dir)),
            runner=entry.worker.runner,
            folder=path,
            device=device,
            dtype=entry.gpu_dtype if device.startswith("cuda") else "float32",
            trust_remote_code=entry.worker.remote_code,
            limit_bytes=limit_bytes,
        )

    def _refusal(self, entry: CatalogEntry, path: Path, code: dict[str, str]) -> tuple[str, str]:
        key = f"{entry.id}@{revision_of(entry, path, code)}"
        if key in self._trusted:
            return "", ""
        files = ", ".join(f"{name} (sha256 {digest})" for name, digest in code.items())
        source = entry.source.repo or path
        reason = (
            f"it would run code of {source} at revision {key.partition('@')[2]}, which can do whatever you can, and "
            f"you have not allowed it: {files}"
        )
        setting = ",".join(sorted({*self._trusted, key}))
        return reason, f'Read these files in {path}; to allow this revision, set {SETTING}="{setting}".'


def code_files(path: Path) -> dict[str, str]:
    """The Python files in a model's folder, by name: sha256 as 64 hex digits."""
    return {str(file.relative_to(path)): sha256_of(file) for file in sorted(path.rglob("*.py"))}


def revision_of(entry: CatalogEntry, path: Path, code: dict[str, str]) -> str:
    """The commit that was pulled; for files put there by hand, the sha256 of their names and digests."""
    revision = pulled(entry, path).get("revision")
    if isinstance(revision, str) and revision:
        return revision
    listing = "".join(f"{name} {digest}\n" for name, digest in code.items())
    return f"sha256-{hashlib.sha256(listing.encode()).hexdigest()}"


def _changed(entry: CatalogEntry, path: Path, code: dict[str, str]) -> str:
    """The first code file that differs from what was pulled; empty where none does, or nothing was pulled."""
    record = pulled(entry, path).get("files")
    if not isinstance(record, dict):
        return ""
    return _first(name for name, digest in code.items() if record.get(name, {}).get("sha256") != digest)


def _first(names: Iterable[str]) -> str:
    return next(iter(names), "")

"""Films of PhantomBench with their truth: made once per patient, kept beside the runs, shared by all its questions."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import imaging.phantom
from evals.phantombench.patients import Patient
from imaging.cores import core_count
from imaging.failures import writing
from imaging.phantom import PhantomFilm, make_phantom, progression
from imaging.phantom.facts import own_code

FOLDER = "phantombench-films"
"""Folder of the films beside the runs; may be deleted at any time."""


@dataclass(frozen=True)
class Shown:
    """A patient's films on disk and what is true of them.

    Attributes:
        patient: who it is.
        files: DICOM files, the prior one first.
        facts: of each film, see imaging.phantom.facts.
    """

    patient: Patient
    files: tuple[Path, ...]
    facts: tuple[Mapping[str, Any], ...]

    @property
    def now(self) -> Mapping[str, Any]:
        """Facts of the current film."""
        return self.facts[-1]

    @property
    def found(self) -> list[dict[str, Any]]:
        """What the current film shows, devices included; of each finding its phantom code is `code`."""
        return [{**entry, "code": own_code(entry)} for entry in self.now["findings"] if entry["visible"]]

    def of(self, code: str) -> list[dict[str, Any]]:
        """Entries of one finding, one per side."""
        return [entry for entry in self.found if entry["code"] == code]

    def side(self, code: str) -> str | None:
        """ "left", "right" or "bilateral"; None for what has no side or is not there."""
        sides = {entry["side"] for entry in self.of(code)}
        return "bilateral" if len(sides) == 2 else next(iter(sides), None)

    def measure(self, name: str) -> float | None:
        """A measure of the current film; None where it cannot be taken."""
        value = self.now["measures"].get(name)
        return None if value is None else float(value)


def show(patients: Sequence[Patient], folder: Path) -> list[Shown]:
    """Every patient's films, in order; those made before are read.

    Args:
        patients: whom to show.
        folder: where films are kept.

    Raises:
        BadArguments: they cannot be written there.
    """
    with writing(folder), ThreadPoolExecutor(core_count()) as pool:
        folder.mkdir(parents=True, exist_ok=True)
        return list(pool.map(lambda patient: _shown(patient, folder), patients))


def _shown(patient: Patient, folder: Path) -> Shown:
    key = _key(patient)
    count = 1 if patient.prior is None else 2
    files = tuple(folder / f"{key}-{number}.dcm" for number in range(count))
    told = folder / f"{key}.json"
    if not (told.is_file() and all(file.is_file() for file in files)):
        films = _make(patient)
        for film, file in zip(films, files, strict=True):
            film.write_dicom(file)
        # Last and at once: a run that is killed here makes the films anew.
        part = told.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps([film.facts() for film in films]), encoding="utf-8")
        part.replace(told)
    facts = json.loads(told.read_text(encoding="utf-8"))
    return Shown(patient, files, tuple(facts))


def _make(patient: Patient) -> Sequence[PhantomFilm]:
    if patient.prior is None or patient.dates is None:
        return (make_phantom(patient.spec, threads=1),)
    bare = replace(patient.spec, findings=())
    return progression(bare, patient.dates, [patient.prior, patient.spec.findings])


def _key(patient: Patient) -> str:
    told = f"{patient.spec!r}|{patient.prior!r}|{patient.dates!r}|{_phantom_digest()}"
    return hashlib.sha256(told.encode()).hexdigest()[:20]


@cache
def _phantom_digest() -> str:
    """Hash of the phantom's code: films of another version are not reused."""
    digest = hashlib.sha256()
    for path in sorted(Path(imaging.phantom.__file__).parent.rglob("*")):
        if path.suffix in {".py", ".toml"}:
            digest.update(path.read_bytes())
    return digest.hexdigest()

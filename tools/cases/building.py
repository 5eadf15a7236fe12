"""Making the index: each entry's film is opened, looked at by the models once, and kept; then the vectors are indexed.

What was kept stays: a broken-off run goes on where it stopped, and further folders add to what is there.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from imaging.failures import BadArguments, FilmRefused
from imaging.radiograph import Radiograph
from models.pool import ModelPool
from tools.cases.entries import Entry
from tools.cases.library import DATABASE, FOLDER, THUMBNAIL_PX
from tools.cases.looks import (
    FILM,
    FINDINGS,
    SPREAD_FLOOR,
    Making,
    Scale,
    Vector,
    joined,
    looks_of,
    making,
    scored,
    statuses,
)
from tools.cases.parts import ZONES
from tools.cases.records import CaseRecord, CaseRecords
from tools.cases.vectors import Chunks, build
from tools.contract.films import unreadable
from tools.contract.made import encode_picture
from tools.contract.quality import film_quality, quality_of

BATCH = 8
"""Films opened and looked at together."""


@dataclass
class Progress:
    """How far the making of an index is.

    Attributes:
        seen: entries so far.
        added, known, same: of them new in the index, indexed before, and further files of a picture that is there.
        refused: name and reason of each entry that is no film to compare with.
    """

    seen: int = 0
    added: int = 0
    known: int = 0
    same: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)


def build_index(
    entries: Iterable[Entry], models: ModelPool, home: Path, *, anew: bool = False, zones: bool = False
) -> Iterator[Progress]:
    """Add entries to the index under `home`, then make it ready for searching; yields after each batch.

    Args:
        entries: of any source.
        models: embed, classify, segment and quality are used, as far as they are here.
        home: Hilum's home directory.
        anew: forget what is indexed.
        zones: also compare the six zones of the lungs; seven times the time.

    Raises:
        BadArguments: what is there was made with another model or other parts.
        Unavailable: no model embeds films.
    """
    folder = home / FOLDER
    if anew:
        for path in folder.glob("*"):
            path.unlink()
    records = CaseRecords(folder / DATABASE)
    made = _agree(records, models, zones)
    progress = Progress()
    pending = iter(entries)
    while batch := list(islice(pending, BATCH)):
        _take(batch, records, models, made, progress)
        yield progress
    _index(records, folder, made)
    yield progress


def _agree(records: CaseRecords, models: ModelPool, zones: bool) -> Making:
    """With what the index is made: as before, or for a new one with the models of now."""
    kept = records.facts().get("making")
    before = Making.model_validate(kept) if kept else None
    now = making(models, zones, before)
    if before is None:
        records.put_facts({"making": now.model_dump()})
    elif before != now:
        changed = [name for name, value in now if value != getattr(before, name)]
        told = "; ".join(f"{name} was {getattr(before, name)}, is {getattr(now, name)}" for name in changed)
        raise BadArguments(f"The index was made otherwise ({told}).", "Index in the same way, or anew with --anew.")
    return now


def _take(batch: Sequence[Entry], records: CaseRecords, models: ModelPool, made: Making, progress: Progress) -> None:
    """Open, look at and keep the films of a batch."""
    films: list[tuple[Entry, Radiograph]] = []
    for entry in batch:
        progress.seen += 1
        if records.knows(entry.digest):
            progress.known += 1
            continue
        try:
            film = entry.given.of(entry.film())
            _check(film, models)
        except FilmRefused as refused:
            progress.refused.append((entry.name, str(refused)))
        else:
            films.append((entry, film))
    looks = looks_of([film for _, film in films], models, made) if films else []
    for (entry, film), vectors in zip(films, looks, strict=True):
        record = _record(film, entry, statuses(film, scored(film, models, made)))
        new = records.add(record, entry.digest, vectors, entry.given.labels)
        progress.added += new
        progress.same += not new


def _check(film: Radiograph, models: ModelPool) -> None:
    """Raise FilmRefused for a picture that is not to be compared with."""
    if film.derived is not None:
        raise FilmRefused(film.warnings[0])
    quality = quality_of(film_quality(models, film))
    refusal = unreadable(film, quality, "comparing it") if quality is not None else None
    if refusal is not None:
        raise FilmRefused(refusal.message)


def _record(film: Radiograph, entry: Entry, findings: dict[str, str]) -> CaseRecord:
    picture, _ = encode_picture(film.pixels, THUMBNAIL_PX)
    return CaseRecord(
        number=0,
        film_id=film.id,
        view=film.view.value,
        age_years=film.age_years,
        sex=film.sex,
        acquired=film.acquired,
        patient_key=film.patient_key,
        study_key=film.study_key,
        report=entry.given.report,
        thumbnail=base64.b64decode(picture),
        findings=findings,
    )


def _index(records: CaseRecords, folder: Path, made: Making) -> None:
    """Make the faiss file of everything that is compared from the database's vectors."""
    count = records.count()
    if not count:
        return
    kinds = {FILM: [FILM, *([FINDINGS] if made.classifier else [])]}
    kinds |= {zone: [zone] for zone in ZONES if made.zones}
    parts = {part: _index_part(records, each, folder / f"{part}.faiss") for part, each in kinds.items()}
    last = int(records.numbers()[-1])
    records.put_facts({"parts": {part: built for part, built in parts.items() if built}, "films": count, "last": last})


def _index_part(records: CaseRecords, kinds: Sequence[str], path: Path) -> dict[str, object]:
    """Make one faiss file; how it was made, or nothing where no film has such vectors."""
    present = [kind for kind in kinds if records.dimension(kind)]
    if not present:
        return {}
    scales: list[Scale] = []
    count = 0
    for kind in reversed(present):
        count, scale = _scale(vectors[0] for _, vectors in records.vectors([kind]))
        scales.insert(0, scale)
    np.savez(path.with_suffix(".scale.npz"), **{f"{name}{n}": getattr(scale, name) for n, scale in enumerate(scales)
                                                for name in ("mean", "spread")})  # fmt: skip

    def scaled() -> Chunks:
        for numbers, vectors in records.vectors(present):
            yield numbers, joined([scale(block) for scale, block in zip(scales, vectors, strict=True)])

    built = build(scaled, sum(map(records.dimension, present)), count, path)
    return {"kinds": present, "built": asdict(built)}


def _scale(blocks: Iterable[Vector]) -> tuple[int, Scale]:
    """(how many, mean and spread of each component)."""
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for block in blocks:
        wide = block.astype(np.float64)
        count, total, squares = count + len(wide), total + wide.sum(axis=0), squares + (wide**2).sum(axis=0)
    mean = total / max(count, 1)
    spread = np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 0)) + SPREAD_FLOOR
    return count, Scale(mean.astype(np.float32), spread.astype(np.float32))

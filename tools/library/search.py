"""Search over the passages: BM25 by SQLite's FTS5, vectors where a model embeds texts, and a calibrated cut-off."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import safe_open

from models.outputs import Embedding, Task
from models.pool import ModelPool
from models.request import Question, Request
from tools.library.own import own_passages, stamp
from tools.library.passages import Passage, shipped
from tools.library.query import Query, read_query, stems
from tools.library.ranking import Statistics, calibrations, features, score

CANDIDATES = 40
"""Passages of each way of searching that are weighed."""
EMBED_BATCH = 32
VECTORS = Path("knowledge")
"""Below Hilum's home directory: where the passages' vectors are kept, a file for each vector space."""

SHIPPED_VECTORS = "vectors.safetensors"
"""Those of the passages that come with Hilum, by the packaged MiniLM; written by `python -m evals.knowledge --fit`."""

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Hit:
    """One passage that answers; `score` as tools.library.ranking.score gives it."""

    passage: Passage
    score: float


@dataclass(frozen=True)
class Found:
    """What a search gave, best first, of how many passages; `way` is "words" or "words_and_vectors"."""

    query: Query
    hits: tuple[Hit, ...]
    way: str
    searched: int


class Library:
    """All passages with their index in memory."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = tuple(passages)
        self._held = [frozenset(stems(each.whole)) for each in self.passages]
        self.statistics = Statistics(len(self.passages), dict(Counter(term for held in self._held for term in held)))
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.execute(
            "CREATE VIRTUAL TABLE passages USING fts5(text, tokenize='porter unicode61 remove_diacritics 2')"
        )
        self._database.executemany(
            "INSERT INTO passages (rowid, text) VALUES (?, ?)",
            [(n, each.whole) for n, each in enumerate(self.passages)],
        )

    @classmethod
    def at(cls, home: Path | None) -> Library:
        """The passages that come with Hilum and the user's own, kept in memory until those change."""
        return _library(home, stamp(home))

    def candidates(self, query: Query, similar: Iterable[int] = ()) -> list[int]:
        """Places of the passages worth weighing: by BM25, by the findings named, and the similar ones given."""
        words = [*query.terms, *query.named]
        match = " OR ".join(f'"{word}"' for word in words)
        rows = (
            self._database.execute(
                "SELECT rowid FROM passages WHERE passages MATCH ? ORDER BY bm25(passages) LIMIT ?", (match, CANDIDATES)
            ).fetchall()
            if words
            else []
        )
        about = [n for n, each in enumerate(self.passages) if set(query.codes) & set(each.findings)]
        return list(dict.fromkeys([*(int(row[0]) for row in rows), *about, *similar]))

    def weigh(self, query: Query, similarities: Vector | None) -> list[tuple[int, dict[str, float]]]:
        """Every candidate's place and features.

        Args:
            query: as read.
            similarities: float32 [n] of all passages; None where no model embeds texts.
        """
        similar = np.argsort(-similarities)[:CANDIDATES].tolist() if similarities is not None else []
        return [
            (n, features(query, self.passages[n], self._held[n], self.statistics,
                         float(similarities[n]) if similarities is not None else None))
            for n in self.candidates(query, similar)
        ]  # fmt: skip


def search(
    question: str, home: Path | None, models: ModelPool | None, *, codes: tuple[str, ...] = (), most: int = 3
) -> Found:
    """The passages that answer a question, none where none does.

    Args:
        question: in any of the ontology's languages.
        home: Hilum's home directory, with the user's own passages; None for ours alone.
        models: a model that embeds texts is used where one is present.
        codes: findings that it is about besides those it names.
        most: passages at most; fewer are given where the score falls off.
    """
    library = Library.at(home)
    query = read_query(question, codes)
    similarities = similarities_of(library, query.text, home, models)
    way = "words" if similarities is None else "words_and_vectors"
    calibration = calibrations()[way]
    weighed = [(score(found, calibration), n) for n, found in library.weigh(query, similarities)]
    ranked = sorted(weighed, key=lambda item: (-item[0], item[1]))[:most]
    best = ranked[0][0] if ranked else 0.0
    kept = [(value, n) for value, n in ranked if value >= calibration.cutoff and value >= calibration.margin * best]
    return Found(
        query, tuple(Hit(library.passages[n], round(value, 4)) for value, n in kept), way, len(library.passages)
    )


def similarities_of(library: Library, text: str, home: Path | None, models: ModelPool | None) -> Vector | None:
    """Cosine of a text with every passage, float32 [n]; None where no model embeds texts."""
    if models is None or not models.serves(Task.EMBED_TEXT) or not text.strip():
        return None
    [asked] = _embedded([text], models)
    kept = _Kept(home, asked.space)
    missing = [each for each in library.passages if _key(each.whole) not in kept.vectors]
    if missing:
        kept.vectors |= vectors_of(missing, models)[1]
        kept.save()
    matrix = np.stack([kept.vectors[_key(each.whole)] for each in library.passages])
    return np.asarray(matrix @ asked.values, dtype=np.float32)


@lru_cache(maxsize=2)
def shipped_vectors(space: str) -> dict[str, Vector]:
    """Vectors of the passages that come with Hilum by the hash of their text; none in another vector space."""
    with safe_open(str(resources.files("tools.library") / SHIPPED_VECTORS), framework="numpy") as held:
        told = held.metadata()
        if told["space"] != space:
            return {}
        vectors = held.get_tensor("vectors").astype(np.float32)
    return dict(zip(json.loads(told["keys"]), vectors, strict=True))


def vectors_of(passages: Sequence[Passage], models: ModelPool) -> tuple[str, dict[str, Vector]]:
    """The vector space of the model that embeds texts, and every passage's vector by the hash of its text."""
    made: dict[str, Vector] = {}
    space = ""
    for start in range(0, len(passages), EMBED_BATCH):
        batch = [each.whole for each in passages[start : start + EMBED_BATCH]]
        for text, embedded in zip(batch, _embedded(batch, models), strict=True):
            made[_key(text)], space = embedded.values, embedded.space
    return space, made


class _Kept:
    """Vectors of passages by the hash of their text, kept on disk where there is a home."""

    def __init__(self, home: Path | None, space: str) -> None:
        name = f"vectors-{hashlib.sha256(space.encode()).hexdigest()[:12]}.npz"
        self._path = home / VECTORS / name if home is not None else None
        self.vectors = dict(shipped_vectors(space))
        if self._path is not None and self._path.is_file():
            with np.load(self._path, allow_pickle=False) as held:
                self.vectors |= dict(zip(held["keys"].tolist(), held["vectors"], strict=True))

    def save(self) -> None:
        """Write all of them, whole or not at all; a home that cannot be written keeps none."""
        if self._path is None:
            return
        fresh = self._path.with_suffix(".new.npz")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(fresh, keys=np.array(list(self.vectors)), vectors=np.stack(list(self.vectors.values())))
            fresh.replace(self._path)
        except OSError:
            fresh.unlink(missing_ok=True)


def _embedded(texts: Sequence[str], models: ModelPool) -> list[Embedding]:
    found: list[Any] = [
        each.output for each in models.ask(Task.EMBED_TEXT, [Request(None, Question(t)) for t in texts])
    ]
    if not all(isinstance(each, Embedding) for each in found):
        raise TypeError("a model serves embed_text and returned something else than an Embedding")
    return found


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@lru_cache(maxsize=4)
def _library(home: Path | None, changed: float) -> Library:
    del changed
    return Library([*shipped(), *own_passages(home)])

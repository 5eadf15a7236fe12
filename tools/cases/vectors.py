"""Nearest neighbours by inner product of vectors of length 1, with faiss: exact for few, inverted lists for many."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
Chunks = Iterable[tuple[Numbers, Vector]]

EXACT_UP_TO = 20_000
"""Vectors that are compared one by one: 15 ms and less for a query of 500 dimensions on one core."""

LISTS_PER_ROOT = 4
"""Inverted lists per square root of the vectors, as faiss advises up to a million."""

TRAINING_PER_LIST = 64
"""Vectors per list that the lists are learnt from: faiss warns below 39, and more changed nothing but the time."""

RECALL_WANTED = 0.95
"""Share of the ten true nearest that a search of many must find, on queries drawn from the index itself."""

RECALL_QUERIES = 200
NEAREST = 10

PROBES = (4, 8, 16, 32, 64, 128, 256)
"""Lists that may be looked into; the fewest with the recall wanted are."""


@dataclass(frozen=True)
class Built:
    """How an index was made: `kind` "exact" or "lists", its vectors, lists, probes, and the recall at ten measured."""

    kind: str
    vectors: int
    lists: int = 0
    probes: int = 0
    recall_at_10: float = 1.0


def build(chunks: Callable[[], Chunks], dimension: int, count: int, path: Path) -> Built:
    """Make the index of `count` vectors and put it at `path` whole, or not at all.

    Args:
        chunks: called for each pass; gives (numbers [m], vectors [m, dimension] of length 1).
        dimension, count: of the vectors.
        path: of the faiss file.
    """
    faiss = _faiss()
    if count <= EXACT_UP_TO:
        index, built = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension)), Built("exact", count)
        _fill(index, chunks())
    else:
        lists = LISTS_PER_ROOT * math.isqrt(count)
        index = faiss.IndexIVFScalarQuantizer(
            faiss.IndexFlatIP(dimension), dimension, lists, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        index.cp.max_points_per_centroid = TRAINING_PER_LIST
        _, training = _sample(chunks(), count, min(count, TRAINING_PER_LIST * lists))
        index.train(training)
        _fill(index, chunks())
        own, queries = _sample(chunks(), count, RECALL_QUERIES, seed=1)
        truth = _without(own, nearest_exactly(queries, chunks(), NEAREST + 1))
        built = _tuned(index, own, queries, truth, lists)
    beside = path.with_suffix(".part")
    faiss.write_index(index, str(beside))
    os.replace(beside, path)  # noqa: PTH105 - pathlib's replace is the same
    return built


class Vectors:
    """A made index, in memory.

    Args:
        path: of the faiss file.
        built: how it was made.
    """

    def __init__(self, path: Path, built: Built) -> None:
        self._index: Any = _faiss().read_index(str(path))
        self._built = built

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, query: Vector, k: int, allowed: npt.NDArray[np.bool_]) -> tuple[Numbers, Vector]:
        """The k nearest of the allowed ones, nearest first: their numbers and inner products; fewer where fewer are.

        Args:
            query: float32 [d] of length 1.
            k: how many.
            allowed: bool [largest number + 1]: which numbers may be found.
        """
        faiss = _faiss()
        count = int(allowed.sum())
        bits = np.packbits(allowed, bitorder="little")
        selector = faiss.IDSelectorBitmap(bits)
        if self._built.kind == "exact":
            return self._found(query, k, faiss.SearchParameters(sel=selector))
        if count > EXACT_UP_TO:
            some = faiss.SearchParametersIVF(sel=selector, nprobe=self._built.probes)
            numbers, products = self._found(query, k, some)
            if len(numbers) == k:
                return numbers, products
        return self._found(query, k, faiss.SearchParametersIVF(sel=selector, nprobe=self._built.lists))

    def _found(self, query: Vector, k: int, options: Any) -> tuple[Numbers, Vector]:
        products, numbers = self._index.search(np.ascontiguousarray(query[None]), k, params=options)
        there = numbers[0] >= 0
        return numbers[0][there], products[0][there]


def nearest_exactly(queries: Vector, chunks: Chunks, k: int) -> Numbers:
    """Numbers [q, k] of the true nearest of each query, nearest first, chunk by chunk."""
    best = np.full((len(queries), k), -np.inf, dtype=np.float32)
    found = np.full((len(queries), k), -1, dtype=np.int64)
    for numbers, vectors in chunks:
        products = np.concatenate((best, queries @ vectors.T), axis=1)
        named = np.concatenate((found, np.broadcast_to(numbers, (len(queries), len(numbers)))), axis=1)
        order = np.argsort(-products, axis=1)[:, :k]
        best, found = np.take_along_axis(products, order, axis=1), np.take_along_axis(named, order, axis=1)
    return found


def recall(found: Numbers, truth: Numbers) -> float:
    """Mean share of each row of the truth that is in the same row of what was found."""
    return float(np.mean([len(set(f) & set(t)) / len(t) for f, t in zip(found.tolist(), truth.tolist(), strict=True)]))


def _faiss() -> Any:
    """faiss, imported when it is needed; its types know nothing of its Python interface."""
    return import_module("faiss")


def _fill(index: Any, chunks: Chunks) -> None:
    for numbers, vectors in chunks:
        index.add_with_ids(np.ascontiguousarray(vectors), numbers)


def _sample(chunks: Chunks, count: int, wanted: int, seed: int = 0) -> tuple[Numbers, Vector]:
    """About `wanted` of the vectors with their numbers, drawn evenly."""
    rng = np.random.default_rng(seed)
    parts = []
    for numbers, vectors in chunks:
        drawn = rng.random(len(vectors)) < wanted / count
        parts.append((numbers[drawn], vectors[drawn]))
    return np.concatenate([n for n, _ in parts]), np.concatenate([v for _, v in parts]).astype(np.float32)


def _without(own: Numbers, found: Numbers) -> Numbers:
    """Rows of one number fewer, each without its own; without its last where its own is not in it."""
    rows = [[n for n in row if n != mine][: len(row) - 1] for mine, row in zip(own, found.tolist(), strict=True)]
    return np.array(rows, dtype=np.int64)


def _tuned(index: Any, own: Numbers, queries: Vector, truth: Numbers, lists: int) -> Built:
    """The fewest probes that find what is wanted, with the recall they have; a query's own vector does not count."""
    faiss = _faiss()
    measured = 0.0
    probes = 0
    for probes in (*(p for p in PROBES if p < lists), lists):
        _, found = index.search(queries, NEAREST + 1, params=faiss.SearchParametersIVF(nprobe=probes))
        measured = recall(_without(own, found), truth)
        if measured >= RECALL_WANTED:
            break
    return Built("lists", int(index.ntotal), lists, probes, round(measured, 4))


def in_chunks(vectors: Vector, size: int = 65_536) -> Iterator[tuple[Numbers, Vector]]:
    """Vectors in memory, numbered from 1, as `build` reads them."""
    for start in range(0, len(vectors), size):
        part = vectors[start : start + size]
        yield np.arange(start + 1, start + 1 + len(part), dtype=np.int64), part

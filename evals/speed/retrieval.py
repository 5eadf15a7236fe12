"""retrieval: the nearest ten of many vectors by the index of cases, against comparing every one.

The vectors are synthetic: points of length 1 around cluster centres, as films of like findings lie, at the dimension
given and not at the embedded encoder's own (2,126). Queries are further points of the same clusters. One query at a
time, as a tool asks.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from evals.speed.measured import Measured, Timing
from tools.cases.vectors import NEAREST, Vector, Vectors, build, in_chunks, nearest_exactly, recall

VECTORS = 1_000_000
DIMENSION = 128
CLUSTERS = 4_000
SPREAD = 0.6
"""Length of what parts a point from its centre, which has length 1: two films of a cluster agree in about 0.7."""

QUERIES = 500
EXACT_QUERIES = 10
"""Queries compared with every vector one at a time; the truth for the others is computed in batches."""


def measure(vectors: int = VECTORS, dimension: int = DIMENSION) -> Measured:
    """Build the index of so many synthetic vectors, then ask it and compare every vector.

    Args:
        vectors: how many.
        dimension: of each.
    """
    import faiss

    rng = np.random.default_rng(0)
    centres = _unit(rng.standard_normal((min(CLUSTERS, max(1, vectors // 100)), dimension), dtype=np.float32))
    held = _points(centres, vectors, rng)
    queries = _points(centres, QUERIES, rng)
    allowed = np.ones(vectors + 1, dtype=np.bool_)
    allowed[0] = False
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "bench.faiss"
        begun = time.perf_counter()
        built = build(lambda: in_chunks(held), dimension, vectors, path)
        build_s = time.perf_counter() - begun
        size = path.stat().st_size
        index = Vectors(path, built)
    asked = _timed(lambda query: index.search(query, NEAREST, allowed), queries)
    found = np.array([index.search(query, NEAREST, allowed)[0] for query in queries])
    exact = faiss.IndexFlatIP(dimension)
    exact.add(held)
    every = _timed(lambda query: exact.search(query[None], NEAREST), queries[:EXACT_QUERIES])
    truth = nearest_exactly(queries, in_chunks(held), NEAREST)
    return Measured(
        baseline=Timing("per query, every vector compared (faiss IndexFlatIP)", every),
        candidate=Timing("per query, the index of cases", (statistics.median(asked),)),
        facts={
            "vectors": vectors,
            "dimension": dimension,
            "data": f"synthetic, {len(centres)} clusters, spread {SPREAD}",
            "queries": QUERIES,
            "recall_at_10": round(recall(found, truth), 4),
            "recall_at_10_told_by_build": built.recall_at_10,
            "index": {"kind": built.kind, "lists": built.lists, "probes": built.probes},
            "build_s": round(build_s, 1),
            "index_mb": round(size / 1e6, 1),
            "peak_process_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
            "exact_mb": round(held.nbytes / 1e6, 1),
            "p50_ms": round(float(np.percentile(asked, 50)) * 1000, 3),
            "p95_ms": round(float(np.percentile(asked, 95)) * 1000, 3),
            "exact_p50_ms": round(float(np.percentile(every, 50)) * 1000, 3),
            "threads": faiss.omp_get_max_threads(),
        },
    )


def _points(centres: Vector, count: int, rng: np.random.Generator) -> Vector:
    """So many points around the centres, float32 [count, d] of length 1, made in pieces to spare memory."""
    made = np.empty((count, centres.shape[1]), dtype=np.float32)
    for start in range(0, count, 65_536):
        part = made[start : start + 65_536]
        noise = rng.standard_normal(part.shape, dtype=np.float32)
        noise *= np.float32(SPREAD / np.sqrt(centres.shape[1]))
        part[:] = _unit(centres[rng.integers(len(centres), size=len(part))] + noise)
    return made


def _unit(points: Vector) -> Vector:
    lengths: Vector = np.linalg.norm(points, axis=1, keepdims=True)
    return points / lengths


def _timed(ask: Callable[[Vector], object], queries: Vector) -> tuple[float, ...]:
    """Seconds of each query, after one that does not count."""
    ask(queries[0])
    seconds = []
    for query in queries:
        begun = time.perf_counter()
        ask(query)
        seconds.append(time.perf_counter() - begun)
    return tuple(seconds)

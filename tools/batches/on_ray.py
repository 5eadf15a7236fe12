"""A cohort through Ray Data: processes of the cluster open films and run tools; this process keeps the journal.

Only paths travel out and only rows travel back. The journal is the one of `cohort`, so a run that broke off
may go on with either runtime; a row has its film's place as key, so a batch that ran twice is there once.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from imaging.failures import FilmRefused
from imaging.sources import Content, contents
from models.cluster.config import FilmShare
from models.pool import ModelPool
from tools.batches.cohort import Journal, Outcome, Row, has_error, refused_row, row_of
from tools.contract import Tool
from tools.contract.tool import installed

Wanted = dict[str, dict[str, int]]
"""File on disk -> name of each content in it that has no row yet -> its place among the films."""


def run_cohort_on_ray(
    given: Sequence[Path],
    tools: Sequence[Tool],
    make_models: Callable[[], ModelPool],
    journal: Journal,
    at_once: int,
    share: FilmShare,
) -> Iterator[Outcome]:
    """As tools.batches.cohort.run_cohort, on a Ray that is connected already (models.cluster.serving.connect).

    Args:
        given: files, folders and archives; every machine of the cluster must see them at the same paths.
        tools: installed ones; each process looks them up by name.
        make_models: makes each process's pool.
        journal: of this run.
        at_once: films side by side in one process, so that they share batches of the replicas.
        share: how many processes, and what each claims.
    """
    wanted, count, done_before, with_errors = _survey(given, journal)
    left = sum(len(places) for places in wanted.values())
    yield Outcome(count - left, done_before, with_errors)
    if wanted:
        for place, digest, row in _rows(wanted, [tool.name for tool in tools], make_models, at_once, share):
            journal.add(place, str(row["file"]), digest, row)
            left -= 1
            with_errors += has_error(row)
            yield Outcome(count - left, done_before, with_errors)
    journal.keep_first(count)


class FilmReader:
    """What one process of Ray Data does: opens the files of a batch and runs the tools on what is in them."""

    def __init__(self, tools: Sequence[str], make_models: Callable[[], ModelPool], at_once: int) -> None:
        self._tools = [installed().get(name) for name in tools]
        self._models = make_models()
        self._threads = ThreadPoolExecutor(at_once)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Rows as JSON texts with their places and digests, for a batch of paths and what is wanted of each."""
        tasks = [
            (content, place)
            for path, places in zip(batch["path"], batch["wanted"], strict=True)
            for content, place in _found(str(path), json.loads(places))
        ]
        rows = self._threads.map(lambda task: row_of(task[0], self._tools, self._models), tasks)
        return {
            "row": np.array([json.dumps(row) for row in rows], object),
            "place": np.array([place for _, place in tasks], np.int64),
            "digest": np.array([_digest(content) for content, _ in tasks], object),
        }


def _survey(given: Sequence[Path], journal: Journal) -> tuple[Wanted, int, int, int]:
    """(what has no row yet, films, films that had one before, rows with an error); reads every file once.

    What cannot be read gets its row here.
    """
    wanted: Wanted = {}
    count, done_before, with_errors = 0, 0, 0
    for place, content in enumerate(contents(given)):
        count += 1
        key = (place, content.name, _digest(content))
        if journal.has(*key):
            done_before += 1
        elif content.data is None:
            journal.add(*key, refused_row(content.name, content.refused or FilmRefused("The file has no content.")))
            with_errors += 1
        else:
            wanted.setdefault(_file_of(content.name), {})[content.name] = place
    return wanted, count, done_before, with_errors


def _rows(
    wanted: Wanted, tools: Sequence[str], make_models: Callable[[], ModelPool], at_once: int, share: FilmShare
) -> Iterator[tuple[int, str, Row]]:
    """(place, digest, row) of each content as they come, in no order."""
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    items = [{"path": path, "wanted": json.dumps(places)} for path, places in wanted.items()]
    films = ray.data.from_items(items, override_num_blocks=-(-len(items) // at_once)).map_batches(
        FilmReader,
        fn_constructor_args=(tools, make_models, at_once),
        batch_size=at_once,
        compute=ray.data.ActorPoolStrategy(size=share.actors),
        num_cpus=share.num_cpus,
    )
    for item in films.iter_rows():
        yield int(item["place"]), item["digest"], json.loads(item["row"])


def _found(path: str, places: Mapping[str, int]) -> Iterator[tuple[Content, int]]:
    """The wanted contents of a file with their places; those that are gone say so."""
    seen = set()
    for content in contents([path]):
        if content.name in places:
            seen.add(content.name)
            yield content, places[content.name]
    for name in places.keys() - seen:
        gone = FilmRefused("It is not there on the machine that was to read it.", kind="unreadable")
        yield Content(name, refused=gone), places[name]


def _file_of(name: str) -> str:
    """The file that holds a content: its name, or that of its archive ("archive.zip!member")."""
    parts = name.split("!")
    candidates = ("!".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((path for path in candidates if Path(path).is_file()), name)


def _digest(content: Content) -> str:
    return hashlib.sha256(content.data or b"").hexdigest()

"""F1 of entities and relations that RadGraph (Jain et al., NeurIPS Datasets 2021) annotated in both reports.

The annotations are supplied as JSON, in the format in which RadGraph is published and its programs write:
{id: {"text": ..., "entities": {"1": {"tokens": ..., "label": ..., "relations": [["modify", "2"], ...]}, ...}}}.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evals.report_metrics.metric import DIGITS, Pairs, Score, Scored, Supplied, mean_of
from imaging.failures import BadArguments, Unavailable

Set = frozenset[Hashable]
FILES = ("candidate-graphs", "reference-graphs")


@dataclass(frozen=True)
class Graph:
    """The annotations of one report, as the sets that are compared.

    Attributes:
        entities: (words, label).
        relations: (entity, entity, type).
        partial: entities with whether they have a relation (RG_ER of Delbrouck et al., EMNLP Findings 2022).
        complete: entities without relation, and each relation with the words of its target (their RG_ER with a bar).
    """

    entities: Set
    relations: Set
    partial: Set
    complete: Set


def ready(supplied: Supplied) -> Score:
    """RadGraph F1 from the two files of annotations.

    Raises:
        Unavailable: they are not supplied.
        BadArguments: one is of another format.
    """
    candidates, references = (graphs(supplied, name) for name in FILES)

    def score(pairs: Pairs) -> Scored:
        found = compared(candidates, references, pairs)
        others = {name: round(float(np.mean(values)), DIGITS) for name, values in found.items() if values}
        return mean_of(combined(found), **others)

    return score


def graphs(supplied: Supplied, name: str) -> dict[str, Graph]:
    """The annotations of one file by report.

    Raises:
        Unavailable: the file is not supplied or not there.
        BadArguments: it is of another format.
    """
    path = supplied.path(name)
    if path is None or not path.is_file():
        raise Unavailable(
            f"RadGraph F1 needs RadGraph's annotations, and {name} {'is not there' if path else 'was not supplied'}.",
            "Annotate drafts and references with RadGraph (pairs.jsonl of the run has both) and give its two JSON "
            "files: --supply candidate-graphs=FILE --supply reference-graphs=FILE.",
        )
    return read_graphs(path)


def read_graphs(path: Path) -> dict[str, Graph]:
    """The annotations of a file.

    Raises:
        BadArguments: it is of another format; the report and what is wrong with it are named.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadArguments(f"{path.name} cannot be read: {error}.", "Give RadGraph's JSON.") from error
    made = {}
    for key, entry in told.items() if isinstance(told, dict) else ():
        try:
            made[str(key)] = graph(entry["entities"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadArguments(
                f"{path.name}, report {key!r}: no annotation of RadGraph ({type(error).__name__}: {error}).",
                "Each report needs `entities`, each of these `tokens`, `label` and `relations`.",
            ) from error
    if not made:
        raise BadArguments(f"{path.name} annotates no report.", "Give RadGraph's JSON: an object by report.")
    return made


def graph(entities: Mapping[str, Any]) -> Graph:
    """The sets of one report's entities, as its annotation has them."""
    named = {key: (str(entity["tokens"]), str(entity["label"])) for key, entity in entities.items()}
    linked = {key: [(str(kind), str(other)) for kind, other in entity["relations"]] for key, entity in entities.items()}
    ends = {key: [(kind, named[other]) for kind, other in told] for key, told in linked.items()}
    complete: set[Hashable] = {named[key] for key, told in ends.items() if not told}
    for key, told in ends.items():
        words, label = named[key]
        complete |= {(words.lower(), label, kind, other[0].lower()) for kind, other in told}
    return Graph(
        frozenset(named.values()),
        frozenset((named[key], other, kind) for key, told in ends.items() for kind, other in told),
        frozenset((*named[key], bool(told)) for key, told in ends.items()),
        frozenset(complete),
    )


def compared(candidates: Mapping[str, Graph], references: Mapping[str, Graph], pairs: Pairs) -> dict[str, list[float]]:
    """F1 of each pair, by what is compared.

    Raises:
        BadArguments: a report has no annotation.
    """
    for name, told in zip(FILES, (candidates, references), strict=True):
        absent = [key for key in pairs.ids if key not in told]
        if absent:
            raise BadArguments(
                f"{name} lack {len(absent)} of {len(pairs.ids)} reports, {absent[0]!r} among them.",
                "Annotate all of them under the ids of the pairs.",
            )
    parts = ("entities", "relations", "partial", "complete")
    return {
        part: [f1(getattr(candidates[key], part), getattr(references[key], part)) for key in pairs.ids]
        for part in parts
    }


def combined(found: Mapping[str, list[float]]) -> list[float]:
    """The mean of entity and relation F1, which Yu et al. (Patterns 2023) call RadGraph F1."""
    return [(one + other) / 2 for one, other in zip(found["entities"], found["relations"], strict=True)]


def f1(ours: Set, theirs: Set) -> float:
    """F1 of two sets; 0 where nothing is shared, two empty sets included, as published."""
    both = len(ours & theirs)
    return 2 * both / (len(ours) + len(theirs)) if both else 0.0

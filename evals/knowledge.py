"""How well questions find their passage, and whether one that no passage answers gets none.

python -m evals.knowledge [--fit] [--json]

The questions are in evals/knowledge.toml. `--fit` fits the weights and the cut-off on its first part and writes
tools/library/calibration.toml and the passages' vectors; the second part, `held_out`, is only scored. Without --fit the
weights as they stand are scored on both.
"""

import argparse
import json
import sys
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression

from agent import make_pool
from agent.settings import Settings
from evals.stats import share_json
from models.outputs import Task
from models.pool import ModelPool
from tools.library.passages import shipped
from tools.library.query import read_query
from tools.library.ranking import FEATURES, calibrations
from tools.library.search import SHIPPED_VECTORS, Library, search, shipped_vectors, similarities_of, vectors_of

PARTS = ("fitted", "held_out")
MOST = 3
"""Passages that are given at most: recall@3."""
FALSE_ANSWERS_MOST = 0.05
"""The cut-off is the lowest at which at most this share of the fitted part's unanswerable questions is answered."""
MARGIN = 0.5
"""A further passage is given if its score is at least half of the best one's; a choice, not fitted."""
TARGET = Path("tools/library/calibration.toml")


@dataclass(frozen=True)
class Labelled:
    """One question: the files (parted by commas) and the section that answer it, "" where none does; "*" for any."""

    text: str
    file: str = ""
    section: str = ""

    def answered_by(self, passage_id: str) -> bool:
        """Whether a passage answers it."""
        if not self.file:
            return False
        files = self.file.split(", ")
        file, _, section = passage_id.rpartition("/")
        return passage_id in files or (file in files and self.section in ("*", section))


def questions(part: str) -> list[Labelled]:
    """One part of knowledge.toml."""
    read = tomllib.loads((resources.files("evals") / "knowledge.toml").read_text(encoding="utf-8"))[part]
    answered = [Labelled(*(part.strip() for part in line.split("|"))) for line in read["answered"]]
    return [*answered, *(Labelled(text) for text in read["none"])]


def fitted(models: ModelPool | None) -> dict[str, Any]:
    """Weights, bias and cut-off fitted on the first part, by words alone or with vectors."""
    library = Library.at(None)
    rows: list[list[float]] = []
    right: list[bool] = []
    names = [name for name in FEATURES if models is not None or name != "similarity"]
    mine = questions(PARTS[0])
    weighed = []
    for question in mine:
        similarities = similarities_of(library, question.text, None, models)
        candidates = library.weigh(read_query(question.text), similarities)
        weighed.append(candidates)
        for place, found in candidates:
            rows.append([found[name] for name in names])
            right.append(question.answered_by(library.passages[place].id))
    regression = LogisticRegression(C=1.0, max_iter=2000).fit(np.array(rows), np.array(right))
    bests = []
    for question, candidates in zip(mine, weighed, strict=True):
        if not question.file:
            values = np.array([[found[name] for name in names] for _, found in candidates]).reshape(-1, len(names))
            bests.append(float(regression.predict_proba(values)[:, 1].max()) if len(values) else 0.0)
    allowed = int(FALSE_ANSWERS_MOST * len(bests))
    cutoff = sorted(bests, reverse=True)[allowed] + 1e-3
    weights = {name: round(float(value), 3) for name, value in zip(names, regression.coef_[0], strict=True)}
    return {"bias": round(float(regression.intercept_[0]), 3), "cutoff": round(cutoff, 3), "margin": MARGIN,
            "weights": weights}  # fmt: skip


def measure(models: ModelPool | None) -> dict[str, Any]:
    """Part -> recall@3, first-passage accuracy and the share of unanswerable questions that got an answer."""
    figures: dict[str, Any] = {}
    for part in PARTS:
        mine = questions(part)
        found = {
            question: [hit.passage.id for hit in search(question.text, None, models, most=MOST).hits]
            for question in mine
        }
        answerable = [question for question in mine if question.file]
        recalled = [any(map(question.answered_by, found[question])) for question in answerable]
        first = [bool(found[question]) and question.answered_by(found[question][0]) for question in answerable]
        false = [bool(found[question]) for question in mine if not question.file]
        figures[part] = {
            "recall_at_3": share_json(recalled),
            "first_right": share_json(first),
            "false_answers": share_json(false),
        }
    return figures


def write(made: dict[str, dict[str, Any]], target: Path) -> None:
    """calibration.toml."""
    lines = [
        "# Fitted by `python -m evals.knowledge --fit` on a part of evals/knowledge.toml; not to be edited by hand."
    ]
    for way, told in made.items():
        weights = ", ".join(f"{name} = {value}" for name, value in told["weights"].items())
        lines += ["", f"[{way}]", *(f"{name} = {told[name]}" for name in ("bias", "cutoff", "margin"))]
        lines.append(f"weights = {{ {weights} }}")
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_vectors(models: ModelPool) -> None:
    """The shipped passages' vectors, float16 [n, dimensions], with the hashes of their texts."""
    space, made = vectors_of(shipped(), models)
    stacked = np.stack(list(made.values())).astype(np.float16)
    save_file({"vectors": stacked}, TARGET.with_name(SHIPPED_VECTORS), {"space": space, "keys": json.dumps(list(made))})
    shipped_vectors.cache_clear()


def main() -> None:
    """Fit if asked, then print the figures; the last line of stdout is them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true", help=f"fit the weights and write {TARGET}")
    parser.add_argument("--json", action="store_true", help="JSON on stdout and nothing else")
    given = parser.parse_args()
    pool = make_pool(Settings())
    ways: dict[str, ModelPool | None] = {"words": None}
    if pool.serves(Task.EMBED_TEXT):
        ways["words_and_vectors"] = pool
    if given.fit and "words_and_vectors" in ways:
        write_vectors(pool)
    if given.fit:
        write({way: fitted(models) for way, models in ways.items()}, TARGET)
        calibrations.cache_clear()
    figures = {way: measure(models) for way, models in ways.items()}
    if not given.json:
        shown(figures)
    sys.stdout.write(json.dumps(figures) + "\n")


def shown(figures: dict[str, Any]) -> None:
    """The figures as a table on stderr."""
    table = Table("way", "part", "recall@3", "first right", "false answers")
    for way, parts in figures.items():
        for part, told in parts.items():
            cells = [
                f"{told[k]['value']:.3f} ({told[k]['low']:.3f}–{told[k]['high']:.3f}, n {told[k]['n']})" for k in told
            ]
            table.add_row(way, part, *cells)
    Console(stderr=True, width=140).print(table)


if __name__ == "__main__":
    main()

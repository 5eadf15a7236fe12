"""What is kept of a run: the record from which it can be repeated, its questions; and both read back with answers."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from evals.grading import grade
from evals.identity import ROOT, RUN_FILE, RunIdentity, digests
from evals.journal import FILE, Fault, Record
from evals.questions import Question, Questions
from evals.scores import Graded, Scores, score
from imaging.cores import core_count
from imaging.failures import BadArguments

QUESTIONS_FILE = "questions.jsonl"
PACKAGES = (
    "inspect-ai",
    "torch",
    "numpy",
    "scipy",
    "scikit-image",
    "langchain",
    "langgraph",
    "pydicom",
    "transformers",
)
"""Libraries whose release can move an answer or a score."""
NOT_ASKED = "not_asked"
"""Fault type of a question without an answer in a run that was cut off."""


@dataclass(frozen=True)
class Run:
    """A run read back.

    Attributes:
        folder: where it is kept.
        record: run.json.
        graded: every question with its answer, graded by this version's rules.
    """

    folder: Path
    record: Mapping[str, Any]
    graded: tuple[Graded, ...]

    @property
    def title(self) -> str:
        """Task, planner or baseline, and what was changed, in a few words."""
        baseline = str(self.record.get("baseline") or "").split(" ")[0]
        changed = self.record.get("options", {}).get("perturb")
        return " · ".join([self.record["task"], baseline or self.record["planner"], *([changed] if changed else [])])

    @property
    def scores(self) -> Scores:
        """Its scores."""
        return score(self.graded)


def write_record(folder: Path, identity: RunIdentity, options: object, questions: Questions) -> None:
    """run.json and questions.jsonl in the run's folder.

    Args:
        folder: the run's.
        identity: what decides its answers.
        options: a dataclass of what was chosen.
        questions: as asked.
    """
    told = asdict(options) if is_dataclass(options) and not isinstance(options, type) else {}
    record = {
        "key": identity.key,
        **identity.model_dump(mode="json"),
        "options": {name: str(value) if isinstance(value, Path) else value for name, value in told.items()},
        **provenance(),
        "notes": list(questions.notes),
    }
    (folder / RUN_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    lines = [json.dumps({**asdict(item), "films": [str(film) for film in item.films]}) for item in questions.items]
    (folder / QUESTIONS_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def provenance() -> dict[str, Any]:
    """Which code on which machine: hashes, commit, whether the checkout was changed, versions, device; JSON-ready."""
    return {
        "hashes": digests(),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "ran_on": {
            "python": platform.python_version(),
            "machine": platform.platform(),
            "device": _device(),
            "packages": {name: _version(name) for name in PACKAGES},
        },
    }


def read_run(folder: Path) -> Run:
    """A run with its answers graded anew; what was not answered counts as errored.

    Raises:
        BadArguments: the folder holds no run.
    """
    try:
        record = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
        told = (folder / QUESTIONS_FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise BadArguments(f"{str(folder)!r} holds no run ({error}).", "Give a folder below --log-dir.") from error
    answers: dict[str, Record] = {}
    path = folder / FILE
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        if line.endswith(b"}"):  # a torn last line was in flight
            record_of = Record.model_validate_json(line)
            answers[record_of.id] = record_of
    graded = tuple(_graded(_question(json.loads(line)), answers) for line in told if line)
    return Run(folder, record, graded)


def _question(told: dict[str, Any]) -> Question:
    films = tuple(Path(film) for film in told.pop("films"))
    categories, regions = tuple(told.pop("categories")), tuple(tuple(box) for box in told.pop("regions"))
    return Question(**told, films=films, categories=categories, regions=regions)


def _graded(question: Question, answers: Mapping[str, Record]) -> Graded:
    missing = Fault(type="film_missing", message=question.unusable) if question.unusable else None
    fault = missing or Fault(type=NOT_ASKED, message="the run was cut off before this question")
    answer = answers.get(question.id) or Record(id=question.id, fault=fault)
    return Graded(question, answer, grade(question, answer))


def _git(*arguments: str) -> str:
    """What git says of the checkout; empty where there is none."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _device() -> str:
    """The GPUs of this machine, by its driver (torch would take seconds to import), or its processor."""
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return f"CPU, {platform.machine()}, {core_count()} cores"
    return ", ".join(done.stdout.split("\n")).strip(", ")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"

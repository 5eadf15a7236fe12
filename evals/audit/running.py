"""Running an audit: score every labelled film and its masked variants, then look at the scores from every side."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.audit.cohort import VARIANTS, Cohort, Film, film_of, usable, with_scores
from evals.audit.looking import Looking
from evals.audit.masking import variants
from evals.progress import Progress
from imaging.failures import BadArguments, FilmRefused
from imaging.radiograph import Radiograph
from models.card import ModelCard
from models.outputs import Masks, Scores, Task
from tools.audits import Audit
from tools.cases.entries import Entry, Table, folder_entries, read_table

if TYPE_CHECKING:
    from models.pool import ModelPool

REVISION_CHARACTERS = 12
"""Of a model's revision in a file's name."""

NO_DEVICE = (
    "Shortcuts by devices: the table has no column of chest drains or support devices (chest_drain, Support Devices)."
)
NO_MASKS = "Masked lungs: no masked scores were given, or no lungs could be outlined."


@dataclass(frozen=True)
class Asked:
    """What to audit.

    Attributes:
        data: folder of films; not read where scores are given.
        labels: the table.
        model: catalog id; the pool's choice where None.
        scores: file of scores, in place of running the model.
        said: what to say of the data in the report.
        log_dir: folder in which scores are kept as they come, so that a broken-off run goes on.
    """

    data: Path | None
    labels: Path
    model: str | None = None
    scores: Path | None = None
    said: str = ""
    log_dir: Path = Path("logs")


def run_audit(asked: Asked, models: ModelPool, progress: Progress) -> Audit:
    """The audit.

    Args:
        asked: what to audit.
        models: classify and segment are used.
        progress: told of every film, and of what is left out.

    Raises:
        BadArguments: the table or the scores cannot be used.
        Unavailable: the model is not here.
    """
    entry = models.resolve(Task.CLASSIFY, asked.model)
    card = models.card(entry.id)
    table = read_table(asked.labels)
    if asked.scores is not None:
        films, how = with_scores(table, asked.scores), f"given in {asked.scores.name}"
    elif asked.data is not None:
        kept = asked.log_dir / f"audit-{entry.id}-{card.revision[:REVISION_CHARACTERS]}.csv"
        films, how = _scored(asked.data, table, models, entry.id, kept, progress), "by the model, on these films"
    else:
        raise BadArguments("There is nothing to score.", "Give --data FOLDER, or --scores CSV.")
    cohort = usable(films)
    return _looked(cohort, card, asked, how)


def _looked(cohort: Cohort, card: ModelCard, asked: Asked, how: str) -> Audit:
    able = [code for code in cohort.codes if (known := card.finding(code)) is None or known.usable]
    looking = Looking(cohort, able)
    shortcuts, masking = looking.shortcuts(), looking.masking()
    return Audit(
        model=card.id,
        revision=card.revision,
        title=card.title,
        made=date.today(),
        data=asked.said or (asked.data or asked.labels).name,
        scores=how,
        films=len(cohort),
        patients=len(set(cohort.patients.tolist())),
        overall=looking.overall(),
        attributes=looking.attributes(),
        shortcuts=shortcuts,
        masking=masking,
        missing=[*([] if shortcuts else [NO_DEVICE]), *([] if masking else [NO_MASKS])],
    )


def _scored(data: Path, table: Table, models: ModelPool, model: str, kept: Path, progress: Progress) -> list[Film]:
    """Score every film of a folder that the table has a row for; what was scored before is not scored again."""
    before = {film.name: film for film in with_scores(table, kept)} if kept.is_file() else {}
    films: list[Film] = []
    unlabelled = 0
    progress.start(sum(1 for path in data.rglob("*") if path.is_file()) if data.is_dir() else 1)
    for entry in folder_entries([data], table):
        name = Path(entry.name).name
        if not entry.given.labels:
            unlabelled += 1
        elif name in before:
            films.append(before[name])
        else:
            films += _one(entry, name, models, model, kept, progress)
        progress.step("scored")
    if unlabelled:
        progress.note(f"{unlabelled} files have no labels in the table and were left out")
    return films


def _one(entry: Entry, name: str, models: ModelPool, model: str, kept: Path, progress: Progress) -> Iterator[Film]:
    try:
        film = entry.given.of(entry.film())
    except FilmRefused as refused:
        progress.note(f"{entry.name} was left out: {refused}")
        return
    pictures = {"whole": film}
    if models.serves(Task.SEGMENT):
        [outlined] = models.predict(Task.SEGMENT, [film])
        pictures = variants(film, outlined.output) if isinstance(outlined.output, Masks) else pictures
    scores = dict(zip(pictures, _scores(models, model, list(pictures.values())), strict=True))
    _keep(kept, name, scores)
    yield film_of(name, entry.given, scores)


def _scores(models: ModelPool, model: str, pictures: Sequence[Radiograph]) -> list[dict[str, float]]:
    answers = models.predict(Task.CLASSIFY, pictures, model_id=model)
    found: list[dict[str, float]] = []
    for answer in answers:
        if not isinstance(answer.output, Scores):
            raise TypeError(f"{answer.model_id} serves classify but returned {type(answer.output).__name__}")
        found.append(dict(zip(answer.output.codes, map(float, answer.output.values), strict=True)))
    return found


def _keep(path: Path, name: str, scores: dict[str, dict[str, float]]) -> None:
    """Append one film's scores, as `with_scores` reads them."""
    codes = sorted(scores["whole"])
    columns = ["file", *(code if v == "whole" else f"{code}:{v}" for v in VARIANTS for code in codes)]
    row: dict[str, Any] = {"file": name} | {
        code if variant == "whole" else f"{code}:{variant}": value
        for variant, values in scores.items()
        for code, value in values.items()
    }
    new = not path.is_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns)
        if new:
            table.writeheader()
        table.writerow(row)

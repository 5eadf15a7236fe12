"""`hilum film --studies`: how films belong together, as one JSON object or a few lines."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from rich.console import Console

from agent.films import brief, input_notes, places
from imaging.failures import FilmRefused
from imaging.sources import contents
from imaging.store import ImageStore
from imaging.studies import Study, StudyInput, group


def tell_studies(paths: list[Path], as_json: bool, console: Console) -> int:
    """Print studies, pairs, priors, duplicates and refusals of files, folders and archives; returns the exit code.

    Needs no model: it goes by the headers and by equal pictures.
    """
    found = group(contents(paths), ImageStore())
    if as_json:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        for line in study_lines(found):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return FilmRefused.exit_code if found.refused else 0


def study_lines(found: StudyInput) -> list[str]:
    """One line per study and per film, then what became of the other files."""
    told, lines = places(found), []
    for number, study in enumerate(found.studies, start=1):
        lines.append(f"Study {number}: {_title(found, study)}")
        lines += [f"  {each.source}: {brief(each.film, told[each.film.id])}" for each in study.films]
    return [*lines, *input_notes(found)]


def _title(found: StudyInput, study: Study) -> str:
    """Date, size, what is read together and the study before it."""
    parts = [study.acquired.isoformat() if study.acquired else "no date"]
    parts.append("1 film" if len(study.films) == 1 else f"{len(study.films)} films in {len(study.series)} series")
    frontal, lateral = study.pair
    parts += [f"read together: {frontal.source} and {lateral.source}"] if frontal and lateral else []
    prior = found.prior_of(study)
    parts += [f"prior: study {found.studies.index(prior) + 1}"] if prior else []
    return ", ".join(parts)

"""`hilum eval report RUN...`: one page that needs nothing else, and the table in Markdown and LaTeX."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from PIL import Image

from evals.calibration import Calibration
from evals.grading import Outcome
from evals.questions import options_of
from evals.records import Run
from evals.scores import Graded, Scores
from evals.stats import INTERVAL, Proportion
from evals.summary import calibration_words
from imaging import open_film
from imaging.failures import HilumFailure

MOST_FAILURES = 60
"""Wrong answers shown per run, spread over the categories."""
THUMB_PIXELS = 320
"""Longest side of a film on the page."""
CURVE_PIXELS = (260, 130)
"""Width and height of the plot of accuracy over coverage."""
PLOT_WIDTH = 260
"""Pixels of an interval plot from 0 to 100 %."""


@dataclass(frozen=True)
class Row:
    """One line of the table: a run and its share in one part."""

    run: str
    part: str
    share: Proportion


def write_pages(runs: Sequence[Run], out: Path) -> dict[str, Path]:
    """report.html, table.md, table.tex and results.md in `out`.

    Args:
        runs: those to show, in order.
        out: folder, made if absent.
    """
    out.mkdir(parents=True, exist_ok=True)
    scored = [(run, run.scores) for run in runs]
    written = {"html": out / "report.html", "markdown": out / "table.md", "latex": out / "table.tex"}
    written["results"] = out / "results.md"
    written["results"].write_text(results_page(scored), encoding="utf-8")
    written["html"].write_text(_html(scored), encoding="utf-8")
    written["markdown"].write_text(markdown_table(scored), encoding="utf-8")
    written["latex"].write_text(latex_table(scored), encoding="utf-8")
    return written


def markdown_table(scored: Sequence[tuple[Run, Scores]]) -> str:
    """A line per part and a column per run: accuracy with its interval.

    Args:
        scored: runs with their scores.
    """
    lines = ["| | questions | " + " | ".join(run.title for run, _ in scored) + " |", "|---|---|" + "---|" * len(scored)]
    for part, shares in parts(scored).items():
        n = max(share.n for share in shares if share)
        lines.append(f"| {part} | {n} | " + " | ".join(told(share) for share in shares) + " |")
    counts = [" / ".join(str(s.counts.get(outcome, 0)) for outcome in Outcome) for _, s in scored]
    lines.append("| answered / unparsed / errored | | " + " | ".join(counts) + " |")
    return "\n".join(lines) + "\n"


def latex_table(scored: Sequence[tuple[Run, Scores]]) -> str:
    """The same for LaTeX, with booktabs' rules.

    Args:
        scored: runs with their scores.
    """
    head = " & ".join(["", *(_tex(run.title) for run, _ in scored)])
    body = [
        " & ".join([_tex(part), *(_tex(told(share)) for share in shares)]) + r" \\"
        for part, shares in parts(scored).items()
    ]
    columns = "l" + "r" * len(scored)
    top = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head + r" \\", r"\midrule"]
    return "\n".join([*top, *body, r"\bottomrule", r"\end{tabular}", ""])


def results_page(scored: Sequence[tuple[Run, Scores]]) -> str:
    """What was run on what, with the table: the page docs/results.md.

    Args:
        scored: runs with their scores.
    """
    lines = [
        "# Results",
        "",
        "<!-- made by `hilum eval report RUN... --out DIR`; change the runs, not this page -->",
        "",
    ]
    lines += [
        "Single tools on real films and reports: [results-films.md](results-films.md).",
        "",
        f"Accuracy over all questions, unparsed and errored ones not right; {INTERVAL}.",
        "",
        markdown_table(scored),
    ]
    chances = {f"{scores.chance:.1%}" for _, scores in scored if scores.chance is not None}
    if chances:
        lines += [f"Guessing a letter would be right in {', '.join(sorted(chances))} of questions.", ""]
    lines += ["## What was run", ""]
    for run, scores in scored:
        record, options = run.record, run.record["options"]
        asked = " ".join(
            f"{name}={value}" for name, value in options.items() if value not in (None, "") and name != "log_dir"
        )
        seconds = sum(item.record.seconds for item in run.graded)
        cases = len({item.question.case_id for item in run.graded})
        lines += [
            f"- **{run.title}**: {scores.overall.n} questions of {cases} cases. "
            f"{'; '.join(record['notes'])}. Options: {asked}. Run {record['key'][:12]}, commit {record['commit'][:12]}"
            f"{' with changes' if record['dirty'] else ''}, {record['ran_on']['device']}; {seconds:.0f} s in questions."
        ]
        if scores.worst is not None:
            share = scores.groups[scores.worst[0]][scores.worst[1]]
            lines += [
                f"  Worst subgroup of 20 questions or more: {' '.join(scores.worst)}, {told(share)} of {share.n}."
            ]
        if scores.regions is not None:
            lines += [
                f"  Cited evidence drew its box at the true place in {told(scores.regions)} of {scores.regions.n} "
                "answers that drew one."
            ]
        lines += [f"  {calibration_words(scores.calibration)}"]
    return "\n".join(lines) + "\n"


def parts(scored: Sequence[tuple[Run, Scores]]) -> dict[str, list[Proportion | None]]:
    """All questions, then each category: the share of each run, None where it has no such category."""
    names = sorted({name for _, scores in scored for name in scores.categories})
    told_parts: dict[str, list[Proportion | None]] = {"all questions": [scores.overall for _, scores in scored]}
    for name in names:
        told_parts[name] = [scores.categories.get(name) for _, scores in scored]
    return told_parts


def told(share: Proportion | None) -> str:
    """ "41.0% (36.2 to 46.0)", or "no data"."""
    if share is None or share.value is None or share.low is None or share.high is None:
        return "no data"
    return f"{share.value:.1%} ({100 * share.low:.1f} to {100 * share.high:.1f})"


def _tex(text: str) -> str:
    for sign in "&%$#_{}":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("·", r"$\cdot$")


def _html(scored: Sequence[tuple[Run, Scores]]) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["told"] = told
    source = (resources.files("evals") / "report.html").read_text(encoding="utf-8")
    views = [_view(run, scores) for run, scores in scored]
    return environment.from_string(source).render(
        runs=views, parts=parts(scored), interval=INTERVAL, width=PLOT_WIDTH, curve=CURVE_PIXELS, outcomes=list(Outcome)
    )


def _view(run: Run, scores: Scores) -> dict[str, Any]:
    return {
        "title": run.title,
        "record": run.record,
        "scores": scores,
        "calibration": calibration_words(scores.calibration),
        "curve": _curve(scores.calibration),
        "seconds": sum(item.record.seconds for item in run.graded),
        "failures": [_failure(item) for item in failures(run.graded)],
        "wrong": sum(not item.grade.right for item in run.graded),
    }


def _curve(found: Calibration | None) -> str:
    """Points of accuracy over coverage for an SVG polyline of CURVE_PIXELS; empty where there are no confidences."""
    width, height = CURVE_PIXELS
    points = found.coverage if found else ()
    return " ".join(f"{width * coverage:.1f},{height * (1 - accuracy):.1f}" for coverage, accuracy in points)


def failures(graded: Sequence[Graded]) -> list[Graded]:
    """At most MOST_FAILURES questions that were not answered rightly, taken from every category in turn."""
    by_category: dict[str, list[Graded]] = {}
    for item in graded:
        if not item.grade.right:
            by_category.setdefault(item.question.categories[0], []).append(item)
    picked: list[Graded] = []
    for place in range(max(map(len, by_category.values()), default=0)):
        picked += [items[place] for _, items in sorted(by_category.items()) if place < len(items)]
    return picked[:MOST_FAILURES]


def _failure(item: Graded) -> dict[str, Any]:
    question, options = item.question, options_of(item.question)
    film, size = _thumb(question.films[-1]) if question.films else ("", (1, 1))
    drawn = [box for step in item.record.steps if step.cited for box in step.boxes]
    return {
        "item": item,
        "film": film,
        "rows": size[0],
        "columns": size[1],
        "truth": [_rectangle(box) for box in question.regions],
        "drawn": [_rectangle(box) for box in drawn],
        "right": f"{question.target}) {options[question.target]}" if question.target in options else question.target,
        "said": item.grade.letter or "",
    }


def _rectangle(box: Sequence[float]) -> dict[str, float]:
    return {"x": box[1], "y": box[0], "width": box[3] - box[1], "height": box[2] - box[0]}


@cache
def _thumb(path: Path) -> tuple[str, tuple[int, int]]:
    """(a data address with the film small, its size [H, W] in pixels); "" where it is not at hand or cannot be read."""
    try:
        film = open_film(path)
    except HilumFailure:
        return "", (1, 1)
    picture = Image.fromarray(np.round(film.pixels * 255).astype(np.uint8))
    picture.thumbnail((THUMB_PIXELS, THUMB_PIXELS))
    held = io.BytesIO()
    picture.save(held, format="JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(held.getvalue()).decode()}", film.pixels.shape

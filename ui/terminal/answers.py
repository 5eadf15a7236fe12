"""One turn on a terminal: the plan and each tool as they happen, then the cited answer."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.prompt import Confirm
from rich.table import Table

from agent.answer import Answer, Evidence
from agent.approval import Approver
from agent.events import Answered, ApprovalAsked, Event, FilmsTaken, Planned, ToolFinished
from agent.films import brief, input_notes, places
from agent.mentions import name_of
from imaging.derived import to_png as to_derived_png
from imaging.render import render, to_png
from imaging.store import ImageStore
from tools.contract.wording import score_meaning

CITATION = re.compile(r" *\[E\d+(, E\d+)*\]")
"""A citation in an answer's text, with the space before it."""

STATUS_STYLE = {"present": "bold", "uncertain": "italic", "absent": "", "not_assessed": "dim"}
"""Terminal emphasis beside the word itself, so that nothing hangs on colour."""


def follow(events: Iterable[Event], console: Console) -> Answer:
    """Print plan and tool results to `console` as they come, and return the Answer that ends the turn."""
    for event in events:
        if isinstance(event, FilmsTaken):
            for line in taken_lines(event):
                console.print(line, markup=False, highlight=False)
        elif isinstance(event, Planned):
            calls = ", ".join(f"[{number}] {title}" for number, title, _ in event.calls)
            console.print(f"Plan: {calls}", markup=False, highlight=False)
        elif isinstance(event, ToolFinished):
            console.print(_step(event.evidence), markup=False, highlight=False)
        elif isinstance(event, Answered):
            return event.answer
    raise RuntimeError("the turn ended without an answer")


def approver(allow: bool, console: Console) -> Approver | None:
    """Who is asked whether a tool of ask_before may run: the person at the terminal; nobody where there is none.

    Args:
        allow: all of them may.
        console: where the question stands.
    """
    if allow:
        return lambda asked: True
    if not sys.stdin.isatty():
        return None

    def ask(asked: ApprovalAsked) -> bool:
        arguments = json.dumps(asked.args, ensure_ascii=False)
        return Confirm.ask(f"Run {escape(asked.title)} {escape(arguments)}?", console=console, default=False)

    return ask


def taken_lines(taken: FilmsTaken) -> list[str]:
    """One line per film, and what became of the other files; nothing for a single file that opened or did not."""
    found, told = taken.found, places(taken.found)
    notes = input_notes(found)
    if len(found.films) + len(found.refused) + len(found.duplicates) < 2:
        return notes[len(found.refused) :]
    films = [
        f"  {taken.names[each.film.id]}: {brief(each.film, told[each.film.id])} · {each.source}" for each in found.films
    ]
    return ["Films:", *films, *(f"  {note}" for note in notes)]


def quotations(evidence: Evidence) -> list[tuple[str, str]]:
    """(caption, words) of the texts from outside that a result brought along with its pictures."""
    items = [item for value in evidence.data.values() if isinstance(value, list) for item in value]
    shown = [item for item in items if isinstance(item, dict) and item.get("png") and item.get("quoted")]
    return [(str(item["caption"]), str(item["quoted"])) for item in shown]


def _known_as(image: dict[str, Any]) -> str:
    """ "PA, 2021-05-03, prior"; of a picture that nobody acquired what it is."""
    if image["derived"]:
        return f"{image['derived']['kind']} ({image['derived']['what']}), not acquired"
    return f"{image['view']}, {image['acquired'] or 'no date'}, {image['role'] or 'order not known'}"


def _step(evidence: Evidence) -> str:
    mark = "done" if evidence.failure is None else "FAILED"
    model = f" · {evidence.model}@{evidence.revision}" if evidence.model else ""
    arguments = json.dumps(evidence.args, ensure_ascii=False)
    head = f"  [{evidence.id}] {evidence.title} {arguments} · {mark} in {evidence.elapsed_ms:.0f} ms{model}"
    return f"{head}\n       {evidence.summary}"


def print_answer(answer: Answer, console: Console) -> None:
    """The cited text, the films if there are several, the findings table, what was not assessed, and who answered."""
    console.print()
    console.print(answer.text, markup=False, highlight=False)
    if len(answer.images) > 1:
        films = "; ".join(f"{image['name']}: {_known_as(image)}" for image in answer.images)
        console.print(f"Films: {films}", markup=False, highlight=False, style="dim")
    if answer.findings:
        console.print(findings_table(answer))
    for evidence in answer.evidence:
        for caption, quoted in quotations(evidence):
            console.print(f"{caption} [{evidence.id}]: {quoted}", markup=False, highlight=False)
    for line in untold(answer):
        console.print(f"Not assessed: {line}", markup=False, highlight=False)
    if answer.stopped:
        console.print(f"Stopped early: {answer.stopped}", markup=False, highlight=False)
    models = ", ".join(f"{model}@{revision}" for model, revision in answer.models.items()) or "none"
    console.print(
        f"planner {answer.planner} · models {models} · {answer.timings_ms.get('total', 0) / 1000:.1f} s",
        markup=False,
        highlight=False,
        style="dim",
    )
    console.print(answer.disclaimer, markup=False, highlight=False, style="dim")


def untold(answer: Answer) -> list[str]:
    """What was not assessed with its reason, without reasons that the text or an earlier line gives already."""
    said, lines = CITATION.sub("", answer.text), []
    for line in answer.not_assessed:
        reason = line.split(": ", 1)[-1].rstrip(".")
        if reason not in said:
            lines.append(line)
            said += f"\n{line}"
    return lines


def findings_table(answer: Answer) -> Table:
    """Finding, status, side, score with its meaning, and evidence, one row each; film column only for several films."""
    names = {image["id"]: str(image["name"]) for image in answer.images}
    table = Table(show_edge=False, pad_edge=False)
    several = len(names) > 1
    for column in (*(["Film"] if several else []), "Finding", "Status", "Side", "Score", "Meaning", "Evidence"):
        table.add_column(column)
    for row in answer.findings:
        cells = [
            name_of(row.code),
            row.status.value.replace("_", " "),
            row.laterality or "",
            "" if row.score is None else f"{row.score:.2f}",
            row.reason if row.score is None else score_meaning(row.score_kind, row.threshold),
            " ".join(row.evidence),
        ]
        if several:
            cells.insert(0, names.get(row.image_id, row.image_id))
        table.add_row(*(escape(cell) for cell in cells), style=STATUS_STYLE[row.status.value])
    return table


def save_overlays(answer: Answer, films: ImageStore, folder: Path) -> list[Path]:
    """Write a PNG per evidence record and film that has overlays, and one per film that a run made; their paths."""
    written = []
    for evidence in answer.evidence:
        if isinstance(made := evidence.data.get("film_id"), str):
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{evidence.id}.{evidence.tool}.{films.name(made).replace(' ', '_')}.png"
            path.write_bytes(to_derived_png(films.get(made)))
            written.append(path)
        for number, image_id in enumerate(evidence.image_ids, start=1):
            overlays = [item for item in evidence.overlays if item.image_id == image_id]
            if not overlays:
                continue
            folder.mkdir(parents=True, exist_ok=True)
            suffix = f".{number}" if len(evidence.image_ids) > 1 else ""
            path = folder / f"{evidence.id}.{evidence.tool}{suffix}.png"
            path.write_bytes(to_png(render(films.get(image_id), overlays)))
            written.append(path)
    return written

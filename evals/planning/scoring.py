"""Puts the labelled questions to a planner and scores what it called and what it answered.

- Tool selection: F1 over (question, tool), counted over all questions; the check of the film is left out unless it was
  asked for, and so is a tool that may answer as well.
- Arguments: of the questions whose labels name arguments, the share in which every one of them was given.
- Answers: the share in which every labelled part of the answer is right: status of findings, words, letter, refusal;
  where a question is only a tool's, that the answer cites it.
"""

from __future__ import annotations

import json
import statistics
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from agent import Agent
from agent.answer import Answer, Evidence
from agent.settings import Settings
from evals.phantom_cases.judging import status_of
from evals.planning.loading import Group, Labelled, labelled
from evals.planning.patients import FILMS, SCENES, scripted
from evals.progress import Progress
from evals.stats import wilson
from tools.contract import Status

CHECK = "quality"
DIGITS = 3


@dataclass(frozen=True)
class Scored:
    """One question after it was asked."""

    question: Labelled
    called: frozenset[str]
    args_right: bool | None
    answer_right: bool
    said: str
    fault: str = ""

    @property
    def missed(self) -> set[str]:
        """Tools that had to answer and did not."""
        return set(self.question.group.tools) - self.called

    @property
    def surplus(self) -> set[str]:
        """Tools that answered and had no business to."""
        group = self.question.group
        return set(self.called) - set(group.tools) - set(group.may) - {CHECK}


@dataclass(frozen=True)
class PlanningSummary:
    """The scores of a run."""

    planner: str
    part: str
    scored: Sequence[Scored] = field(repr=False)

    def facts(self) -> dict[str, Any]:
        """All numbers, ready for JSON."""
        themes = {item.question.group.theme for item in self.scored}
        return {
            "task": "planning",
            "planner": self.planner,
            "part": self.part,
            "n": len(self.scored),
            **_scores(self.scored),
            "themes": {t: _scores([s for s in self.scored if s.question.group.theme == t]) for t in sorted(themes)},
            "errored": sum(bool(item.fault) for item in self.scored),
        }

    def to_json_line(self) -> str:
        """One line, the last one on stdout."""
        return json.dumps(self.facts(), allow_nan=False)

    def show(self, console: Console) -> None:
        """A table for people, and every question that went wrong."""
        facts = self.facts()
        table = Table(title=f"planning · {self.part} · planner {self.planner}", title_justify="left")
        for name in ("theme", "questions", "tool F1", "arguments", "answers"):
            table.add_column(name)
        for name, row in [*facts["themes"].items(), ("all", facts)]:
            arguments = "" if row["arguments"] is None else f"{row['arguments']:.2f}"
            table.add_row(name, str(row["n"]), f"{row['tool_f1']:.2f}", arguments, f"{row['answers']:.2f}")
        console.print(table)
        for item in self.scored:
            wrong = _wrong(item)
            if wrong:
                line = f"[{item.question.group.name}] {item.question.text!r}: {wrong}"
                console.print(line, markup=False, highlight=False)


def run_planning(settings: Settings, part: str, limit: int | None, progress: Progress) -> PlanningSummary:
    """Ask and score.

    Args:
        settings: whose planner plans.
        part: "held-out", "open" (the other four fifths) or "all".
        limit: the first so many questions only.
        progress: told of every question.
    """
    agent = Agent(settings, tools=scripted())
    chosen = [q for q in labelled() if part == "all" or q.held_out is (part == "held-out")][:limit]
    progress.start(len(chosen))
    scored = []
    for question in chosen:
        item = _run(agent, question)
        progress.step("errored" if item.fault else "wrong" if _wrong(item) else "right")
        scored.append(item)
    return PlanningSummary(agent.planner_name, part, scored)


def _run(agent: Agent, question: Labelled) -> Scored:
    group = question.group
    session = agent.session()
    try:
        for name in SCENES[group.scene]:
            session.add(FILMS[name])
        for turn in group.before:
            session.ask(turn)
        answer = session.ask(question.text)
    except Exception:  # noqa: BLE001 - one question's crash must not end the others; it is counted and shown
        return Scored(question, frozenset(), False if group.args else None, False, "", traceback.format_exc(limit=-3))
    runs = [record for record in answer.evidence if record.tool in group.tools or record.tool != CHECK]
    given = _args_right(runs, group) if group.args else None
    return Scored(question, frozenset(r.tool for r in runs), given, _answer_right(answer, group), answer.text)


def _args_right(runs: Sequence[Evidence], group: Group) -> bool:
    for tool, wanted in group.args.items():
        mine = [run for run in runs if run.tool == tool]
        for name, value in wanted.items():
            if name == "image":
                if not mine or any(run.args.get("image_id") != FILMS[value].id for run in mine):
                    return False
            elif isinstance(value, list):
                told = {item for run in mine for item in run.args.get(name) or ()}
                if not set(value) <= told:
                    return False
            elif not any(run.args.get(name) == value for run in mine):
                return False
    return True


def _answer_right(answer: Answer, group: Group) -> bool:
    film = FILMS["current"].id if group.scene == "pair" else None
    wanted = {Status.PRESENT: group.present, Status.ABSENT: group.absent, Status.UNCERTAIN: group.uncertain}
    if any(status_of(answer, code, film) is not status for status, codes in wanted.items() for code in codes):
        return False
    text = answer.text.lower()
    if group.says and not any(words.lower() in text for words in group.says.split("|")):
        return False
    if group.choice is not None and answer.choice != group.choice:
        return False
    ran = {record.tool for record in answer.evidence if record.tool != CHECK}
    if group.refuses and (ran or answer.findings or answer.claims):
        return False
    return set(group.tools) <= ran | {CHECK} and bool(text.strip())


def _scores(scored: Sequence[Scored]) -> dict[str, Any]:
    hits = sum(len(set(item.question.group.tools) & item.called) for item in scored)
    missed = sum(len(item.missed) for item in scored)
    surplus = sum(len(item.surplus) for item in scored)
    arguments = [item.args_right for item in scored if item.args_right is not None]
    right = [item.answer_right for item in scored]
    low, high = wilson(statistics.fmean(right), len(right))
    total = 2 * hits + missed + surplus
    return {
        "n": len(scored),
        "tool_f1": round(2 * hits / total, DIGITS) if total else 1.0,
        "arguments": _mean(arguments),
        "arguments_n": len(arguments),
        "answers": _mean(right),
        "answers_interval": [round(low, DIGITS), round(high, DIGITS)],
    }


def _mean(items: Iterable[bool]) -> float | None:
    values = [float(item) for item in items]
    return round(statistics.fmean(values), DIGITS) if values else None


def _wrong(item: Scored) -> str:
    said = [f"missed {', '.join(sorted(item.missed))}"] if item.missed else []
    said += [f"surplus {', '.join(sorted(item.surplus))}"] if item.surplus else []
    said += ["arguments"] if item.args_right is False else []
    said += [] if item.answer_right else [f"answer: {' '.join(item.said.split())[:160]}"]
    return item.fault or "; ".join(said)


__all__ = ["PlanningSummary", "Scored", "run_planning"]

"""docs/images/way.svg: one question's way, drawn from a run: rounds of tools, and what each statement rests on."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from agent import Agent
from agent.answer import Answer, Claim, Evidence
from agent.events import Answered, Event, Planned
from agent.settings import Profile, Settings
from imaging.phantom import PhantomSpec, make_phantom, parse_finding
from ui.terminal.demo import FINDINGS, SEED

QUESTION = "Is the heart enlarged, and is there a pleural effusion?"
BOX, GAP, TOP, LINE = 230, 50, 46, 15
SUMMARY_CHARACTERS = 100
DIRECT = re.compile(r"(Yes|No)\b|(?!Caveat)[A-Z][a-z ]+: ")
"""How the statements begin that are drawn: answers and figures; what surrounds them is left out."""
FONT = "font-family='system-ui, DejaVu Sans, sans-serif'"
INK, SOFT, BLUE, AMBER = "#1e293b", "#64748b", "#0b6e99", "#b45309"


@dataclass(frozen=True)
class Box:
    """A box of the drawing: where it is, its heading and its lines."""

    x: int
    y: int
    heading: str
    lines: tuple[str, ...]
    colour: str

    @property
    def height(self) -> int:
        """Pixels from its upper to its lower edge."""
        return 26 + LINE * (len(self.lines) + bool(self.heading)) - 8

    @property
    def middle(self) -> int:
        """Row of its middle."""
        return self.y + self.height // 2

    def svg(self) -> str:
        """The box as SVG."""
        head = [(self.heading, "700", self.colour)] if self.heading else []
        words = [*head, *((line, "400", INK) for line in self.lines)]
        text = "".join(
            f"<text x='{self.x + 10}' y='{self.y + 20 + LINE * row}' {FONT} font-size='12' font-weight='{weight}' "
            f"fill='{colour}'>{escape(line)}</text>"
            for row, (line, weight, colour) in enumerate(words)
        )
        return (
            f"<rect x='{self.x}' y='{self.y}' width='{BOX}' height='{self.height}' rx='7' fill='#f8fafc' "
            f"stroke='{self.colour}' stroke-width='1.5'/>{text}"
        )


def way_picture() -> str:
    """The SVG of the demo film's question, answered by the embedded tier."""
    film = make_phantom(PhantomSpec(seed=SEED, findings=tuple(map(parse_finding, FINDINGS)))).radiograph
    session = Agent(Settings(planner="embedded", profile=Profile.EMBEDDED)).session()
    return drawn(QUESTION, list(session.stream(QUESTION, films=[film])))


def drawn(question: str, events: Sequence[Event]) -> str:
    """The SVG of a turn.

    Args:
        question: as it was asked.
        events: everything that the turn told; it ends with Answered.
    """
    answer = next(event.answer for event in events if isinstance(event, Answered))
    rounds = [[call[0] for call in event.calls] for event in events if isinstance(event, Planned)]
    runs = {record.id: record for record in answer.evidence}
    asked = _stack(0, [("", _wrapped(question), BLUE)])
    tools: list[list[Box]] = []
    for number, names in enumerate(rounds, start=1):
        # Each round begins below the last, so that what leads from a round to the statements is seen.
        top = tools[-1][-1].y + tools[-1][-1].height - 40 if tools else TOP
        tools.append(_stack(number, [_run(runs[name]) for name in names if name in runs], top))
    said = _stack(len(rounds) + 1, [(" ".join(c.evidence), _wrapped(_bare(c.text)), AMBER) for c in _told(answer)])
    columns = [asked, *tools, said]
    titles = ["question", *(f"round {number}" for number in range(1, len(rounds) + 1)), "statements, each cited"]
    height = max(box.y + box.height for boxes in columns for box in boxes) + 16
    width = len(columns) * (BOX + GAP) - GAP + 32
    placed = {
        name: box for names, boxes in zip(rounds, tools, strict=True) for name, box in zip(names, boxes, strict=True)
    }
    arrows = [_curve(asked[0], box, SOFT) for box in tools[0]]
    arrows += [_curve(one, other, SOFT) for before, after in pairwise(tools) for one in before for other in after]
    for claim, box in zip(_told(answer), said, strict=True):
        arrows += [_curve(placed[name], box, AMBER) for name in claim.evidence if name in placed]
    heads = [
        f"<text x='{16 + number * (BOX + GAP)}' y='26' {FONT} font-size='12' fill='{SOFT}'>{title}</text>"
        for number, title in enumerate(titles)
    ]
    return "\n".join([
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}'>",
        f"<rect width='{width}' height='{height}' fill='#ffffff'/>",
        *heads, *arrows, *(box.svg() for boxes in columns for box in boxes), "</svg>", "",
    ])  # fmt: skip


def _stack(column: int, contents: Sequence[tuple[str, tuple[str, ...], str]], top: int = TOP) -> list[Box]:
    boxes: list[Box] = []
    for heading, lines, colour in contents:
        y = boxes[-1].y + boxes[-1].height + 14 if boxes else top
        boxes.append(Box(16 + column * (BOX + GAP), y, heading, lines, colour))
    return boxes


def _run(record: Evidence) -> tuple[str, tuple[str, ...], str]:
    model = f"{record.model}@{record.revision[:7]}" if record.model else ""
    told = textwrap.shorten(record.summary, SUMMARY_CHARACTERS, placeholder=" …")
    lines = [line for line in (model, *_wrapped(told)) if line]
    return f"{record.id} · {record.title.partition(':')[0]}", tuple(lines), BLUE


def _told(answer: Answer) -> list[Claim]:
    return [claim for claim in answer.claims if claim.evidence and DIRECT.match(claim.text)]


def _bare(text: str) -> str:
    return text.partition(" [E")[0]


def _wrapped(text: str) -> tuple[str, ...]:
    return tuple(textwrap.wrap(" ".join(text.split()), 34))


def _curve(one: Box, other: Box, colour: str) -> str:
    start, end = one.x + BOX, other.x
    half = (start + end) // 2
    return (
        f"<path d='M {start} {one.middle} C {half} {one.middle}, {half} {other.middle}, {end} {other.middle}' "
        f"fill='none' stroke='{colour}' stroke-width='1.3' opacity='0.7'/>"
    )

"""docs/images/rooms.svg: which room imports which, counted in the code; arrows along the flow bow to the right."""

from __future__ import annotations

import ast
from collections import Counter
from html import escape
from pathlib import Path

import grimp

ROOMS = {
    "ui": "#0b6e99", "evals": "#6b4c9a", "agent": "#b45309", "tools": "#15803d", "models": "#be123c",
    "imaging": "#334155", "prompts": "#64748b",
}  # fmt: skip
"""Rooms in the order of the flow, with their colours."""
BOX_WIDTH, BOX_HEIGHT, STEP = 430, 46, 70
LEFT, TOP = 40, 20
WIDTH = 760
FONT = "font-family='system-ui, DejaVu Sans, sans-serif'"
AGAINST = "#dc2626"
"""Colour of an arrow against the flow, which import-linter forbids."""


def rooms_picture(root: Path) -> str:
    """The SVG, from the imports of every module below `root`.

    Args:
        root: the checkout.
    """
    modules, imports = _imports()
    height = TOP + STEP * len(ROOMS)
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}'>",
        f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>",
        *(_arrow(*pair, count) for pair, count in sorted(imports.items(), key=lambda item: -_reach(item[0]))),
        *(_box(root, room, modules[room]) for room in ROOMS),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _imports() -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Modules of each room, and how often a module of one imports a module of another."""
    graph = grimp.build_graph(*ROOMS, cache_dir=None)
    pairs = (
        (_room(name), _room(used)) for name in graph.modules for used in graph.find_modules_directly_imported_by(name)
    )
    return Counter(map(_room, graph.modules)), Counter(pair for pair in pairs if pair[0] != pair[1])


def _room(module: str) -> str:
    return module.partition(".")[0]


def _middle(room: str) -> int:
    return TOP + STEP * list(ROOMS).index(room) + BOX_HEIGHT // 2


def _reach(pair: tuple[str, str]) -> int:
    return abs(_middle(pair[0]) - _middle(pair[1]))


def _box(root: Path, room: str, modules: int) -> str:
    told = (ast.get_docstring(ast.parse((root / room / "__init__.py").read_text(encoding="utf-8"))) or "").split("\n")[
        0
    ]
    words = told.partition(":")[0].partition(";")[0].rstrip(".")
    y = _middle(room) - BOX_HEIGHT // 2
    size = f"{modules} module{'s' * (modules != 1)}"
    return (
        f"<rect x='{LEFT}' y='{y}' width='{BOX_WIDTH}' height='{BOX_HEIGHT}' rx='8' fill='#f8fafc' "
        f"stroke='{ROOMS[room]}' stroke-width='2'/>"
        f"<text x='{LEFT + 14}' y='{y + 20}' {FONT} font-size='15' font-weight='700' fill='{ROOMS[room]}'>"
        f"{room}/</text>"
        f"<text x='{LEFT + BOX_WIDTH - 14}' y='{y + 20}' {FONT} font-size='12' fill='#475569' text-anchor='end'>"
        f"{size}</text>"
        f"<text x='{LEFT + 14}' y='{y + 38}' {FONT} font-size='12' fill='#1e293b'>{escape(words)}</text>"
    )


def _arrow(user: str, used: str, count: int) -> str:
    start, end = _middle(user), _middle(used)
    onward = end > start
    edge, sign = (LEFT + BOX_WIDTH, 1) if onward else (LEFT, -1)
    colour = ROOMS[user] if onward else AGAINST
    # Arrows of one box leave and arrive a little apart: the further they reach, the further out.
    steps = _reach((user, used)) // STEP
    start, end = start - 8 + 3 * steps, end + 10 - 4 * steps
    bow = edge + sign * (16 + 46 * steps)
    width = 1 + count**0.5 / 3
    told = f"{user} imports {used} {count} times"
    return (
        f"<g><title>{told}</title>"
        f"<path d='M {edge} {start} C {bow} {start}, {bow} {end}, {edge + sign * 9} {end}' fill='none' "
        f"stroke='{colour}' stroke-width='{width:.1f}' opacity='0.75'/>"
        f"<path d='M {edge} {end} l {sign * 10} -5 l 0 10 z' fill='{colour}'/></g>"
    )

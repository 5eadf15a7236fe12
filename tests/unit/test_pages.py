"""What pages only show (```text blocks, code in a line) is there: commands, options, modules, make targets, files.

What runs is run by tests/integration/test_docs.py. Commands are held against docs/cli.md, which `hilum docs` makes.
"""

from __future__ import annotations

import ast
import re
import shlex
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MADE = ROOT / "docs" / "cli.md"
PAGES = [page for page in [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))] if page != MADE]
BLOCK = re.compile(r"^```\w*[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
ROOMS = "tests|docs|evals|models|agent|tools|imaging|ui|prompts|deploy"
FILE = re.compile(rf"((?:{ROOMS})/[\w./-]+\.(?:py|md|toml))(?:::(\w+))?")
STANDS_FOR_ANY = re.compile(r"[A-Z]{4,}")
"""tools/NAME.py: the reader puts a name in."""
WRONG = (
    "hilum eat film.dcm",
    "hilum ask film.dcm --loud",
    "hilum models fetch x",
    "python -m evals.gone",
    "make tea",
)


@cache
def helps() -> dict[str, str]:
    """Help text by command: "ask", "models pull" ..."""
    parts = re.split(r"^## hilum (.+)$", MADE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def shown(page: Path) -> list[str]:
    """Commands that a page shows: lines of its blocks, joined where they go on, and code within its lines."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in BLOCK.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    return [*lines, *SPAN.findall(BLOCK.sub("", text))]


def words(line: str) -> list[str]:
    """A line's words without comment and variables before the command."""
    try:
        found = shlex.split(re.split(r"\s+#", line)[0])
    except ValueError:  # prose with an apostrophe
        return []
    while found and re.fullmatch(r"[A-Z_]+=.*|export", found[0]):
        found = found[1:]
    return found


def wrong_hilum(command: list[str]) -> str:
    """What is wrong with the words after `hilum`; empty if nothing is."""
    plain = [re.sub(r"[\[\]]", "", word) for word in command]
    names = [word.split("|")[0] for word in plain if not word.startswith("-")]
    if not names or names[0] in {"COMMAND", "…", "..."}:
        return ""
    told = next((helps()[name] for name in (" ".join(names[:2]), names[0]) if name in helps()), None)
    if told is None:
        groups = {name.split()[0] for name in helps()}
        return "" if names[0] in groups and len(names) == 1 else f"no command {names[:2]}"
    options = [re.split(r"[=/,.]", word)[0] for word in plain if re.match(r"--[a-z]", word)]
    return ", ".join(f"no option {option}" for option in options if option not in told)


def wrong(line: str) -> str:
    """What a line names that is not there; empty if nothing is."""
    found = words(line)
    if found[:1] == ["hilum"]:
        return wrong_hilum(found[1:])
    if (
        found[:2] == ["python", "-m"]
        and len(found) > 2
        and found[2].split(".")[0] in {"evals", "models", "imaging", "ui"}
    ):
        place = ROOT / found[2].replace(".", "/")
        return (
            "" if place.with_suffix(".py").is_file() or (place / "__main__.py").is_file() else f"no module {found[2]}"
        )
    if found[:1] == ["make"] and len(found) > 1 and re.fullmatch(r"[a-z]+", found[1]):
        target = re.search(rf"^{found[1]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        return "" if target else f"no target {found[1]}"
    return ""


def absent(file: str, function: str) -> bool:
    """Whether a file of the checkout, or the function in it, is not there."""
    path = ROOT / file
    if STANDS_FOR_ANY.search(path.stem):
        return False
    if not path.is_file() or not function:
        return not path.is_file()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return function not in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_shows_what_is_there(page: Path) -> None:
    lines = shown(page)
    faults = [f"{line}: {told}" for line in lines if (told := wrong(line))]
    faults += [f"no {name} in {file}" for line in lines for file, name in FILE.findall(line) if absent(file, name)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "line",
    ["hilum eat film.dcm", "hilum ask film.dcm --loud", "python -m evals.gone", "make tea", "hilum models fetch x"],
)
def test_what_is_not_there_is_found(line: str) -> None:
    assert wrong(line)

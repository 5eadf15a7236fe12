"""SECURITY.md and docs/reliability.md name a test for each line, and those tests are there; so are the pins."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("SECURITY.md", "docs/reliability.md")
TESTED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
BY_HAND = "by hand"
"""Where a line was tried once and no test stands for it, it says so."""


def rows(page: str) -> list[str]:
    """The lines of a page's tables whose last column is headed "test"."""
    found, inside = [], False
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            inside = False
        elif line.rstrip(" |").endswith("| test"):
            inside = True
        elif inside and not set(line) <= set("|-: "):
            found.append(line)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_line_names_a_test_that_is_there(page: str) -> None:
    lines = rows(page)
    assert len(lines) >= 20, "the tables were not found"
    for line in lines:
        named = TESTED.findall(line.rsplit("|", 2)[1])
        assert named or BY_HAND in line, f"{page}: no test for {line}"
        for file, name in named:
            path = ROOT / file
            assert path.is_file(), f"{page} names {file}"
            names = {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
            assert not name or name in names, f"{page} names {file}::{name}"


def test_every_package_is_pinned_and_no_pin_names_a_server() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = set()
    for line in pins:
        wanted = Requirement(line)
        assert wanted.url is None and re.fullmatch(r"==[^*]+", str(wanted.specifier)), line
        pinned.add(canonicalize_name(wanted.name))
    assert len(pinned) == len(pins), "a package is pinned twice"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [
        *project["dependencies"],
        *(each for name, extra in extras.items() if name != "quantised" for each in extra),
    ]
    declared = {canonicalize_name(Requirement(each).name) for each in asked} - {"hilum"}
    assert declared <= pinned, f"no pin for {sorted(declared - pinned)}"

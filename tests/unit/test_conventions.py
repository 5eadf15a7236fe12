"""Conventions as tests: what a reviewer would ask for every time, asked by the suite instead."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("agent", "tools", "prompts", "models", "imaging", "evals", "ui")
FILES = sorted([ROOT / "app.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))])
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
LAZY_RIMS = {"app.py"}
"""Files whose imports stand inside functions on purpose: the entry must answer --help at once."""
SCRIPTS = ("models/recipes/", "evals/speed/")
"""Run by hand with `python -m`; they print their figures."""

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.Module) -> Iterator[FunctionNode]:
    return (node for node in ast.walk(tree) if isinstance(node, FunctionNode))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_file_is_short_and_documented(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_FILE_LINES, f"{name_of(path)} has {lines} lines; split it by what it does"
    assert ast.get_docstring(parsed(path)), f"{name_of(path)} does not say what it is for"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_functions_are_short(path: Path) -> None:
    long = [
        f"{f.name} ({f.end_lineno - f.lineno + 1})"
        for f in functions(parsed(path))
        if f.end_lineno and f.end_lineno - f.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert not long, f"{name_of(path)}: functions over {MAX_FUNCTION_LINES} lines: {', '.join(long)}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_public_functions_have_docstrings_that_name_real_parameters(path: Path) -> None:
    wrong = []
    for function in functions(parsed(path)):
        if function.name.startswith("_") or is_nested(path, function):
            continue
        docstring = ast.get_docstring(function)
        if docstring is None:
            if not is_override(function):
                wrong.append(f"{function.name}: no docstring")
            continue
        arguments = function.args
        real = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
        real |= {a.arg for a in (arguments.vararg, arguments.kwarg) if a}
        wrong += [f"{function.name}: documents {ghost!r}" for ghost in documented(docstring) - real]
    assert not wrong, f"{name_of(path)}: {'; '.join(wrong)}"


def documented(docstring: str) -> set[str]:
    block = re.search(r"^Args:\n((?:[ ]{4,}.*\n?|\n)+)", docstring, re.MULTILINE)
    if block is None:
        return set()
    names = re.findall(r"^ {4}([\w, *]+?)(?: \([^)]*\))?:", block.group(1), re.MULTILINE)
    return {part.strip().lstrip("*") for line in names for part in line.split(",")}


def is_override(function: FunctionNode) -> bool:
    """Decorated methods such as validators and properties of one expression may speak for themselves by name."""
    return any(isinstance(d, ast.Name) and d.id == "property" for d in function.decorator_list)


def is_nested(path: Path, function: FunctionNode) -> bool:
    return any(
        function is not outer
        and outer.lineno < function.lineno
        and (outer.end_lineno or 0) >= (function.end_lineno or 0)
        for outer in functions(parsed(path))
    )


@pytest.mark.parametrize("path", [p for p in FILES if name_of(p) not in LAZY_RIMS], ids=name_of)
def test_no_star_import_print_or_dynamic_code(path: Path) -> None:
    tree = parsed(path)
    stars = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and any(a.name == "*" for a in n.names)]
    called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    assert not stars
    assert not called & {"eval", "exec"}
    assert "print" not in called or name_of(path).startswith(SCRIPTS)


def test_tools_holds_one_file_for_each_tool_and_packages_for_the_rest() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {place.split(":")[0] for place in project["entry-points"]["hilum.tools"].values()}
    assert {f"tools.{path.stem}" for path in (ROOT / "tools").glob("*.py")} - {"tools.__init__"} == declared


def test_no_file_names_a_package_index() -> None:
    pattern = re.compile(r"index-url|://[a-z.]*(pypi|registry|npmjs)", re.IGNORECASE)
    suffixes = {".py", ".toml", ".md", ".txt", ".css", ".js", ".yml", ".cfg", ""}
    skipped = {".git", ".venv", "out", "logs", "node_modules"}
    hits = [
        name_of(path)
        for path in ROOT.rglob("*")
        if path.is_file()
        and path.suffix in suffixes
        and not skipped & set(path.relative_to(ROOT).parts)
        and path != Path(__file__)
        and path.name != "Makefile"
        and pattern.search(path.read_text(encoding="utf-8", errors="ignore"))
    ]
    assert not hits

"""Every command and Python block of README and docs/ is run here, or is a make target that CI or another test runs.

A ```text block is shown, not promised. Answers come from the embedded tier: the commands are proven, not quality.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from models.catalog import Catalog
from tools.contract.tool import installed

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MAKE_COVERED = {
    "demo": ".ci/run",
    "test": ".ci/run",
    "lint": ".ci/run",
    "chat": "tests/integration/test_chat.py",
    "bench": "tests/unit/evals",
}
"""Where each make target that a page names is run; checked to exist."""
MIN_BLOCKS = 5
"""Fewer would mean that the pattern above no longer finds the README's blocks."""


def blocks() -> list[tuple[Path, str, str]]:
    return [(page, kind, body) for page in PAGES for kind, body in BLOCK.findall(page.read_text(encoding="utf-8"))]


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": ""}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One working folder for all blocks of a page's reader, who has the film that the README makes."""
    folder = tmp_path_factory.mktemp("reader")
    subprocess.run(
        ["hilum", "phantom", "--finding", "effusion:left:600ml", "--out", "film.dcm"],
        cwd=folder, env=environment(), check=True, capture_output=True,
    )  # fmt: skip
    return folder


def test_pages_have_blocks() -> None:
    assert len(blocks()) >= MIN_BLOCKS


@pytest.mark.timeout(900)  # a block may start a dozen processes, each of which imports torch
@pytest.mark.parametrize(("page", "kind", "body"), blocks(), ids=lambda x: x.stem if isinstance(x, Path) else "")
def test_block_runs(page: Path, kind: str, body: str, folder: Path) -> None:
    if kind == "python":
        command = [sys.executable, "-c", body]
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip(), "a block that prints nothing shows nothing"
        return
    for line in filter(None, (line.split("  #")[0].strip() for line in body.splitlines())):
        if line.startswith("make "):
            check_make_target(line.removeprefix("make ").split()[0])
            continue
        done = subprocess.run(shlex.split(line), cwd=folder, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stderr}"


def test_readme_counts_what_is_installed() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"plans over {len(list(installed()))} tools" in text
    others = sum(entry.profile != "embedded" for entry in Catalog.read())
    assert f"{others} in the catalog, pulled on request" in text


def check_make_target(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE), target
    cover = ROOT / MAKE_COVERED[target]
    assert cover.exists()
    if cover.is_file() and cover.name == "run":
        assert f"make {target}" in cover.read_text(encoding="utf-8")


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run(["hilum", "docs", "--check"], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

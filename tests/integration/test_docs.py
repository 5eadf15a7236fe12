"""Every command and Python block of README and docs/ is run here, or is a make target or a page that another test runs.

Answers come from the embedded tier: the commands are proven, not quality.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from doc_blocks import PAGES, ROOT, Block, blocks, environment, run

from models.catalog import Catalog
from tools.contract.tool import installed

MAKE_COVERED = {
    "demo": ".ci/run",
    "test": ".ci/run",
    "lint": ".ci/run",
    "chat": "tests/integration/test_chat.py",
    "bench": "tests/unit/evals/test_speed.py",
    "docs": "tests/integration/test_docs.py",
    "setup": ".ci/run",
    "results": "tests/unit/evals/test_planning.py",
}
"""Where each make target that a page names is run; checked to exist."""
PAGES_COVERED = {
    "add-a-tool.md": "tests/integration/test_third_party_tool.py",
    "bring-your-llm.md": "tests/integration/test_tutorials.py",
}
"""Pages whose blocks need company: the test that runs them."""
MIN_BLOCKS = 25
"""Fewer would mean that the pattern no longer finds the blocks."""
BLOCKS = [block for block in blocks(PAGES) if block.page.name not in PAGES_COVERED]


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
    assert len(BLOCKS) >= MIN_BLOCKS
    for page, test in PAGES_COVERED.items():
        assert page in (ROOT / test).read_text(encoding="utf-8")


@pytest.mark.timeout(900)  # a block may start a dozen processes, each of which imports torch
@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.page.stem)
def test_block_runs(block: Block, folder: Path) -> None:
    for target in block.make_targets:
        check_make_target(target)
    for program in ("curl",):
        if program in block.body and shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    run(block, folder)


def check_make_target(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE), target
    cover = ROOT / MAKE_COVERED[target]
    assert cover.exists()
    if cover.name == "run":
        assert f"make {target}" in cover.read_text(encoding="utf-8")


def test_links_lead_somewhere() -> None:
    """Relative links and pictures of every page; anchors are those of mkdocs, which `make docs` checks."""
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:", target) and not (page.parent / target).exists()
    ]
    assert not dead


def test_site_builds_without_a_warning_and_asks_no_other_machine(tmp_path: Path) -> None:
    command = ["mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, env=environment(NO_MKDOCS_2_WARNING="1"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "api" / "agent.html").read_text(encoding="utf-8")
    assert "agent.session.Session" in page and "ask" in page
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="https?://(?!127)', page)


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run(["hilum", "docs", "--check"], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_readme_counts_what_is_installed() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"plans over {len(list(installed()))} tools" in text
    others = sum(entry.profile != "embedded" for entry in Catalog.read())
    assert f"{others} in the catalog, pulled on request" in text

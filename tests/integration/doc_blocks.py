"""The blocks of README and docs/, and how a reader runs them.

```bash is a script, ```python a program that prints something, and a block with a title is a file that the reader
writes: ```python title="hilum_symmetry.py". ```text is shown, not promised.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    *(path for path in sorted(ROOT.glob("*.md")) if path.name != "README.md"),
    *sorted((ROOT / "docs").rglob("*.md")),
]
BLOCK = re.compile(r'^```(bash|python|toml|json)(?: title="([\w./-]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
STRICT = "set -euxo pipefail\n"
"""The first command that fails ends the script, and the trace on stderr names it."""


@dataclass(frozen=True)
class Block:
    """One block: its page, language, the file it is (or ""), and its text."""

    page: Path
    kind: str
    title: str
    body: str

    @property
    def runs(self) -> bool:
        """Whether it is run rather than written to a file."""
        return not self.title and self.kind in ("bash", "python")

    @property
    def make_targets(self) -> list[str]:
        """Targets of make that it names; they are run elsewhere."""
        lines = (line.split("  #")[0].split() for line in self.body.splitlines())
        return [words[1] for words in lines if words[:1] == ["make"]] if self.kind == "bash" else []


def blocks(pages: list[Path]) -> list[Block]:
    """Those of the pages that are run or written to a file, in order."""
    found = (Block(page, *each) for page in pages for each in BLOCK.findall(page.read_text(encoding="utf-8")))
    return [block for block in found if block.runs or block.title]


def environment(**more: str) -> dict[str, str]:
    """The process's own, with this environment's commands first and nothing importable by accident."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": "", **more}


def run(block: Block, folder: Path, **variables: str) -> str:
    """Do what the reader does with the block in `folder`; its stdout. What it started in the background is ended."""
    if block.title:
        file = folder / block.title
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.body, encoding="utf-8")
        return ""
    script = "".join(line for line in block.body.splitlines(keepends=True) if not line.startswith("make "))
    command = [sys.executable, "-c", block.body] if block.kind == "python" else ["bash", "-c", STRICT + script]
    with (folder / "stdout").open("w+") as out, (folder / "stderr").open("w+") as err:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(**variables), stdout=out, stderr=err, start_new_session=True
        )
        try:
            code = process.wait()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
    said = (folder / "stdout").read_text(encoding="utf-8")
    assert code == 0, f"{said}\n{(folder / 'stderr').read_text(encoding='utf-8')}"
    assert block.kind == "bash" or said.strip(), "a block that prints nothing shows nothing"
    return said

"""docs/tutorials/add-a-tool.md: a tool of another package is listed, planned over, run and cited like ours."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from doc_blocks import ROOT, blocks, run

from imaging.phantom import PhantomSpec, make_phantom

PAGE = ROOT / "docs" / "tutorials" / "add-a-tool.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader did what the page says."""
    folder = tmp_path_factory.mktemp("reader")
    installer = "python -m pip install" if find_spec("pip") else f"uv pip install --python {sys.executable}"
    for block in blocks([PAGE]):
        run(replace(block, body=block.body.replace("python -m pip install", installer)), folder)
    return folder


pytestmark = pytest.mark.timeout(600)  # the fixture builds a package and starts three processes


def test_installed_tool_is_planned_over_and_cited(folder: Path) -> None:
    answer: dict[str, Any] = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    [record] = [record for record in answer["evidence"] if record["tool"] == "symmetry"]
    pixels = make_phantom(PhantomSpec(seed=5, size=256)).radiograph.pixels
    assert record["data"]["right"] == pytest.approx(float(pixels[:, :128].mean()), abs=0.01)
    assert record["overlays"][0]["kind"] == "line"
    told = f"a mean grey of {record['data']['left']:.2f}, the right half {record['data']['right']:.2f} [{record['id']}]"
    assert told in answer["text"]
    assert any(record["id"] in claim["evidence"] for claim in answer["claims"])


def test_installed_tool_is_in_doctor(folder: Path) -> None:
    assert "symmetry" in (folder / "doctor.txt").read_text(encoding="utf-8")

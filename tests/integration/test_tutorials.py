"""Tutorials whose commands need company: a language model's server, a PACS."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import orthanc_scenario
import pytest
from doc_blocks import ROOT, blocks, run
from stub_llm import Reply, in_order, serving

from imaging.phantom import PhantomSpec, write_phantom

TUTORIALS = ROOT / "docs" / "tutorials"


@pytest.mark.timeout(600)  # two processes that import torch
def test_bring_your_llm_reaches_the_server_it_names(tmp_path: Path) -> None:
    """bring-your-llm.md with a stand-in where the reader's server listens."""
    write_phantom(PhantomSpec(seed=3, size=256), tmp_path / "film.dcm")
    with serving(in_order(Reply("That was not assessed."))) as stub:
        for block in blocks([TUTORIALS / "bring-your-llm.md"]):
            run(replace(block, body=block.body.replace("http://127.0.0.1:8000/v1", stub.base_url)), tmp_path)
        asked = len(stub.requests)
    for name in ("answer.json", "again.json"):
        assert json.loads((tmp_path / name).read_text(encoding="utf-8"))["planner"] == "openai:Qwen/Qwen3-8B"
    assert asked >= 2


def test_connect_a_pacs_shows_commands_that_run_against_orthanc() -> None:
    page = (TUTORIALS / "connect-a-pacs.md").read_text(encoding="utf-8")
    commands = [line for line in page.splitlines() if line.startswith("hilum ")]
    assert len(commands) >= 4 and set(commands) <= set(orthanc_scenario.COMMANDS)

"""`hilum sessions`: kept conversations on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent
from typer.testing import CliRunner

from agent.memory import Memory
from app import cli
from imaging.failures import BadArguments
from imaging.files import open_film
from ui.terminal.given import films_and_question

run = CliRunner().invoke


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Id of a kept session with one film and one answered question."""
    monkeypatch.setenv("HILUM_STATE_DIR", str(tmp_path))
    agent = stub_agent(StubTools(Truth(scores={"effusion": 0.81})))
    agent.memory = Memory(tmp_path / "sessions.db")
    session = agent.session()
    session.ask("Is there an effusion?", films=[film(1)])
    return session.id


def test_list_show_rename_and_delete(kept: str) -> None:
    assert kept[:8] in run(cli, ["sessions", "list"]).output
    for named in (kept[:6], "last"):
        assert "Yes: pleural effusion is present" in run(cli, ["sessions", "show", named]).output
    assert run(cli, ["sessions", "rename", kept[:6], "Mrs. X"]).exit_code == 0
    [item] = json.loads(run(cli, ["sessions", "list", "--json"]).output)
    assert item["title"] == "Mrs. X" and item["films"] == item["turns"] == 1
    assert run(cli, ["sessions", "delete", kept[:6]], input="n\n").exit_code == 1
    assert run(cli, ["sessions", "delete", kept[:6], "--yes"]).exit_code == 0
    assert json.loads(run(cli, ["sessions", "list", "--json"]).output) == []


def test_export_holds_transcript_answer_and_film_and_replays(kept: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(cli, ["sessions", "export", kept, "--out", str(out)]).exit_code == 0
    names = sorted(path.name for path in out.iterdir())
    assert names == ["answer-1.json", f"film-1-{film(1).id}.png", "transcript.jsonl"]
    assert open_film(out / names[1]).id == film(1).id
    replayed = run(cli, ["sessions", "replay", str(out / "transcript.jsonl")])
    assert replayed.exit_code == 0 and "1: the same: Is there an effusion?" in replayed.output


def test_unknown_session_is_refused_with_the_known_ones(kept: str) -> None:
    refused = run(cli, ["sessions", "show", "zzz"])
    assert isinstance(refused.exception, BadArguments) and kept in str(refused.exception)


def test_another_owners_session_is_not_there(kept: str) -> None:
    assert isinstance(run(cli, ["sessions", "show", kept, "--owner", "eve"]).exception, BadArguments)


def test_kept_conversation_needs_no_film_on_the_command_line() -> None:
    assert films_and_question(["effusion?"], needed=False) == ([], "effusion?")
    assert films_and_question(["Label this report: no effusion"]) == ([], "Label this report: no effusion")
    with pytest.raises(BadArguments, match="No film"):
        films_and_question(["effusion?"])

"""The chat's limit of questions and uploads in a minute, for users who signed in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from agent.settings import Settings
from ui.chat import desk
from ui.chat.desk import A_MINUTE, Desk


@pytest.mark.parametrize(("owner", "begun"), [("anna", A_MINUTE), ("", A_MINUTE + 5)])
def test_a_user_begins_so_much_in_a_minute(owner: str, begun: int, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(desk.gr, "Warning", lambda text, **_: told.append(text))
    monkeypatch.setattr(desk.gr, "Info", lambda *_, **__: None)
    asked: list[str] = []
    conversation = SimpleNamespace(ask=lambda question: bool(asked.append(question)))
    visit = SimpleNamespace(owner=owner, conversation=conversation)
    visits = SimpleNamespace(of=lambda _: visit, agent=SimpleNamespace(planner_name="stub"))
    made = Desk(cast(Any, visits), Settings())
    for number in range(A_MINUTE + 5):
        list(made.ask(f"question {number}", cast(Any, None)))
    assert len(asked) == begun and len(told) == A_MINUTE + 5 - begun

"""The HTTP API against requests made from its own schema: whatever comes, it is answered, and never with our fault."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import schemathesis
from agent_stubs import StubTools, Truth, film, stub_agent
from hypothesis import HealthCheck, settings

from agent.memory import Memory
from ui.server import create

EXAMPLES = 12
"""Requests an operation; the kept seed makes them the same each time."""


def _application() -> tuple[Any, str]:
    """The application, and the id of a session with one film and one answered question."""
    agent = stub_agent(StubTools(Truth(scores={"effusion": 0.8})))
    agent.memory = Memory(Path(tempfile.mkdtemp(prefix="hilum-api-")) / "sessions.db")
    agent.models.device = "cpu"  # type: ignore[misc]
    agent.models.metrics = type("Counts", (), {"text": lambda self: ""})()
    session = agent.session()
    session.ask("Is there an effusion?", films=[film(1)])
    return create(agent, per_minute=10**9), session.id


APPLICATION, SESSION = _application()
schema = schemathesis.openapi.from_asgi("/openapi.json", APPLICATION)


@schema.parametrize()
@settings(max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_request_is_answered_and_none_with_our_fault(case: Any) -> None:
    if "session_id" in case.path_parameters and case.method != "DELETE":
        case.path_parameters["session_id"] = SESSION
    response = case.call(headers={"Host": "127.0.0.1"})
    assert response.status_code < 500 or response.status_code == 503, response.text
    if response.status_code in (415, 422, 503) and "kind" in response.text:
        assert set(response.json()) == {"kind", "message", "hint"}
    assert "Traceback" not in response.text and "/work/" not in response.text

"""Run by test_memory: asks a question whose classifier never ends, so that the process is killed in mid-answer.

Usage: killed_session.py DATABASE LOG. LOG gets a line when a tool ended."""

from __future__ import annotations

import sys
from pathlib import Path

from agent_stubs import StubTools, Truth, film, stub_agent

from agent.events import ToolFinished
from agent.memory import Memory

database, log = Path(sys.argv[1]), Path(sys.argv[2])
agent = stub_agent(StubTools(Truth(scores={"effusion": 0.81}, ratio=0.56, delay_s={"classify": 600.0})))
agent.memory = Memory(database)
for event in agent.session().stream("What do you see?", films=[film(1)]):
    if isinstance(event, ToolFinished):
        with log.open("a") as lines:
            lines.write(f"{event.evidence.tool} ended\n")

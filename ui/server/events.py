"""Events of a turn as server-sent events: a name and JSON each, in the order they happen."""

from __future__ import annotations

import json
from typing import Any

from agent.events import Answered, ApprovalAsked, Event, FilmsTaken, Planned, TextDelta, ToolFinished, ToolStarted


def as_sse(event: Event) -> dict[str, str]:
    """{"event": name, "data": JSON} of one event; the last one of a turn is "answer"."""
    name, data = _told(event)
    return {"event": name, "data": json.dumps(data, ensure_ascii=False, allow_nan=False)}


def failure(kind: str, message: str, hint: str) -> dict[str, str]:
    """The event that ends a stream whose turn failed."""
    return {"event": "failed", "data": json.dumps({"kind": kind, "message": message, "hint": hint})}


def _told(event: Event) -> tuple[str, Any]:
    if isinstance(event, FilmsTaken):
        return "films", event.names
    if isinstance(event, Planned):
        return "plan", [{"evidence": number, "title": title, "args": args} for number, title, args in event.calls]
    if isinstance(event, ApprovalAsked):
        return "approval", {"evidence": event.evidence_id, "tool": event.tool, "args": event.args}
    if isinstance(event, ToolStarted):
        return "tool_started", {"evidence": event.evidence_id, "tool": event.tool, "args": event.args}
    if isinstance(event, ToolFinished):
        return "tool_finished", event.evidence.model_dump(mode="json", exclude={"overlays"})
    if isinstance(event, TextDelta):
        return "text", event.text
    if isinstance(event, Answered):
        return "answer", event.answer.model_dump(mode="json")
    raise TypeError(f"unknown event {type(event).__name__}")

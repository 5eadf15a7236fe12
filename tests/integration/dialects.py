"""What four providers put on the wire for the same reply, as their HTTP interfaces document it: streamed pieces."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

READ, WRITTEN = 11, 7
"""Tokens that every reply reports."""


@dataclass(frozen=True)
class Reply:
    """One scripted reply.

    Attributes:
        text: what the model writes.
        calls: (tool name, arguments as JSON text) each; malformed text is sent as it is where the dialect can.
        status: HTTP status; 429 and the like carry no reply.
        error: what the server says of a status that is no reply.
        hang_s: seconds of silence before anything is sent.
    """

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    status: int = 200
    error: str = "scripted"
    hang_s: float = 0.0


def words(text: str) -> list[str]:
    """A text as a model streams it."""
    return [f"{word} " for word in text.split(" ")] if text else []


def openai(reply: Reply, model: str) -> Iterator[str]:
    """POST /v1/chat/completions with stream: server-sent events of deltas; usage in a last one without choices."""
    head = {"id": "stub", "object": "chat.completion.chunk", "created": 0, "model": model}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
        return _event(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    yield chunk({"role": "assistant", "content": ""})
    for word in words(reply.text):
        yield chunk({"content": word})
    stamp = time.monotonic_ns()
    for n, (name, arguments) in enumerate(reply.calls):
        function = {"name": name, "arguments": arguments[:5]}
        yield chunk({"tool_calls": [{"index": n, "id": f"c{stamp}_{n}", "type": "function", "function": function}]})
        yield chunk({"tool_calls": [{"index": n, "function": {"arguments": arguments[5:]}}]})
    yield chunk({}, "tool_calls" if reply.calls else "stop")
    usage = {"prompt_tokens": READ, "completion_tokens": WRITTEN, "total_tokens": READ + WRITTEN}
    yield _event(head | {"choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def anthropic(reply: Reply, model: str) -> Iterator[str]:
    """POST /v1/messages with stream: named events; content in numbered blocks, a call's arguments in JSON pieces."""

    def event(kind: str, **facts: Any) -> str:
        return f"event: {kind}\n{_event({'type': kind, **facts})}"

    head = {"id": "msg_stub", "type": "message", "role": "assistant", "model": model, "content": []}
    usage = {"input_tokens": READ, "output_tokens": 1}
    message = head | {"stop_reason": None, "stop_sequence": None, "usage": usage}
    yield event("message_start", message=message)
    yield event("ping")
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    if reply.text:
        pieces = [{"type": "text_delta", "text": word} for word in words(reply.text)]
        blocks.append(({"type": "text", "text": ""}, pieces))
    stamp = time.monotonic_ns()
    for n, (name, arguments) in enumerate(reply.calls):
        halves = [{"type": "input_json_delta", "partial_json": half} for half in (arguments[:5], arguments[5:])]
        blocks.append(({"type": "tool_use", "id": f"toolu_{stamp}_{n}", "name": name, "input": {}}, halves))
    for n, (block, deltas) in enumerate(blocks):
        yield event("content_block_start", index=n, content_block=block)
        for delta in deltas:
            yield event("content_block_delta", index=n, delta=delta)
        yield event("content_block_stop", index=n)
    ended = {"stop_reason": "tool_use" if reply.calls else "end_turn", "stop_sequence": None}
    yield event("message_delta", delta=ended, usage={"input_tokens": READ, "output_tokens": WRITTEN})
    yield event("message_stop")


def google(reply: Reply, model: str) -> Iterator[str]:
    """POST /v1beta/models/MODEL:streamGenerateContent: one JSON array of candidates; calls come whole, without ids."""
    parts: list[dict[str, Any]] = [{"text": word} for word in words(reply.text)]
    parts += [{"functionCall": {"name": name, "args": json.loads(args)}} for name, args in reply.calls]
    usage = {"promptTokenCount": READ, "candidatesTokenCount": WRITTEN, "totalTokenCount": READ + WRITTEN}
    for n, part in enumerate(parts):
        last = n + 1 == len(parts)
        candidate = {
            "content": {"role": "model", "parts": [part]},
            "index": 0,
            **({"finishReason": "STOP"} if last else {}),
        }
        whole = {"candidates": [candidate], "modelVersion": model, **({"usageMetadata": usage} if last else {})}
        yield f"{'[' if n == 0 else ','}{json.dumps(whole)}{']' if last else ''}"


def ollama(reply: Reply, model: str) -> Iterator[str]:
    """POST /api/chat with stream: a JSON object a line; arguments are an object, calls have no ids."""
    head = {"model": model, "created_at": "2026-11-28T00:00:00Z"}
    for word in words(reply.text):
        yield json.dumps(head | {"message": {"role": "assistant", "content": word}, "done": False}) + "\n"
    if reply.calls:
        calls = [{"function": {"name": name, "arguments": json.loads(args)}} for name, args in reply.calls]
        yield (
            json.dumps(head | {"message": {"role": "assistant", "content": "", "tool_calls": calls}, "done": False})
            + "\n"
        )
    ended = {"done": True, "done_reason": "stop", "prompt_eval_count": READ, "eval_count": WRITTEN}
    yield json.dumps(head | {"message": {"role": "assistant", "content": ""}} | ended) + "\n"


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value)}\n\n"

"""One turn: what the graph streams becomes events, and at the end the Answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_to_dict
from langgraph.types import StreamMode

from agent.answer import Answer, EvidenceStatus, Usage
from agent.claims import Judge, check, urgent
from agent.events import (
    Answered,
    ApprovalAsked,
    Event,
    LimitReached,
    Planned,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from agent.ledger import merged
from agent.llm.chain import PLANNED_BY
from agent.mentions import name_of
from agent.planner.facts import cited_throughout
from agent.planner.wording import say
from agent.settings import Settings
from tools.contract import Status

LIMITS = {"seconds": "max_turn_s", "tokens": "max_turn_tokens", "usd": "max_turn_usd"}
"""Limits of a whole turn, and the setting of each."""

STREAM_MODES: list[StreamMode] = ["updates", "messages", "custom"]
"""What Turn.read understands."""


class Turn:
    """Reads one run of the graph; `finish` may be called once it has ended."""

    def __init__(self, question: str, planner: str, judge: Judge, settings: Settings) -> None:
        self.replies: list[dict[str, Any]] = []
        self._settings = settings
        self._question = question
        self._planner = planner
        self._planned_by: list[str] = []
        self._judge = judge
        self._ledger = judge.ledger
        self._clock = _Clock()
        self._ran: list[str] = []
        self._last: AIMessage | None = None
        self._at_last_reply = False
        self._usage = Usage()
        self._stopped: list[str] = []

    def read(self, piece: Any) -> Iterator[Event]:
        """The events that one streamed piece, (stream mode, chunk) as langgraph yields them, means."""
        mode, chunk = piece
        if mode == "custom" and isinstance(chunk, Planned | ToolStarted | ToolFinished):
            self._note(chunk)
            yield chunk
        elif mode == "custom" and isinstance(chunk, ApprovalAsked):
            yield chunk
        elif mode == "custom" and isinstance(chunk, LimitReached):
            reached = getattr(self._settings, f"max_{chunk.limit}")
            self._stopped = _unique([*self._stopped, say(f"stopped.{chunk.limit}", limit=reached)])
            if chunk.limit == "planner_calls":
                self._at_last_reply, self._last = True, None
        elif mode == "messages":
            message, where = chunk
            if where.get("langgraph_node") == "model" and isinstance(message, AIMessageChunk) and message.text:
                yield TextDelta(message.text)
        elif mode == "updates":
            for node, update in chunk.items():
                self._read_update(node, (update or {}).get("messages") or [])

    def finish(self, images: list[dict[str, Any]], notes: list[str]) -> Answered:
        """The Answer of the turn, its text checked against the ledger.

        Args:
            images, notes: as the Answer has them.
        """
        text = _named(self._last.text.strip(), images) if self._last is not None else ""
        extra = self._last.additional_kwargs if self._last is not None else {}
        scripted = bool(extra.get("scripted")) or not text
        whole = text or _named(self._what_is_known(), images)
        checked = check(whole, self._ledger, scripted=scripted, judge=self._judge)
        used = self._ledger.records({*self._ran, *checked.cited})
        alerts = urgent(used)
        answer = Answer(
            question=self._question,
            text="\n".join([*(alert for alert in alerts if alert not in checked.text), checked.text]).strip(),
            claims=checked.claims,
            findings=merged(finding for record in used for finding in record.findings),
            evidence=used,
            images=images,
            notes=notes,
            alerts=alerts,
            withdrawn=checked.withdrawn,
            not_assessed=_unique(
                [_named(reason, images) for reason in (*extra.get("not_assessed", []), *self._failures())]
            ),
            choice=checked.choice,
            option_scores=extra.get("option_scores", {}) if checked.choice else {},
            planner=", then ".join(self._planned_by) or self._planner,
            models={record.model: record.revision for record in used if record.model},
            usage=self._usage,
            timings_ms=self._clock.timings_ms(),
            stopped=" ".join(self._stopped),
        )
        return Answered(answer)

    def _note(self, event: Planned | ToolStarted | ToolFinished) -> None:
        if isinstance(event, ToolStarted):
            self._clock.tool_started()
        elif isinstance(event, ToolFinished):
            self._clock.tool_ended()
            self._ran.append(event.evidence.id)

    def _read_update(self, node: str, messages: list[BaseMessage]) -> None:
        if self._at_last_reply:
            return  # what stands there was not written by the planner
        for message in messages:
            if node == "model" and isinstance(message, AIMessage):
                self._last = message
                self._planned_by = _unique(
                    [*self._planned_by, message.response_metadata.get(PLANNED_BY, self._planner)]
                )
                self.replies.append(message_to_dict(message))
                self._usage = self._added(message)

    def over(self) -> str:
        """Which limit of the settings the turn has passed: "tokens", "usd", or none yet."""
        used = (self._usage.input_tokens or 0) + (self._usage.output_tokens or 0)
        if self._settings.max_turn_tokens is not None and used > self._settings.max_turn_tokens:
            return "tokens"
        cost = self._usage.cost_usd or 0.0
        return "usd" if self._settings.max_turn_usd is not None and cost > self._settings.max_turn_usd else ""

    def cut_short(self, why: str) -> None:
        """The turn ended before its planner had written the answer: what is known is told instead.

        Args:
            why: "stopped", or the limit that was passed: "seconds", "tokens", "usd".
        """
        limit = getattr(self._settings, LIMITS[why]) if why in LIMITS else None
        self._stopped = _unique([*self._stopped, say(f"stopped.{why}", limit=limit)])
        self._last = None

    def _added(self, message: AIMessage) -> Usage:
        reported = message.usage_metadata
        if not reported:
            return self._usage
        read, written = reported["input_tokens"], reported["output_tokens"]
        prices, before = self._settings.planner_usd_per_million, self._usage
        cost = (read * prices[0] + written * prices[1]) / 1e6 if prices else None
        return Usage(
            input_tokens=(before.input_tokens or 0) + read,
            output_tokens=(before.output_tokens or 0) + written,
            cost_usd=None if cost is None else (before.cost_usd or 0.0) + cost,
        )

    def _what_is_known(self) -> str:
        """The text of a turn whose planner wrote none: the results, each with its number."""
        records = [record for record in self._ledger.records(self._ran) if record.status is EvidenceStatus.OK]
        lead = " ".join(self._stopped) or say("stopped.silent")
        lines = [f"- {record.title}: {cited_throughout(record)}" for record in records]
        return "\n".join([lead, *([say("stopped.known"), *lines] if lines else [say("stopped.nothing")])])

    def _failures(self) -> list[str]:
        reasons = []
        for record in self._ledger.records(self._ran):
            if record.failure is not None:
                reasons.append(f"{record.title}: {record.failure.message}")
            asked = record.args.get("findings") or []
            reasons += [
                f"{name_of(finding.code)}: {finding.reason}"
                for finding in record.findings
                if finding.status is Status.NOT_ASSESSED and finding.code in asked
            ]
        return reasons


class _Clock:
    """Wall time of the turn, and of the parts of it in which at least one tool ran."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._running = 0
        self._tools_began = 0.0
        self._tools_s = 0.0

    def tool_started(self) -> None:
        """One more tool runs."""
        if self._running == 0:
            self._tools_began = time.perf_counter()
        self._running += 1

    def tool_ended(self) -> None:
        """One tool fewer runs."""
        self._running -= 1
        if self._running == 0:
            self._tools_s += time.perf_counter() - self._tools_began

    def timings_ms(self) -> dict[str, float]:
        """ "total", "planner" and "tools" until now."""
        total_s = time.perf_counter() - self._began
        seconds = {"total": total_s, "planner": total_s - self._tools_s, "tools": self._tools_s}
        return {name: round(value * 1000, 1) for name, value in seconds.items()}


def _named(text: str, images: list[dict[str, Any]]) -> str:
    """A text in which a tool's "Film <id>" is the name that the user knows the film by."""
    for image in images:
        text = text.replace(f"Film {image['id']}", str(image["name"]).capitalize())
    return text


def _unique(items: list[str]) -> list[str]:
    return list(dict.fromkeys(items))

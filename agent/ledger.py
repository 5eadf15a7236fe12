"""The evidence ledger of one session: every tool run gets its E-number when it is planned, and its record when done."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent.answer import Evidence, EvidenceStatus
from agent.memory import Memory
from agent.mentions import name_of
from tools.contract import Finding, Result, Status, Tool


class EvidenceLedger:
    """Thread-safe. Numbers follow the order in which the planner asked, whatever order the tools end in.

    Everything is kept in the session's memory as it comes, and read from there when the session is opened again.
    """

    def __init__(self, memory: Memory | None = None, session_id: str = "") -> None:
        memory = memory or Memory()
        self._memory = memory
        self._session_id = session_id
        self._lock = threading.Lock()
        self._records = {record.id: record for record in memory.evidence(session_id)}
        self._ids_by_call = memory.calls(session_id)
        self._ids_by_request = {
            _request_key(record.tool, record.args, record.state): record.id
            for record in self._records.values()
            if record.status is EvidenceStatus.OK
        }
        self._states: dict[str, str] = {}
        self._last_number = max(map(_number, [*self._records, *self._ids_by_call.values()]), default=0)

    def reserve(self, call_id: str, tool: str, args: dict[str, Any], state: str = "") -> str:
        """The evidence id of a planned call; that of an earlier good run when tool and arguments are the same.

        Films never change and tools are deterministic, so the same request is the same evidence. What else a result
        hangs on, the user's corrections of outlines, is named by `state`.
        """
        return self.reserve_all([(call_id, tool, args, state)])[0]

    def reserve_all(self, planned: Sequence[tuple[str, str, dict[str, Any], str]]) -> list[str]:
        """The same for the calls of one reply, each as the arguments of `reserve`; kept in one go."""
        numbers: list[str] = []
        with self._lock:
            for _, tool, args, state in planned:
                evidence_id = self._ids_by_request.get(_request_key(tool, args, state))
                if evidence_id is None:
                    self._last_number += 1
                    evidence_id = f"E{self._last_number}"
                    self._states[evidence_id] = state
                numbers.append(evidence_id)
            ids = {call_id: number for (call_id, *_), number in zip(planned, numbers, strict=True)}
            self._ids_by_call |= ids
        self._memory.keep_calls(self._session_id, ids)
        return numbers

    def id_of_call(self, call_id: str) -> str | None:
        """The evidence id reserved for a call, or None if none was (unknown tool, malformed arguments)."""
        with self._lock:
            return self._ids_by_call.get(call_id)

    def record(self, evidence_id: str, tool: Tool, args: dict[str, Any], result: Result) -> Evidence:
        """Turn a tool's result into the record of that id; its findings learn the id they rest on."""
        evidence = Evidence(
            id=evidence_id,
            tool=tool.name,
            title=run_title(tool, args),
            image_ids=result.image_ids or films_in(args),
            args=args,
            status=EvidenceStatus.OK if result.ok else EvidenceStatus.FAILED,
            summary=result.summary,
            findings=[finding.model_copy(update={"evidence": [evidence_id]}) for finding in result.findings],
            data=result.data.model_dump(mode="json") if result.data is not None else {},
            overlays=result.overlays,
            caveats=result.caveats,
            model=result.model,
            revision=result.revision,
            card=result.card,
            elapsed_ms=result.elapsed_ms,
            failure=result.failure,
            state=self._states.get(evidence_id, ""),
        )
        self._memory.keep_evidence(self._session_id, evidence)
        with self._lock:
            self._records[evidence_id] = evidence
            if result.ok:
                self._ids_by_request[_request_key(tool.name, args, evidence.state)] = evidence_id
        return evidence

    def get(self, evidence_id: str) -> Evidence | None:
        """The record of that id, or None."""
        with self._lock:
            return self._records.get(evidence_id)

    def records(self, ids: Iterable[str] | None = None) -> list[Evidence]:
        """Records in number order: all, or those of `ids` (unknown ids are left out)."""
        with self._lock:
            chosen = [self._records[i] for i in (self._records if ids is None else set(ids)) if i in self._records]
        return sorted(chosen, key=lambda record: _number(record.id))

    def recall_unfinished(self) -> None:
        """Know again which calls of a turn that was cut off have numbers: that turn is gone on with."""
        kept = self._memory.calls(self._session_id)
        with self._lock:
            self._ids_by_call |= kept
            self._last_number = max(map(_number, [*self._records, *kept.values()]), default=0)

    def drop_unfinished(self) -> None:
        """Forget reservations that never became a record: the turn that asked for them was broken off."""
        with self._lock:
            self._ids_by_call.clear()
            self._last_number = max(map(_number, self._records), default=0)


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """One row per finding, film, side and status, each with all the evidence it rests on.

    A row without a side joins the rows of the same status that have one. Tools that disagree keep a row each: both are
    shown. What one tool could not assess is left out once another did.
    """
    rows: dict[tuple[str, str, str | None, Status], Finding] = {}
    listed = list(findings)
    assessed = {(f.code, f.image_id) for f in listed if f.status is not Status.NOT_ASSESSED}
    for finding in sorted(listed, key=lambda f: f.laterality is None):
        where = (finding.code, finding.image_id)
        if finding.status is Status.NOT_ASSESSED and where in assessed:
            continue
        keys: list[tuple[str, str, str | None, Status]] = [(*where, finding.laterality, finding.status)]
        if finding.laterality is None:
            sided = [key for key in rows if key[:2] == where and key[3] is finding.status and key[2]]
            keys = sided or keys
        for key in keys:
            rows[key] = _joined(rows[key], finding) if key in rows else finding.model_copy()
    order = {where: n for n, where in enumerate(dict.fromkeys((f.code, f.image_id) for f in listed))}
    return sorted(rows.values(), key=lambda f: order[f.code, f.image_id])


def conflicts(findings: Iterable[Finding]) -> set[tuple[str, str]]:
    """(code, film) pairs that one tool calls present and another absent on the same side, or with no side told."""
    listed = list(findings)
    present = [f for f in listed if f.status is Status.PRESENT]
    absent = [f for f in listed if f.status is Status.ABSENT]
    return {
        (p.code, p.image_id)
        for p in present
        for a in absent
        if (p.code, p.image_id) == (a.code, a.image_id) and _sides_meet(p.laterality, a.laterality)
    }


def _sides_meet(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other or "bilateral" in (one, other)


def _joined(row: Finding, other: Finding) -> Finding:
    scored = row if row.score is not None else other
    return row.model_copy(
        update={
            "evidence": sorted({*row.evidence, *other.evidence}, key=_number),
            "score": scored.score,
            "score_kind": scored.score_kind,
            "threshold": scored.threshold,
            "region": row.region or other.region,
            "reason": row.reason or other.reason,
        }
    )


def _number(evidence_id: str) -> int:
    return int(evidence_id[1:])


def _request_key(tool: str, args: dict[str, Any], state: str) -> str:
    return f"{tool} {json.dumps(args, sort_keys=True, default=str)} {state}".rstrip()


def films_in(args: dict[str, Any]) -> list[str]:
    """Ids of the films that a call's arguments name."""
    named = args.get("image_id", args.get("image_ids", []))
    return [named] if isinstance(named, str) else [film for film in named if isinstance(film, str)]


def run_title(tool: Tool, args: Mapping[str, Any]) -> str:
    """What the screen calls one run: the tool's title, and the one finding it was asked about."""
    asked = args.get("finding")
    return f"{tool.title}: {name_of(asked)}" if isinstance(asked, str) else tool.title

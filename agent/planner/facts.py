"""What the evidence of a turn says, looked up by finding and film."""

from __future__ import annotations

from collections.abc import Iterable

from agent.answer import Evidence, EvidenceStatus
from agent.ledger import conflicts, merged
from tools.contract import Finding, Status


class Facts:
    """The evidence records of one turn, in number order."""

    def __init__(self, records: Iterable[Evidence]) -> None:
        self.records = sorted({record.id: record for record in records}.values(), key=lambda r: int(r.id[1:]))

    def of(self, tool: str, film: str | None = None) -> list[Evidence]:
        """Records of one tool, failed ones too."""
        return [r for r in self.records if r.tool == tool and (film is None or film in r.image_ids)]

    def good(self, tool: str, film: str | None = None) -> Evidence | None:
        """The last record of a tool that did not fail."""
        return next((r for r in reversed(self.of(tool, film)) if r.status is EvidenceStatus.OK), None)

    def failed(self, tool: str, film: str | None = None) -> Evidence | None:
        """The last record of a tool that failed."""
        return next((r for r in reversed(self.of(tool, film)) if r.failure is not None), None)

    def unusable(self, film: str) -> Evidence | None:
        """The check of a film that found that no tool should read it; its `data["unusable"]` is the reason."""
        return next((r for r in self.of("quality", film) if r.data.get("unusable")), None)

    def basis(self, tools: Iterable[str], code: str | None, film: str) -> list[str]:
        """Evidence numbers of those tools' last good runs; of runs about one finding each, the one about this code."""
        ids = []
        for tool in tools:
            runs = [r for r in self.of(tool, film) if r.status is EvidenceStatus.OK]
            fitting = [r for r in runs if code is None or r.args.get("finding", code) == code]
            fitting = [r for r in fitting if any(f.code == code for f in r.findings)] or fitting
            ids += [fitting[-1].id] if fitting else []
        return ids

    def about(self, code: str, film: str) -> list[Finding]:
        """Every finding of that code on that film, one per tool run."""
        return [f for r in self.records for f in r.findings if (f.code, f.image_id) == (code, film)]

    def located(self, code: str, film: str) -> list[Finding]:
        """Those of them that tell a place."""
        return [f for f in self.about(code, film) if f.region or f.laterality]

    def judging(self, film: str) -> list[str]:
        """Ids of the records that judged a finding on a film."""
        return [r.id for r in self.records if film in r.image_ids and r.findings]

    def rows(self, film: str) -> list[Finding]:
        """The merged findings of one film."""
        return merged(f for r in self.records for f in r.findings if f.image_id == film)

    def status(self, code: str, film: str) -> Status | None:
        """Where the evidence as a whole puts a finding; None when nothing was said. Disagreement is uncertain."""
        about = [f for f in self.about(code, film) if f.status is not Status.NOT_ASSESSED]
        if not about:
            return Status.NOT_ASSESSED if self.about(code, film) else None
        if conflicts(about):
            return Status.UNCERTAIN
        said = {f.status for f in about}
        return next(s for s in (Status.PRESENT, Status.UNCERTAIN, Status.ABSENT) if s in said)

    def assessed(self, code: str, film: str) -> bool:
        """Whether some tool could say something of a finding."""
        return self.status(code, film) not in {None, Status.NOT_ASSESSED}

    def disagree(self, code: str, film: str) -> bool:
        """Whether tools disagree on a finding."""
        return bool(conflicts(self.about(code, film)))

    def side(self, code: str, film: str) -> str | None:
        """The side on which the evidence has a finding: left, right, bilateral, or None when nobody told."""
        sides = {f.laterality for f in self.about(code, film) if f.laterality and f.status is not Status.ABSENT}
        if not sides:
            return None
        return str(sides.pop()) if len(sides) == 1 else "bilateral"

    def cite(self, code: str, film: str, *statuses: Status) -> str:
        """The citation of what was said of a finding, by all tools or by those of the given statuses."""
        about = [f for f in self.about(code, film) if not statuses or f.status in statuses]
        return cite(e for f in about for e in f.evidence)


def cite(ids: Iterable[str]) -> str:
    """ "[E1, E4]", in number order; empty for none."""
    unique = sorted(set(ids), key=lambda i: int(i[1:]))
    return f"[{', '.join(unique)}]" if unique else ""


def cited_throughout(record: Evidence) -> str:
    """A tool's own summary, cited sentence by sentence."""
    pieces = [piece.strip() for piece in record.summary.replace(". ", ".\n").splitlines() if piece.strip()]
    return " ".join(f"{piece.rstrip('.')} {cite([record.id])}." for piece in pieces)

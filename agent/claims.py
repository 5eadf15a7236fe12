"""Text into claims: which evidence each statement cites, and whether that evidence bears it out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from agent.answer import Claim, Evidence, EvidenceStatus, Verdict
from agent.ledger import EvidenceLedger, conflicts
from agent.mentions import Mention, has_any, language, mentions, tokens
from agent.planner.wording import say
from tools.contract import Finding, Status
from tools.knowledge import findings as known_findings

CITATION = re.compile(r"[\[(]\s*(E\d+(?:\s*(?:[,;&]|and|-|–|to)\s*E?\d+)*)\s*[\])]", re.IGNORECASE)
SENTENCE_END = re.compile(r"(?<=[.!?])((?:\s*\[E\d+(?:, E\d+)*\])*)\s+(?=[\"'A-Z0-9*(])")
CHOICE = re.compile(r"^\W*ANSWER\s*:\s*\W*([A-Z])\W*$", re.MULTILINE)
LIST_MARK = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")
NUMBER = re.compile(r"(?<![\w.])(\d+\.\d+|\d+(?=\s*(?:%|mm\b|cm\b|ml\b)))")
ABBREVIATIONS = ("e.g.", "i.e.", "approx.", "vs.", "Dr.", "cf.", "no.", "Fig.")


@dataclass(frozen=True)
class Checked:
    """A text after the check.

    Attributes:
        text: as given, with citations in one form and invented ones gone.
        claims: its statements.
        cited: every evidence id that stands in it.
        choice: letter of a last "ANSWER: X" line.
    """

    text: str
    claims: list[Claim] = field(default_factory=list)
    cited: list[str] = field(default_factory=list)
    choice: str | None = None


def check(text: str, ledger: EvidenceLedger, *, scripted: bool = False) -> Checked:
    """Split, resolve citations and judge. `scripted` text is our own: what it does not cite is no claim."""
    lines, claims = [], []
    unmarked = 0
    for line in text.splitlines():
        pieces = []
        for sentence in _sentences(_one_form(line)):
            kept, ids, invented = _resolved(sentence, ledger)
            if ids or invented or (not scripted and _is_factual(kept)):
                verdict = _verdict(kept, ledger.records(ids)) if ids else Verdict.NOT_ASSESSED
                claims.append(Claim(text=_bare(kept), evidence=ids, verdict=verdict))
                unmarked += not ids and not invented
                if invented and not ids:
                    kept = f"{kept} {say('claims.invented')}"
            pieces.append(kept)
        lines.append(" ".join(pieces))
    if unmarked:
        lines += ["", say("claims.uncited", count=unmarked)]
    letters = CHOICE.findall(text)
    cited = list(dict.fromkeys(i for claim in claims for i in claim.evidence))
    return Checked("\n".join(lines).strip(), claims, cited, letters[-1] if letters else None)


def _one_form(line: str) -> str:
    """Citations as "[E1, E2]"; one after the full stop of its sentence goes before it."""

    def rewrite(match: re.Match[str]) -> str:
        return f"[{', '.join(_ids(match[1]))}]"

    return re.sub(r"([.!?])((?:\s*\[E\d+(?:, E\d+)*\])+)(?=\s|$)", r"\2\1", CITATION.sub(rewrite, line)).replace(
        "  [E", " [E"
    )


def _ids(inside: str) -> list[str]:
    """Ids of "E1, 2 and E4" or "E1-E3"."""
    numbers: list[int] = []
    for part in re.split(r"\s*(?:[,;&]|and)\s*", inside, flags=re.IGNORECASE):
        ends = [int(n) for n in re.findall(r"\d+", part)]
        numbers += range(ends[0], min(ends[-1], ends[0] + 50) + 1) if ends else []
    return [f"E{number}" for number in dict.fromkeys(numbers)]


def _sentences(line: str) -> list[str]:
    if CHOICE.match(line):
        return [line]
    mark = LIST_MARK.match(line)
    head, body = (line[: mark.end()], line[mark.end() :]) if mark else ("", line)
    guarded = body
    for short in ABBREVIATIONS:
        guarded = guarded.replace(short, short.replace(".", "\0"))
    pieces = [piece.replace("\0", ".") for piece in SENTENCE_END.sub(r"\1\n", guarded).split("\n")]
    return [head + pieces[0], *pieces[1:]]


def _resolved(sentence: str, ledger: EvidenceLedger) -> tuple[str, list[str], bool]:
    """The sentence with only citations that exist, their ids, and whether one had to go."""
    ids: list[str] = []
    invented = False

    def keep(match: re.Match[str]) -> str:
        nonlocal invented
        named = _ids(match[1])
        real = [i for i in named if ledger.get(i) is not None]
        invented = invented or len(real) < len(named)
        ids.extend(i for i in real if i not in ids)
        return f"[{', '.join(real)}]" if real else ""

    kept = CITATION.sub(keep, sentence)
    return re.sub(r"\s+([.,;!?])", r"\1", re.sub(r" {2,}", " ", kept)) if invented else kept, ids, invented


def _bare(sentence: str) -> str:
    return re.sub(r"\s+([.,;!?])", r"\1", CITATION.sub("", LIST_MARK.sub("", sentence))).strip()


def _is_factual(sentence: str) -> bool:
    """Whether an uncited sentence says something about a film: it names a finding or structure, or gives a number."""
    if CHOICE.match(sentence) or sentence.rstrip().endswith((":", "?")) or sentence.lstrip().startswith("#"):
        return False
    if has_any(tokens(sentence), ["not assessed"]):
        return False
    return bool(NUMBER.search(sentence)) or any(mention.kind == "finding" for mention in mentions(sentence))


def _verdict(sentence: str, cited: list[Evidence]) -> Verdict:
    sound = [record for record in cited if record.status is EvidenceStatus.OK]
    if not sound:
        return Verdict.NOT_ASSESSED
    bare = _bare(sentence)
    verdicts = [_mention_verdict(mention, bare, sound) for mention in mentions(bare) if mention.kind == "finding"]
    if Verdict.CONFLICTING in verdicts:
        return Verdict.CONFLICTING
    if Verdict.NOT_ASSESSED in verdicts or not _numbers_borne_out(bare, sound):
        return Verdict.NOT_ASSESSED
    return Verdict.SUPPORTED


def _mention_verdict(mention: Mention, sentence: str, cited: list[Evidence]) -> Verdict:
    rows = [row for record in cited for row in record.findings if _is_kind_of(row.code, mention.code)]
    if not rows:
        said = any(m.code == mention.code for record in cited for m in mentions(record.summary))
        return Verdict.SUPPORTED if said else Verdict.NOT_ASSESSED
    if conflicts(rows):
        return Verdict.CONFLICTING
    statuses = {row.status for row in rows} - {Status.NOT_ASSESSED}
    if not statuses:
        return Verdict.NOT_ASSESSED
    words = tokens(sentence)
    if has_any(words, language()["neutral"]):
        return Verdict.SUPPORTED
    if mention.denied:
        return _against(statuses, Status.ABSENT, Status.PRESENT)
    if has_any(words, language()["hedges"]):
        return Verdict.SUPPORTED
    verdict = _against(statuses, Status.PRESENT, Status.ABSENT)
    return verdict if verdict is not Verdict.SUPPORTED else _side_verdict(mention.side, rows, cited)


def _against(statuses: set[Status], claimed: Status, opposite: Status) -> Verdict:
    if claimed in statuses:
        return Verdict.SUPPORTED
    return Verdict.CONFLICTING if opposite in statuses else Verdict.NOT_ASSESSED


def _side_verdict(side: str | None, rows: list[Finding], cited: list[Evidence]) -> Verdict:
    if side is None:
        return Verdict.SUPPORTED
    told = {row.laterality for row in rows if row.laterality and row.status is Status.PRESENT}
    if told:
        agrees = side in told or "bilateral" in told or (side == "bilateral" and told == {"left", "right"})
        return Verdict.SUPPORTED if agrees else Verdict.CONFLICTING
    said = any(side in tokens(record.summary) for record in cited)
    return Verdict.SUPPORTED if said else Verdict.NOT_ASSESSED


def _is_kind_of(code: str, broader: str) -> bool:
    while code != broader:
        concept = known_findings().get(code)
        if concept is None or concept.parent is None:
            return False
        code = concept.parent
    return True


def _numbers_borne_out(sentence: str, cited: list[Evidence]) -> bool:
    stated = NUMBER.findall(sentence)
    given = {n for record in cited for n in _numbers_of(record)} if stated else set()
    for text in stated:
        decimals = len(text.partition(".")[2])
        value = float(text)
        half = 0.5 * 10.0**-decimals + 1e-9
        if not any(abs(value - scale * n) <= half for n in given for scale in (1.0, 100.0, 0.1)):
            return False
    return True


def _numbers_of(record: Evidence) -> Iterable[float]:
    dumped: dict[str, Any] = record.model_dump(include={"findings", "data", "args", "card"})
    yield from _numbers_in(dumped)
    for text in [record.summary, *record.caveats]:
        yield from (float(n) for n in re.findall(r"\d+(?:\.\d+)?", text))


def _numbers_in(value: Any) -> Iterable[float]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield float(value)
    elif isinstance(value, str):
        yield from (float(n) for n in re.findall(r"\d+(?:\.\d+)?", value)) if len(value) < 200 else ()
    elif isinstance(value, dict):
        for item in value.values():
            yield from _numbers_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _numbers_in(item)

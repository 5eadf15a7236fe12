"""A text checked: its statements with their verdicts, what was withdrawn, and the text that may be shown."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.answer import Claim, Verdict
from agent.claims.judging import Judge
from agent.claims.quantities import written
from agent.claims.text import Sentence, is_choice, last_choice, sentences
from agent.claims.verdicts import Judged
from agent.ledger import EvidenceLedger
from agent.mentions import has_any, mentions, tokens
from agent.planner.wording import say
from tools.contract.wording import listed

WITHDRAWN = {"status", "side", "place", "number"}
"""Doubts for which a statement is taken out where the evidence says otherwise; for the others it is marked."""


@dataclass(frozen=True)
class Checked:
    """A text after the check.

    Attributes:
        text: as given, with citations in one form and invented ones gone; statements that the evidence contradicts are
            replaced by what it says, those it does not bear out are marked.
        claims: its statements, withdrawn ones included.
        cited: every evidence id that stands in it.
        choice: letter of a last "ANSWER: X" line.
        withdrawn: the statements taken out, each with the reason.
    """

    text: str
    claims: list[Claim] = field(default_factory=list)
    cited: list[str] = field(default_factory=list)
    choice: str | None = None
    withdrawn: list[str] = field(default_factory=list)


def check(text: str, ledger: EvidenceLedger, *, scripted: bool = False, judge: Judge | None = None) -> Checked:
    """Split, resolve citations and judge.

    Args:
        text: what the planner wrote.
        ledger: the session's evidence.
        scripted: it is our own: what it does not cite is no claim, and nothing is marked or taken out.
        judge: of that ledger, who remembers what earlier texts said; one who remembers nothing when left out.
    """
    judge = judge or Judge(ledger)
    lines: list[str] = []
    claims: list[Claim] = []
    withdrawn: list[str] = []
    for line in text.splitlines():
        pieces = []
        for sentence in sentences(line, ledger):
            if not (sentence.ids or sentence.invented or (not scripted and _is_factual(sentence))):
                pieces.append(sentence.text)
                continue
            found = judge(sentence.bare, sentence.ids) if sentence.ids else _unsupported(sentence)
            claims.append(Claim(text=sentence.bare, evidence=list(sentence.ids), verdict=found.verdict))
            shown, gone = (sentence.text, "") if scripted else _shown(sentence, found)
            pieces.append(shown)
            withdrawn += [gone] if gone else []
        lines.append(" ".join(pieces))
    cited = list(dict.fromkeys(i for claim in claims for i in claim.evidence))
    return Checked("\n".join(lines).strip(), claims, cited, last_choice(text), withdrawn)


def _unsupported(sentence: Sentence) -> Judged:
    return Judged(Verdict.NOT_ASSESSED, "invented" if sentence.invented else "uncited")


def _is_factual(sentence: Sentence) -> bool:
    """Whether an uncited sentence says something about a film: it names a finding, or gives a number."""
    text = sentence.text
    if is_choice(text) or text.rstrip().endswith((":", "?")) or text.lstrip().startswith("#"):
        return False
    if has_any(tokens(text), ["not assessed"]):
        return False
    numbers = [number for number in written(sentence.bare) if not number.whole]
    return bool(numbers) or any(mention.kind == "finding" for mention in mentions(text))


def _shown(sentence: Sentence, found: Judged) -> tuple[str, str]:
    """(what stands in the text, what was taken out of it)."""
    if not found.why:
        return sentence.text, ""
    by = listed(sentence.ids)
    if found.instead and found.why in WITHDRAWN:
        told = say("doubt.withdrawn", by=by, instead=found.instead, cite=f"[{', '.join(sentence.ids)}]")
        return told, say("doubt.gone", claim=sentence.bare, by=by, instead=found.instead)
    return f"{sentence.text} {say(f'doubt.{found.why}', by=by)}", ""


__all__ = ["Checked", "check"]

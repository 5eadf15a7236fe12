"""Reads an open answer against its reference, strictly: it says the same, or it does not, or it says nothing usable.

A yes/no reference needs a yes or a no that heads the answer or is stated as one; prose that merely implies it does not
count. Any other reference must stand in the answer, not denied, and without a rival of its own kind (the other side,
the other view). Findings are the same under any of the ontology's names. Pure: text in, result out.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from agent.mentions import mentions


class OpenReason(StrEnum):
    """Why an open answer was read as it was."""

    STATED = "stated"
    DIFFERENT = "something else"
    DENIED = "denied"
    BOTH = "rivals named"
    REFUSED = "refused"
    EMPTY = "empty"
    NO_VERDICT = "neither yes nor no"


@dataclass(frozen=True)
class Opened:
    """Whether the answer could be read, whether it is right, and why."""

    read: bool
    right: bool
    reason: OpenReason


CLOSED = {"yes": "yes", "no": "no", "true": "yes", "false": "no"}
_CITATIONS = re.compile(r"[\[(]\s*E\d+(?:\s*[,;–-]\s*E?\d+)*\s*[\])]")
_THOUGHTS = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.IGNORECASE | re.DOTALL)
_WORD = re.compile(r"[^\W_]+(?:[.'-][^\W_]+)*")
_VERDICT_HEAD = re.compile(
    r"^\W*(?:(?:final\s+)?answer\s*(?:is|:|=)?\s*)?\W*(yes|no|true|false)\b(?!\s*(?:\.\s*\d|one\b))", re.I
)
_VERDICT_STATED = re.compile(r"\b(?:answer|verdict|response)\s*(?:is|would\s+be|:|=)\s*\W*(yes|no|true|false)\b", re.I)
_VERDICT_LAST = re.compile(r"(?:^|[.!?\n])\W*(yes|no|true|false)\W*$", re.I)
_QUANTIFIER = re.compile(r"^\W*no\s+(?!(?:there|it|the|this|that|evidence|sign|signs)\b)\w+", re.I)
"""'No effusion is seen' is a statement about effusion; as an answer to a yes/no question it is a no as well."""
_HEDGE = re.compile(
    r"\b(?:yes\s*(?:/|or|and)\s*no|no\s*(?:/|or)\s*yes|maybe|perhaps|possibly|uncertain|unclear|equivocal)\b", re.I
)
_REFUSAL = re.compile(
    r"\b(?:sorry|unable\s+to|cannot|can't|not\s+assessed|not\s+able\s+to|no\s+tool|insufficient|do\s+not\s+know|don't\s+know|"
    r"outside\s+(?:what|my)|could\s+not\s+tell|not\s+determined)\b",
    re.I,
)
_ARTICLES = {"a", "an", "the", "is", "are", "it", "of", "in", "on", "this", "that", "image", "film", "side"}
_DENIAL = {"no", "not", "without", "neither", "nor", "never", "isn't", "absent", "excluded", "except", "unlike"}
_TURNS = {"but", "rather", "instead"}
_DENIAL_REACH = 3
"""Words before a phrase in which a denial still denies it."""
RIVALS = (
    {"left", "right", "bilateral", "both"},
    {"pa", "ap", "lateral"},
    {"upper", "middle", "lower"},
    {"male", "female"},
    {"ct", "mri", "x-ray", "ultrasound"},
    {"small", "large", "moderate"},
    {"normal", "abnormal"},
)
"""Words of which an answer that names two, where the reference names one, has not chosen."""


def judge_open(text: str, reference: str) -> Opened:
    """Whether `text` answers as `reference` does.

    Args:
        text: what the agent wrote.
        reference: the true answer; several items separated by commas must all be named.
    """
    clean = _clean(text)
    if not clean:
        return Opened(False, False, OpenReason.EMPTY)
    wanted = CLOSED.get(reference.strip().strip(".").lower())
    if wanted is not None:
        return _closed(clean, wanted)
    items = [item.strip() for item in re.split(r"[,;]|\band\b", reference) if item.strip()]
    verdicts = [_item(clean, item) for item in items]
    rival = _rivals(clean, reference)
    if all(verdict is OpenReason.STATED for verdict in verdicts):
        return Opened(True, not rival, OpenReason.BOTH if rival else OpenReason.STATED)
    if _REFUSAL.search(clean):
        return Opened(False, False, OpenReason.REFUSED)
    denied = OpenReason.DENIED in verdicts
    return Opened(True, False, OpenReason.DENIED if denied else OpenReason.DIFFERENT)


def _clean(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).replace("’", "'")
    return re.sub(r"[*_`$\"“”]|</?[a-z]+/?>", "", _CITATIONS.sub(" ", _THOUGHTS.sub(" ", folded)), flags=re.I).strip()


def _closed(text: str, wanted: str) -> Opened:
    if _HEDGE.match(text) or re.search(r"\byes\s*(?:/|or)\s*no\b", text, re.I):
        return Opened(False, False, OpenReason.NO_VERDICT)
    stated = {CLOSED[m.group(1).lower()] for m in _VERDICT_STATED.finditer(text)}
    head = _VERDICT_HEAD.match(text)
    stated |= {CLOSED[head.group(1).lower()]} if head else set()
    last = _VERDICT_LAST.search(text)
    stated |= {CLOSED[last.group(1).lower()]} if last else set()
    if not stated and _QUANTIFIER.match(text):
        stated = {"no"}
    if len(stated) > 1:
        return Opened(False, False, OpenReason.BOTH)
    if not stated:
        return Opened(False, False, OpenReason.REFUSED if _REFUSAL.search(text) else OpenReason.NO_VERDICT)
    return Opened(True, stated == {wanted}, OpenReason.STATED)


def _words(text: str) -> list[str]:
    return [word for word in (_singular(w.lower()) for w in _WORD.findall(text)) if word not in _ARTICLES]


def _singular(word: str) -> str:
    """A word without its plural s, and in American spelling, so that both spellings are one."""
    word = word.replace("oedema", "edema").replace("oesoph", "esoph").replace("haem", "hem").replace("xray", "x-ray")
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "is", "us")) else word


def _item(text: str, item: str) -> OpenReason:
    """Whether one item of the reference is stated, denied, or not there."""
    words, wanted = _words(text), _words(item)
    places = [i for i in range(len(words) - len(wanted) + 1) if words[i : i + len(wanted)] == wanted] if wanted else []
    open_places = [i for i in places if not _denied(words, i, _DENIAL_REACH)]
    if open_places:
        return OpenReason.STATED
    same = {mention.code for mention in mentions(item) if mention.kind == "finding" and not mention.denied}
    named = [mention for mention in mentions(text) if mention.code in same]
    if same and {mention.code for mention in named if not mention.denied} == same and len(wanted) <= 4:
        return OpenReason.STATED
    return OpenReason.DENIED if places or named else OpenReason.DIFFERENT


def _denied(words: list[str], place: int, reach: int) -> bool:
    """Whether a denial stands up to `reach` words before a place, and no "but" between them."""
    before = words[max(0, place - reach) : place]
    turn = max((i for i, word in enumerate(before) if word in _TURNS), default=-1)
    return bool(_DENIAL & set(before[turn + 1 :]))


def _rivals(text: str, reference: str) -> bool:
    """Whether the answer names a rival that the reference does not."""
    said, wanted = set(_words(text)), set(_words(reference))
    words = _words(text)
    denied = {word for i, word in enumerate(words) if _denied(words, i, 2)}
    return any(wanted & group and (said - denied) & group - wanted for group in RIVALS)

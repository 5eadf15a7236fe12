"""A text that the user pasted into a message: what is asked of it, and the text itself, word for word.

What was pasted is data: it is taken out before the message is read as a question, so nothing in it asks for a tool.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.mentions import tokens
from agent.planner.offers import Offer, Offers, asked_for
from tools.reading import read

FENCED = re.compile(r"\"\"\"(.+?)\"\"\"|```[a-z]*\n?(.+?)```|[“\"«]([^”\"»]{20,})[”\"»]", re.DOTALL)
"""A text between marks of quotation or code."""
DRAFT = (
    r"draft(?: report)?|candidate(?: report)?|generated(?: report)?|ai(?: report| draft)?|prediction|my report|"
    r"report a|hypothesis"
)
FINAL = (
    r"reference(?: report)?|ground truth|gold(?: standard)?|final(?: report)?|signed(?: report)?|"
    r"radiologist'?s? report|original(?: report)?|report b|truth"
)
PAIR = re.compile(rf"(?:^|(?<=[\n.?!:;,])|(?<=\s))\s*(?:the |this )?(?:({DRAFT})|({FINAL}))\s*[:=]\s*", re.IGNORECASE)
"""The name of a draft or of a reference before its text."""
NAMED = re.compile(
    r"\b(?:report|text|note|letter|dictation|findings|sentence|impression|document|informe|rapport|compte[- ]rendu|"
    r"befund|rapporten|following|this|it)\b[^:\n]{0,40}:\s+",
    re.IGNORECASE,
)
"""A word for a text, and a colon before the text."""
NEXT_LINE = re.compile(r"\n\s*(?=\S)")
REQUEST_MAX_WORDS = 2
"""Words beside the tool's own up to which a message holds no text of its own to work on ("label this report")."""
PASTED_MIN_WORDS = 12
"""A text of so many words is taken for a pasted one even where it names no finding."""


@dataclass(frozen=True)
class Pasted:
    """What was pasted, and the words around it.

    Attributes:
        request: the user's own words.
        texts: "text", or "candidate" and "reference" -> the text as pasted.
    """

    request: str
    texts: Mapping[str, str]


@dataclass(frozen=True)
class TextAsked:
    """A tool that works on a text, and the texts to give it (none where none was pasted)."""

    tool: str
    texts: Mapping[str, str] = field(default_factory=dict)


def asked_of_text(message: str, tools: Offers, others: int) -> TextAsked | None:
    """The tool that a message asks to work on a text, with the text; None for any other message.

    Args:
        message: the user's words.
        tools: those that may be called.
        others: length in words of the longest phrase of another intent that stands in the message.
    """
    offered = {name: offer for name, offer in tools.items() if takes_text(offer)}
    if not offered:
        return None
    found = pasted(message)
    if found is not None:
        tool, _ = asked_for(_words(found.request), offered)
        needed = "candidate" if "candidate" in found.texts else "text"
        fitting = [name for name, offer in offered.items() if needed in offer.arguments]
        if tool in fitting:
            return TextAsked(tool, found.texts)
        if fitting and (needed == "candidate" or _is_whole_report(found)):
            return TextAsked(fitting[0], found.texts)
    words = _words(message)
    tool, length = asked_for(words, offered)
    rest = {name: offer for name, offer in tools.items() if name not in offered}
    if not length or length <= others or length < asked_for(words, rest)[1]:
        return None
    whole = "text" in offered[tool].required and len(words) - length > REQUEST_MAX_WORDS
    return TextAsked(tool, {"text": message} if whole else {})


def takes_text(offer: Offer) -> bool:
    """Whether a tool works on a text that the user gives."""
    return bool({"text", "candidate"} & offer.arguments)


def pasted(message: str) -> Pasted | None:
    """What was pasted into a message; None where nothing was, as far as its form tells."""
    pair = _pair(message)
    if pair is not None:
        return pair
    quoted = [(match.span(), next(group for group in match.groups() if group)) for match in FENCED.finditer(message)]
    quoted = [(span, text) for span, text in quoted if _is_text(text)]
    if len(quoted) == 2:
        (first, one), (last, other) = quoted
        request = " ".join([message[: first[0]], message[first[1] : last[0]], message[last[1] :]])
        swapped = re.search(rf"(?:{FINAL})\W*$", message[: first[0]], re.IGNORECASE) is not None
        texts = (other, one) if swapped else (one, other)
        return Pasted(request, dict(zip(("candidate", "reference"), texts, strict=True)))
    if len(quoted) == 1:
        (start, end), text = quoted[0]
        return Pasted(f"{message[:start]} {message[end:]}", {"text": text.strip()})
    for start in _starts(message):
        request, text = message[:start], message[start:]
        if _is_text(text):
            return Pasted(request, {"text": text.strip()})
    return None


def _pair(message: str) -> Pasted | None:
    """A draft and a reference, each behind its name."""
    marks = list(PAIR.finditer(message))
    drafts, finals = [m for m in marks if m[1]], [m for m in marks if m[2]]
    if not drafts or not finals:
        return None
    first, last = sorted((drafts[0], finals[0]), key=lambda match: match.start())
    texts = {"candidate" if first[1] else "reference": message[first.end() : last.start()].strip().strip('"“”')}
    texts["candidate" if last[1] else "reference"] = message[last.end() :].strip().strip('"“”')
    return Pasted(message[: first.start()], texts) if all(texts.values()) else None


def _starts(message: str) -> list[int]:
    """Where a pasted text may begin, best first: at a report's heading, after "report:", after the first line."""
    headed = next((section.begin for section in read(message).sections if section.kind), None)
    named = next((match.end() for match in NAMED.finditer(message)), None)
    line = next((match.end() for match in NEXT_LINE.finditer(message)), None)
    first = [start for start in (headed, named) if start is not None]
    return [*sorted(first), *([line] if line is not None else [])]


def _is_whole_report(found: Pasted) -> bool:
    """Whether a message is nothing but a report with its headings."""
    kinds = {section.kind for section in read(found.texts["text"]).sections}
    return not found.request.strip() and bool({"findings", "impression"} & kinds)


def _is_text(text: str) -> bool:
    return len(text.split()) >= PASTED_MIN_WORDS or bool(read(text).statements)


def _words(text: str) -> list[str]:
    return [word for word in tokens(text) if word[0].isalnum()]


__all__ = ["Pasted", "TextAsked", "asked_of_text", "pasted", "takes_text"]

"""What a user tells of the patient after a differential was asked for: it is weighed with what was told before."""

from __future__ import annotations

from agent.mentions import has_any
from agent.planner.naming import vocabulary, words_of
from agent.planner.offers import Offers, asked_for
from tools.weighing import facts_in

FUSE = "fuse"
"""The tool that weighs what is told."""


def tells_more(text: str, before: str, tools: Offers) -> bool:
    """Whether a message adds facts of the patient to a differential, or asks what is missing; no other tool is asked.

    Args:
        text: the user's words.
        before: the tool that the last question used.
        tools: those that may be called.
    """
    words = words_of(text)
    if before != FUSE or FUSE not in tools or not (facts_in(text) or has_any(words, vocabulary()["asks_missing"])):
        return False
    other, _ = asked_for(words, tools)
    return other in ("", FUSE)


__all__ = ["FUSE", "tells_more"]

"""What a user tells of the patient after a differential was asked for: it is weighed with what was told before."""

from __future__ import annotations

from agent.planner.naming import words_of
from agent.planner.offers import Offers, asked_for
from tools.weighing import facts_in

FUSE = "fuse"
"""The tool that weighs what is told."""


def tells_more(text: str, before: str, tools: Offers) -> bool:
    """Whether a message adds facts of the patient to a differential, and asks for no other tool.

    Args:
        text: the user's words.
        before: the tool that the last question used.
        tools: those that may be called.
    """
    if before != FUSE or FUSE not in tools or not facts_in(text):
        return False
    other, _ = asked_for(words_of(text), tools)
    return other in ("", FUSE)


__all__ = ["FUSE", "tells_more"]

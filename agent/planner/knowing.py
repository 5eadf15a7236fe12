"""Questions about a finding itself and not about a film: what it is, how it looks, what is mistaken for it.

The words are in vocabulary.toml ([knowledge]). A question that points at a film or a patient is never one of these.
"""

from __future__ import annotations

from agent.mentions import has_any
from agent.planner.naming import film_numbers, vocabulary
from agent.planner.offers import Offers

KNOWLEDGE = "retrieve_knowledge"
"""The tool that looks passages up."""


def asks_knowledge(words: list[str], named: int, tools: Offers) -> bool:
    """Whether a question is about what its findings are.

    Args:
        words: the question's.
        named: how many findings it names.
        tools: those that may be called.
    """
    told, line = vocabulary()["knowledge"], " ".join(words)
    if KNOWLEDGE not in tools or has_any(words, told["pointing"]) or film_numbers(words):
        return False
    explained = _behind(line, told["explaining"])
    defined = _behind(line, told["defining"])
    if (explained or defined) and words[-1] in told["signs"]:
        return True
    if not named:
        return False
    if explained and explained[0] not in told["not_in_general"]:
        return True
    if has_any(words, told["asking"]):
        return True
    if named > 1 and has_any(words, told["telling_apart"]):
        return True
    if len(words) > told["defining_most_words"] or line.startswith(tuple(told["of_a_film"])):
        return False
    return bool(defined)


def _behind(line: str, openings: list[str]) -> list[str]:
    """Words behind the longest of the openings that a line begins with; none where it begins with none."""
    opening = max((told for told in openings if line.startswith(f"{told} ")), key=len, default="")
    return line.removeprefix(opening).split() if opening else []


__all__ = ["KNOWLEDGE", "asks_knowledge"]

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
    told = vocabulary()["knowledge"]
    if KNOWLEDGE not in tools or not named or has_any(words, told["pointing"]) or film_numbers(words):
        return False
    if has_any(words, told["asking"]):
        return True
    if named > 1 and has_any(words, told["telling_apart"]):
        return True
    line = " ".join(words)
    if len(words) > told["defining_most_words"] or line.startswith(tuple(told["of_a_film"])):
        return False
    return any(line.startswith(f"{opening} ") for opening in told["defining"])


__all__ = ["KNOWLEDGE", "asks_knowledge"]

"""A long conversation as a planner is told it: earlier turns in brief, every evidence number with what it holds.

Made anew from the whole conversation for each request, by rule and not by a model: nothing is lost from the memory,
nothing is invented, and text of films and tools is not given a new author. What was answered is itself a checked
summary of its evidence, so the results behind it go first.
"""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately

from prompts import prompt

UNKNOWN_READS_TOKENS = 24_000
"""For a model of which nobody says how much it reads: what common servers of one's own are started with, or more."""
SHARE = 0.7
"""Of what a model reads, how much may be conversation; the rest is for rules, tools and the reply."""
ANSWER_CHARACTERS = 400
"""Of an earlier answer, in brief."""
EVIDENCE_CHARACTERS = 160
"""Of an earlier result, in brief; it begins with its evidence number."""

Turn = list[AnyMessage]


def limit_of(reads_tokens: int | None, wanted: int | None) -> int:
    """How many tokens of conversation a planner is told.

    Args:
        reads_tokens: how much it can read at once, where that is known.
        wanted: the user's own limit (Settings.max_context_tokens).
    """
    return wanted or int(SHARE * (reads_tokens or UNKNOWN_READS_TOKENS))


def condensed(messages: Sequence[AnyMessage], limit: int) -> list[AnyMessage]:
    """The same conversation in at most about `limit` tokens; the running turn is always told whole.

    First the calls and results of earlier turns go, then the oldest turns become a line each, with the numbers of their
    evidence; those lines stand before the first question that is told whole.
    """
    if _tokens(messages) <= limit:
        return list(messages)
    turns = _turns(messages)
    if len(turns) < 2:
        return list(messages)
    earlier, running = turns[:-1], turns[-1]
    for told_whole in range(len(earlier), -1, -1):
        brief, kept = earlier[: len(earlier) - told_whole], earlier[len(earlier) - told_whole :]
        spoken = [message for turn in kept for message in turn if _is_spoken(message)]
        told = _after(_brief(earlier, brief), [*spoken, *running])
        if _tokens(told) <= limit:
            break
    return told


def _turns(messages: Sequence[AnyMessage]) -> list[Turn]:
    turns: list[Turn] = []
    for message in messages:
        if isinstance(message, HumanMessage) or not turns:
            turns.append([])
        turns[-1].append(message)
    return turns


def _is_spoken(message: AnyMessage) -> bool:
    return isinstance(message, HumanMessage) or (isinstance(message, AIMessage) and not message.tool_calls)


def _brief(earlier: Sequence[Turn], brief: Sequence[Turn]) -> str:
    """Turns in a line each, and all evidence of the turns whose results are not told."""
    results = [m for turn in earlier for m in turn if isinstance(m, ToolMessage) and m.text.startswith("[E")]
    seen: dict[str, str] = {}
    for message in results:
        number, _, rest = message.text.partition("] ")
        seen.setdefault(number, _cut(f"{number}] {message.name}: {rest.partition(chr(10))[0]}", EVIDENCE_CHARACTERS))
    lines = []
    for turn in brief:
        asked = next((m.text for m in turn if isinstance(m, HumanMessage)), "")
        said = next((m.text for m in reversed(turn) if isinstance(m, AIMessage) and not m.tool_calls), "")
        lines.append(f"- asked: {_cut(asked, EVIDENCE_CHARACTERS)} | answered: {_cut(said, ANSWER_CHARACTERS)}")
    return prompt(
        "earlier", turns="\n".join(lines) or "(told whole below)", evidence="\n".join(seen.values()) or "(none)"
    )


def _after(brief: str, messages: list[AnyMessage]) -> list[AnyMessage]:
    first = next(n for n, message in enumerate(messages) if isinstance(message, HumanMessage))
    question = messages[first].model_copy(update={"content": f"{brief}\n\n{messages[first].text}"})
    return [*messages[:first], question, *messages[first + 1 :]]


def _cut(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _tokens(messages: Sequence[AnyMessage]) -> int:
    return count_tokens_approximately(messages)


__all__ = ["condensed", "limit_of"]

"""A message as the questions in it, one part each."""

from __future__ import annotations

import re
from functools import cache

from agent.mentions import mentions, tokens
from agent.planner.naming import film_numbers, role_named, vocabulary, words_of
from tools.reading.words import sentences

FILM_WORDS_MAX = 4
"""Words of a part that only names a film, its role left out: "on film 2", "for the first image"."""


@cache
def _ends() -> re.Pattern[str]:
    """Where one question ends: at a question mark, before a word that opens the next, before an order."""
    opens = "|".join(vocabulary()["opens_a_part"])
    orders = "|".join(vocabulary()["orders"])
    joins = "|".join(vocabulary()["joins_parts"])
    return re.compile(
        rf"(?<=[?;])\s+|[,.]?\s+(?:(?:{joins})\s+)+(?=(?:{opens})\b)|,\s+(?=(?:{opens})\b)|\.\s+(?=(?:{orders})\b)",
        re.IGNORECASE,
    )


def parts_of(message: str) -> list[str]:
    """The parts in order; those without a word are left out, and so is what is told before a question on a finding."""
    parts: list[str] = []
    film = ""
    for part in _ordered(_ends().split(_asking(message.strip()))):
        if _names_a_film_alone(part):
            film = f"{film}{part}, "
        elif tokens(part):
            parts.append(film + part)
            film = ""
    return parts or [message]


def _ordered(parts: list[str]) -> list[str]:
    """Parts whose orders end with a full stop: "Outline the lungs. Is there an effusion?" asks for both.

    What is only told before a question ("Post fall. Is there a fracture?") stays with it.
    """
    opens = set(vocabulary()["opens_a_part"])
    found: list[str] = []
    for part in parts:
        pieces = [part[start:end] for start, end in sentences(part)]
        if all(tokens(piece)[:1] and tokens(piece)[0] in opens for piece in pieces):
            found.extend(pieces)
        else:
            found.append(part)
    return found


def _names_a_film_alone(part: str) -> bool:
    """Whether a part says which film the next one is about ("On the previous image") and asks nothing."""
    role, rest = role_named(part)
    named = role or film_numbers(words_of(part))
    return (
        bool(named) and not part.rstrip().endswith("?") and len(words_of(rest)) <= FILM_WORDS_MAX and not mentions(part)
    )


def _asking(message: str) -> str:
    """A message without the statements it begins with, where a question that names what it is about follows.

    "Post central line. Any pneumothorax?" asks for the pneumothorax alone. A message that names a finding nowhere else
    stays whole.
    """
    pieces = [message[start:end] for start, end in sentences(message)]
    first = next((n for n, piece in enumerate(pieces) if piece.endswith("?") and mentions(piece)), 0)
    opens = set(vocabulary()["opens_a_part"])
    told = [piece for piece in pieces[:first] if not piece.endswith("?") and tokens(piece)[:1][0] not in opens]
    return " ".join(piece for piece in pieces if piece not in told) if told else message


__all__ = ["parts_of"]

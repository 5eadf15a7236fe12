"""Which of the words on the command line are films and which is the question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imaging.failures import BadArguments


def films_and_question(words: Sequence[str], *, needed: bool = True) -> tuple[list[Path], str]:
    """The films and the question of `hilum ask`, whose question stands first or last.

    `needed` says whether there must be a film, which a conversation that has some already can do without.

    It is the one that names no file; where that holds for both ends, the one with a space in it, else the last.

    Raises:
        BadArguments: there is no film or no question among them.
    """
    if not needed and len(words) == 1:
        return [], words[0]
    ends = [place for place in (len(words) - 1, 0) if not _exists(words[place])] if len(words) > 1 else []
    if not ends:
        raise BadArguments(
            "No question was given beside the film." if len(words) > 1 or _exists(words[0]) else "No film was given.",
            'Use: hilum ask FILM... "QUESTION".',
        )
    place = next((end for end in ends if " " in words[end].strip()), ends[0])
    return [Path(word) for number, word in enumerate(words) if number != place], words[place]


def _exists(word: str) -> bool:
    try:
        return Path(word).exists()
    except (OSError, ValueError):  # a question longer than a file name may be
        return False

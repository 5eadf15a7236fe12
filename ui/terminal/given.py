"""Which of the words on the command line are films and which is the question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imaging.failures import BadArguments


def films_and_question(words: Sequence[str], *, needed: bool = True) -> tuple[list[Path], str]:
    """The films and the question of `hilum ask`, whose question stands first or last.

    It is the one that names no file; where that holds for both ends, the one with a space in it, else the last. A
    question of several words may stand alone: it may paste a report, or ask what a word means.

    Args:
        words: as given.
        needed: whether a single word must be a film, as in a conversation that has none yet.

    Raises:
        BadArguments: there is no film or no question among them.
    """
    if len(words) == 1 and (not needed or (" " in words[0].strip() and not _exists(words[0]))):
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

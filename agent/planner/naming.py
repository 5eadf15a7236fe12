"""Which of the session's films a question is about: by what it calls them, by what it asks, or none named."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

from agent.mentions import has_any, longest, tokens
from imaging.radiograph import DerivedKind, View

Films = list[dict[str, Any]]
"""Facts of the session's films in order, as `agent.films.listed` gives them."""


@cache
def vocabulary() -> dict[str, Any]:
    """vocabulary.toml, the phrases that an intent takes from other lists among its own."""
    told = tomllib.loads((resources.files("agent.planner") / "vocabulary.toml").read_text(encoding="utf-8"))
    for intent in told["intent"]:
        intent["phrases"] += [phrase for name in intent.get("also", ()) for phrase in told[name]]
    return told


def words_of(text: str) -> list[str]:
    """Words and numbers of a text as phrases are matched in them: without punctuation, contractions in full."""
    return in_full(word for word in tokens(text) if word[0].isalnum())


def in_full(words: Iterable[str]) -> list[str]:
    """Words with contractions written out: "whats" is "what is"."""
    spoken = vocabulary()["contractions"]
    return [full for word in words for full in spoken.get(word, word).split()]


def longest_intent(words: list[str]) -> int:
    """Length in words of the longest phrase of any intent among the words; all of them where they ask for a report."""
    if asks_for_a_report(words):
        return len(words)
    return max(longest(words, intent["phrases"]) for intent in vocabulary()["intent"])


def asks_for_a_report(words: list[str]) -> bool:
    """ "Generate a radiology report": one is to be written, whatever stands between."""
    return words[-1:] == ["report"] and has_any(words, vocabulary()["report"]["writes"])


def _roles() -> dict[str, list[str]]:
    found: dict[str, list[str]] = vocabulary()["film_roles"]
    return found


@cache
def _pattern() -> re.Pattern[str]:
    """ "on the prior film", "in the previous one", "the lateral view", "on the prior"."""
    words = "|".join(re.escape(word) for name, listed in _roles().items() if name != "nouns" for word in listed)
    nouns = "|".join(_roles()["nouns"])
    noun = rf"(?:\s+(?:chest|frontal))?\s+(?:{nouns})s?"
    return re.compile(rf"\b(?:(?:on|in)\s+the\s+({words})(?:{noun})?(?=\W*$|\s*[?,.;])|the\s+({words}){noun})\b", re.I)


def role_named(text: str) -> tuple[str, str]:
    """("prior", the text without that) for "Is there a mass on the prior film?"; ("", the text) where none is named.

    "Read the prior film" is left as "Read this film": the verb alone asks nothing.
    Roles are "current", "prior", "lateral", "processed" and "synthetic".
    """
    match = _pattern().search(text)
    if match is None:
        return "", text
    word = (match[1] or match[2]).lower()
    role = next(name for name, listed in _roles().items() if word in listed)
    rest = f"{text[: match.start()]}{text[match.end() :]}"
    return role, f"{rest} this film" if words_of(rest) == ["read"] else rest


def film_numbers(words: list[str]) -> list[int]:
    """Numbers in "film 2", "films 1 and 2", "second film"."""
    nouns, ordinals = vocabulary()["film_words"]["words"], vocabulary()["film_words"]["ordinals"]
    numbers = []
    for n, word in enumerate(words):
        if word in ordinals and n + 1 < len(words) and words[n + 1].removesuffix("s") in [*nouns, "one"]:
            numbers.append(ordinals[word])
        if word.removesuffix("s") in nouns:
            for following in words[n + 1 :]:
                if following.isdigit():
                    numbers.append(int(following))
                elif following not in {"and", "or", "number", "vs", "versus", "to", "film", "image"}:
                    break
    return list(dict.fromkeys(numbers))


def names_synthetic(text: str, number: int, film_id: str) -> bool:
    """Whether a user's words name one synthetic film: by its number or id, or as "the synthetic film"."""
    named = film_id in text.lower() or role_named(text)[0] == DerivedKind.SYNTHETIC
    return named or number in film_numbers(words_of(text))


def with_role(role: str, films: Films) -> tuple[str, ...]:
    """Ids of the films of a role; a current or prior film is a frontal one."""
    if role in list(DerivedKind):
        return tuple(film["id"] for film in films if film["derived"] and film["derived"]["kind"] == role)
    if role == "lateral":
        laterals = [film for film in acquired(films) if film["view"] == View.LATERAL]
        current = [film["id"] for film in laterals if film["role"] == "current"]
        return tuple(current or [film["id"] for film in laterals])
    return tuple(film["id"] for film in frontals(films) if film["role"] == role)


def comparable(films: Films, words: list[str], named: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Ids of the films a comparison is about: those named; one named alone is compared with the current film.

    Where none is named: the prior and the current one where dates tell them, all frontal films for a question about the
    course or where no date tells; none where they are of several patients.

    Args:
        films: all of the session.
        words: of the question.
        named: ids of the films that it names; a lateral film may be named by its view.
    """
    there = frontals(films)
    named = named or (with_role("lateral", films)[-1:] if "lateral" in words else ())
    if len(named) == 1:
        newest = with_role("current", films)[-1:] or (there[-1]["id"],) if there else ()
        beside = with_role("prior", films)[-1:] if newest == named else newest
        return tuple(film["id"] for film in films if film["id"] in {*named, *beside})
    if named:
        return named
    if len({film["patient"] for film in there if film["patient"] is not None}) > 1:
        return ()
    if has_any(words, [*vocabulary()["course"], *vocabulary()["both_films"]]):
        return tuple(film["id"] for film in there)
    pair = [*with_role("prior", films)[-1:], *with_role("current", films)[-1:]]
    return tuple(pair) if len(pair) == 2 else tuple(film["id"] for film in there)


def acquired(films: Films) -> Films:
    """The films of patients: without pictures that were processed or are synthetic."""
    return [film for film in films if not film["derived"]]


def frontals(films: Films) -> Films:
    """The acquired films that are not lateral."""
    return [film for film in acquired(films) if film["view"] != View.LATERAL]


def with_originals(chosen: tuple[str, ...], films: Films) -> tuple[str, ...]:
    """The chosen films, each processed one behind the film it was computed from: both are read."""
    derived = {film["id"]: film["derived"] for film in films}
    beside: list[str] = []
    for film in chosen:
        line = [film]
        while (of := derived[line[0]]) and of["parent"] in derived:
            line.insert(0, of["parent"])
        beside += [*line[:1], film] if len(line) > 1 else line
    return tuple(dict.fromkeys(beside))


def compares_processed(chosen: tuple[str, ...], films: Films) -> tuple[str, ...]:
    """What "compare both" means where it is no comparison over time: a processed film and its original; else nothing.

    Args:
        chosen: films that the question names; none where it says "both".
        films: all of the session.
    """
    processed = with_role(DerivedKind.PROCESSED, films)
    if chosen:
        return with_originals(tuple(film for film in chosen if film in processed), films)
    return with_originals(processed[-1:], films) if len(frontals(films)) < 2 else ()

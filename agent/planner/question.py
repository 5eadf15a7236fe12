"""A question as it was read: what is asked, of which findings, side and films."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agent.planner.options import Option


class Kind(StrEnum):
    """What a question asks for."""

    PRESENCE = "presence"
    OVERVIEW = "overview"
    NORMAL = "normal"
    WHERE = "where"
    SIDE = "side"
    HEART_SIZE = "heart_size"
    SEGMENT = "segment"
    REPORT = "report"
    COMPARE = "compare"
    WHICH_FILM = "which_film"
    CONFIDENCE = "confidence"
    WHY = "why"
    CHOICE = "choice"
    FILM_FACTS = "film_facts"
    TOOL = "tool"
    FORECAST = "forecast"
    HELP = "help"
    ADVICE = "advice"
    OTHER_BODY = "other_body"
    CHIT_CHAT = "chit_chat"
    THANKS = "thanks"
    ABOUT = "about"
    UNSAFE = "unsafe"
    UNKNOWN_FINDING = "unknown_finding"
    NO_SUCH_FILM = "no_such_film"
    UNCLEAR = "unclear"


OUT_OF_SCOPE = {
    Kind.HELP,
    Kind.UNSAFE,
    Kind.ADVICE,
    Kind.FORECAST,
    Kind.OTHER_BODY,
    Kind.CHIT_CHAT,
    Kind.THANKS,
    Kind.ABOUT,
    Kind.UNKNOWN_FINDING,
    Kind.UNCLEAR,
}
"""Kinds that are answered without a film and without a tool."""
MEASURE = "measure"
"""The measuring tool."""
OBJECTS = "detect_objects"
"""The tool that looks for tubes, lines and what was left behind."""
FREE_AIR, FREE_AIR_SIZE = "pneumothorax", "pneumothorax_size"
"""A finding whose size that tool measures, and what it calls that."""
LESIONS, LESION_DIAMETER = frozenset({"nodule", "mass", "lung_lesion"}), "lesion_diameter"
"""Findings whose diameter it measures, and what it calls that."""
ABOUT_A_FINDING = {Kind.PRESENCE, Kind.WHERE, Kind.SIDE, Kind.COMPARE, Kind.WHICH_FILM, Kind.CONFIDENCE, Kind.WHY}
"""Kinds that say nothing without a finding of their own, and take the last question's."""
BESIDE_A_FINDING = {
    Kind.NORMAL,
    Kind.OVERVIEW,
    Kind.CHIT_CHAT,
    Kind.THANKS,
    Kind.ABOUT,
    Kind.HELP,
    Kind.FILM_FACTS,
    Kind.OTHER_BODY,
}
"""Kinds whose words mean little beside a finding's name: that is asked for then."""
NOT_DOUBLED = {Kind.TOOL, Kind.FILM_FACTS, Kind.SEGMENT, Kind.REPORT}
"""Kinds that are about a processed film alone where one is named; the others are about its original, too."""


@dataclass(frozen=True)
class Question:
    """One question as read.

    Attributes:
        kind: what is asked.
        text: the words it was read from.
        findings, structures: codes asked about, in order.
        side: the patient's side asked about.
        denied: asked in the negative ("no effusion?").
        films: ids of the films it is about.
        options: of a multiple choice.
        topic: what an out-of-scope question is about.
        degree: asks how severe or large.
        by_default: names no film; `films` are those it is about then.
        tool: of kind TOOL, the tool whose own words it uses.
        tasks: codes of the measurements it names (tools.knowledge.measured), the longest phrase first.
        given: (argument, text) that the user gave the tool to work on.
        point: (argument, value) that the message asks of the classifier: see agent.planner.operating.
        same_patient, days: of a comparison, what the user says of films whose files do not: that they are of one
            patient, and the day of each.
    """

    kind: Kind
    text: str
    findings: tuple[str, ...] = ()
    structures: tuple[str, ...] = ()
    side: str | None = None
    denied: bool = False
    films: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    topic: str = ""
    degree: bool = False
    by_default: bool = False
    tool: str = ""
    tasks: tuple[str, ...] = ()
    given: tuple[tuple[str, str], ...] = ()
    point: tuple[tuple[str, Any], ...] = ()
    same_patient: bool = False
    days: tuple[int, ...] = ()

"""A text as statements: each finding it names, whether it states, doubts or denies it, where, how much, since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tools.knowledge import LANGUAGES, Language
from tools.reading.attributes import Graded, at_words, graded, places_of, side, sizes_mm
from tools.reading.cues import cues
from tools.reading.frames import Framed, framed
from tools.reading.lexicon import Named, corrected, lexicon
from tools.reading.scope import Hedge, Judged, Sentence, Span, Stated
from tools.reading.sections import SectionSpan, sections
from tools.reading.topics import topic
from tools.reading.words import Phrases, Word, sentences, spoken, tokens, words_of

READINGS_KEPT = 256
"""Readings that are remembered: a draft and its reference are read by several tools."""

MEASURE_REACH = 4
"""Words between a measure and the finding after it ("12 mm right upper lobe nodule")."""
SIDELESS = frozenset({"cardiomegaly", "enlarged_cardiomediastinum", "heart_failure", "pericardial_effusion"})
"""What has no side: one named near it is another finding's."""


@dataclass(frozen=True)
class Place:
    """A structure or place that a finding lies at."""

    code: str
    side: str | None
    start: int
    end: int


@dataclass(frozen=True)
class Modifier:
    """Words [start, end) of the text that say a severity, change or size; `value` is "mild", "new" or "12 mm"."""

    kind: str
    value: str
    start: int
    end: int


@dataclass(frozen=True)
class Statement:
    """What one sentence says of one finding. Places are [start, end) in the text.

    Attributes:
        code: the finding's, of the ontology.
        start, end: where it is named.
        stated, cue, hedge: see tools.reading.scope.Judged.
        side: "left", "right", "bilateral" or None; the patient's.
        places: where it lies.
        severity, change: "mild" ..., "new" ...; None where nothing is said.
        sizes_mm: its measures in millimetres.
        modifiers: the words that say severity, change and size.
        suggested_by: index, in Reading.statements, of what suggests this one ("opacity consistent with ...").
        section: kind of the section it stands in.
        sentence: number of its sentence in the text.
    """

    code: str
    start: int
    end: int
    stated: Stated
    cue: str
    hedge: Hedge
    side: str | None
    places: tuple[Place, ...]
    severity: str | None
    change: str | None
    sizes_mm: tuple[float, ...]
    modifiers: tuple[Modifier, ...]
    suggested_by: int | None
    section: str
    sentence: int


@dataclass(frozen=True)
class Reading:
    """A text as read: as given, its language, its sections and its statements in order."""

    text: str
    language: Language
    sections: tuple[SectionSpan, ...]
    statements: tuple[Statement, ...]


@lru_cache(maxsize=READINGS_KEPT)
def read(text: str, language: Language | None = None, own: tuple[str, ...] = ()) -> Reading:
    """Read a report or note.

    Args:
        text: as written.
        language: its language; told from its words when left out.
        own: phrases to look for beside the ontology's; their statements have the phrase as their code.
    """
    told = language or language_of(text)
    found: list[Statement] = []
    number = 0
    parts = sections(text, told)
    for section in parts:
        body = text[section.start : section.end]
        for start, end in sentences(body):
            offset = section.start + start
            piece = [Word(word.text, word.start + offset, word.end + offset) for word in words_of(body[start:end])]
            if piece:
                found += _Parsed(text, piece, told, own).statements(section.kind, number, len(found))
                number += 1
    return Reading(text, told, tuple(parts), tuple(found))


@lru_cache(maxsize=READINGS_KEPT)
def language_of(text: str) -> Language:
    """The language whose common words and names cover most of a text; English where none does better."""
    words = tokens(text)

    def covered(language: Language) -> int:
        common = sum(word in cues(language).common or word in cues(language).sides for word in words)
        return common + sum(named.end - named.start for named in lexicon(language).find(words))

    return max(LANGUAGES, key=covered)


class _Parsed:
    """One sentence's words and everything that they name.

    Attributes:
        findings: by name or by frame, in order.
        spans: for each, the words that a cue must reach: its name, or what is said of the structure.
    """

    def __init__(self, text: str, piece: list[Word], language: Language, own: tuple[str, ...]) -> None:
        self._piece = piece
        self._cues = cues(language)
        words = [word.text for word in piece]
        self._words = corrected(words) if language == "en" else words
        named = _with_own(lexicon(language).find(self._words), self._words, own)
        frames = _fresh(framed(self._words, self._cues), named)
        told = [(item, (item.start, item.end), False) for item in named if item.kind == "finding"]
        told = [entry for entry in told if not any(_covers(frame.state, entry[1]) for frame in frames)]
        told += [(Named("finding", f.code, f.start, f.end), f.state, f.normal) for f in frames]
        told.sort(key=lambda entry: entry[0].start)
        self.findings = [item for item, _, _ in told]
        self.spans = [span for _, span, _ in told]
        self._normal = [normal for _, _, normal in told]
        others = [item for item in named if item.kind != "finding"]
        self._named = sorted([*self.findings, *others], key=lambda item: item.start)
        self._sentence = Sentence(self._words, self.spans, self._cues)
        self._topic = topic(self._words, self.spans, self._cues)
        self._measures = sizes_mm(text[piece[0].start : piece[-1].end])

    def statements(self, section: str, number: int, before: int) -> list[Statement]:
        """One statement per finding; `before` statements precede this sentence's."""
        return [self._statement(n, section, number, before) for n in range(len(self.findings))]

    def _statement(self, n: int, section: str, number: int, before: int) -> Statement:
        item = self.findings[n]
        judged = self._judged(n)
        severity, change = (self._graded(n, table, judged) for table in (self._cues.severity, self._cues.change))
        size = self._size(item)
        said = [Modifier(kind, grade.name, *at_words(self._piece, (grade.start, grade.end)))
                for kind, grade in (("severity", severity), ("change", change)) if grade]  # fmt: skip
        start, end = at_words(self._piece, (item.start, item.end))
        return Statement(
            code=item.code,
            start=start,
            end=end,
            stated=judged.stated,
            cue=judged.cue,
            hedge=judged.hedge,
            side=side(item, self._words, self._named, self._cues) if item.code not in SIDELESS else None,
            places=tuple(self._places(item)),
            severity=severity.name if severity else None,
            change=change.name if change else None,
            sizes_mm=size[1] if size else (),
            modifiers=(*said, size[0]) if size else tuple(said),
            suggested_by=before + n - 1 if self._suggested(n) else None,
            section=section,
            sentence=number,
        )

    def _judged(self, n: int) -> Judged:
        """What is said of a finding: a question states nothing, and "?pneumonia" asks for it."""
        if self._topic is not None and self.spans[n][1] <= self._topic.end and self._topic.answer is not None:
            return self._topic.answer
        if self._normal[n]:
            return Judged(Stated.ABSENT, "normal")
        if self._words[-1] == "?":
            return Judged(Stated.UNSTATED, "?")
        if self._words[self.spans[n][0] - 1] == "?" and self.spans[n][0]:
            return Judged(Stated.UNCERTAIN, "?", Hedge.POSSIBLE)
        return self._sentence.judge(self.spans[n])

    def _graded(self, n: int, table: dict[str, str], judged: Judged) -> Graded | None:
        """A degree or change of what is stated or doubted; of what is denied, only that it resolved."""
        others = [span for m, span in enumerate(self.spans) if m != n]
        found = graded(self._words, self.spans[n], others, table, self._cues)
        made = judged.stated in {Stated.PRESENT, Stated.UNCERTAIN}
        return found if found is not None and (made or found.name == "resolved") else None

    def _size(self, item: Named) -> tuple[Modifier, tuple[float, ...]] | None:
        """The measure that is this finding's: one right before it ("12 mm nodule"), else one after it."""
        offset = self._piece[0].start
        for start, end, numbers in self._measures:
            if self._measured(offset + start, offset + end) == item:
                value = f"{' x '.join(f'{number:g}' for number in numbers)} mm"
                return Modifier("size", value, offset + start, offset + end), numbers
        return None

    def _measured(self, start: int, end: int) -> Named | None:
        """The finding that a measure at [start, end) of the text is of."""
        before = [item for item in self.findings if at_words(self._piece, (item.start, item.end))[1] <= start]
        after = [item for item in self.findings if self._piece[item.start].start >= end]
        if after:
            between = [word.text for word in self._piece if end <= word.start < self._piece[after[0].start].start]
            parted = "," in between or bool(self._cues.suggests.hits(between))
            if not before or (len(between) <= MEASURE_REACH and not parted):
                return after[0]
        return before[-1] if before else None

    def _places(self, item: Named) -> list[Place]:
        found = places_of(item, self._named, self._words, self._cues)
        return [
            Place(
                place.code,
                side(place, self._words, self._named, self._cues),
                *at_words(self._piece, (place.start, place.end)),
            )
            for place in found
        ]

    def _suggested(self, n: int) -> bool:
        """Whether the words between the statement before and this one say that the one suggests the other."""
        return n > 0 and bool(self._cues.suggests.hits(self._words[self.spans[n - 1][1] : self.spans[n][0]]))


def _with_own(named: list[Named], words: Sequence[str], own: tuple[str, ...]) -> list[Named]:
    """What is named, with the user's own phrases as findings in place of anything that they overlap."""
    asked = {spoken(phrase): phrase for phrase in own}
    mine = [Named("finding", asked[hit.phrase], hit.start, hit.end) for hit in Phrases(asked).hits(words)]
    rest = [item for item in named if not any(item.start < m.end and m.start < item.end for m in mine)]
    return sorted([*rest, *mine], key=lambda item: item.start)


def _fresh(frames: Sequence[Framed], named: Sequence[Named]) -> list[Framed]:
    """Frames that say what the names alone do not: a finding that is not named there, by words that name none."""
    fresh = []
    for frame in frames:
        over = [n for n in named if n.kind == "finding" and n.start < frame.end and frame.start < n.end]
        wider = [n for n in over if (n.start, n.end) != frame.state and _covers((n.start, n.end), frame.state)]
        if not wider and not any(n.code == frame.code for n in over):
            fresh.append(frame)
    return fresh


def _covers(outer: Span, inner: Span) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]

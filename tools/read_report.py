"""read_report: what does a radiology report say? Sections, entities, relations, attributes and labels of its text.

Reads the words and nothing else: it sees no film, and what a report states need not be so. English first; Spanish,
French, German and Danish by the ontology's names and each language's own words for denial and doubt.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from tools.contract import BadArguments, Result, ToolArguments, ToolContext, tool
from tools.contract.wording import listed, summarise
from tools.knowledge import Language, findings, places, structures
from tools.reading import Hedge, Reading, Stated, Statement, read
from tools.reading.labels import LABEL_SETS, Value, code_of, labels_of, ontology_labels, own_labels, seen

TEXT_MAX_CHARACTERS = 20_000
"""Far longer than any report; more is a document, not a report."""

LANGUAGE_NAMES = {"en": "English", "es": "Spanish", "fr": "French", "de": "German", "da": "Danish"}
SET_NAMES = {"chexpert14": "CheXpert-14", "nih14": "ChestX-ray14", "ontology": "ontology", "own": "your"}


class ReadReportArguments(ToolArguments):
    """The report, and what to make of it."""

    text: str = Field(description="The report's text, exactly as given.", min_length=1)
    language: Literal["auto", "en", "es", "fr", "de", "da"] = Field(
        default="auto", description="Its language; 'auto' tells it from the words."
    )
    labels: Literal["chexpert14", "nih14", "ontology"] | list[str] = Field(
        default="chexpert14", description="A label set by name, or the user's own list of labels."
    )


class SectionText(BaseModel):
    """One section; `kind` is "" for text under no heading."""

    kind: str
    heading: str
    text: str


class Entity(BaseModel):
    """Words [start, end) of the text that name a finding or an anatomical place, or modify a finding."""

    id: int
    type: Literal["finding", "anatomy", "modifier"]
    text: str
    start: int
    end: int
    code: str
    name: str
    section: str
    status: Stated | None = None
    hedge: Hedge = Hedge.NONE
    side: str | None = None


class Relation(BaseModel):
    """finding located_at anatomy, modifier modify finding, or finding suggestive_of finding; ids of entities."""

    type: Literal["located_at", "modify", "suggestive_of"]
    source: int
    target: int


class ReportFinding(BaseModel):
    """What the report as a whole says of one finding on one side."""

    code: str
    name: str
    status: Value
    side: str | None
    places: list[str]
    severity: str | None
    change: str | None
    sizes_mm: list[float]
    quotes: list[str]


class ReadReportData(BaseModel):
    """The report as read."""

    language: Language
    sections: list[SectionText]
    entities: list[Entity]
    relations: list[Relation]
    findings: list[ReportFinding]
    label_set: str
    labels: dict[str, Value]


def entities_of(reading: Reading) -> tuple[list[Entity], list[Relation]]:
    """A reading's statements as entities and relations between them, in the manner of RadGraph (Jain et al., 2021)."""
    entities: list[Entity] = []
    relations: list[Relation] = []
    finding_ids: list[int] = []

    def add(kind: Literal["finding", "anatomy", "modifier"], start: int, end: int, **told: object) -> int:
        text = reading.text[start:end]
        made = Entity.model_validate(
            {"id": len(entities) + 1, "type": kind, "text": text, "start": start, "end": end} | told
        )
        same = next((e for e in entities if (e.type, e.start, e.end, e.code) == (kind, start, end, made.code)), None)
        if same is not None and kind != "finding":
            return same.id
        entities.append(made)
        return made.id

    for statement in reading.statements:
        own = add(
            "finding", statement.start, statement.end, code=statement.code, name=name_of(statement.code),
            section=statement.section, status=statement.stated, hedge=statement.hedge, side=statement.side,
        )  # fmt: skip
        finding_ids.append(own)
        for place in statement.places:
            where = add("anatomy", place.start, place.end, code=place.code, name=name_of(place.code),
                        section=statement.section, side=place.side)  # fmt: skip
            relations.append(Relation(type="located_at", source=own, target=where))
        for modifier in statement.modifiers:
            said = add("modifier", modifier.start, modifier.end, code=modifier.kind, name=modifier.value,
                       section=statement.section)  # fmt: skip
            relations.append(Relation(type="modify", source=said, target=own))
        if statement.suggested_by is not None:
            relations.append(Relation(type="suggestive_of", source=finding_ids[statement.suggested_by], target=own))
    return entities, relations


def name_of(code: str) -> str:
    """The ontology's name of a finding, structure or place; any other word stands for itself."""
    for known in (findings(), structures(), places()):
        if code in known:
            return known[code].name
    return code


def summed_up(reading: Reading) -> list[ReportFinding]:
    """What a report says of each finding, a side apart where it states the finding on both in different ways.

    A statement counts before a doubt, a doubt before a denial; what is only mentioned is left out.
    """
    rows: list[ReportFinding] = []
    told = [statement for statement in seen(reading) if statement.stated is not Stated.UNSTATED]
    for code in dict.fromkeys(statement.code for statement in told):
        about = [statement for statement in told if statement.code == code]
        strongest = min(_RANK[statement.stated] for statement in about)
        decisive = [statement for statement in about if _RANK[statement.stated] == strongest]
        for side in _sides(decisive):
            mine = [statement for statement in decisive if statement.side in {side, None}]
            rows.append(_row(reading, code, side, mine))
    return rows


_RANK = {Stated.PRESENT: 0, Stated.UNCERTAIN: 1, Stated.ABSENT: 2}


def _sides(statements: list[Statement]) -> list[str | None]:
    sides: list[str | None] = list(dict.fromkeys(statement.side for statement in statements if statement.side))
    return sides or [None]


def _row(reading: Reading, code: str, side: str | None, statements: list[Statement]) -> ReportFinding:
    def first(values: list[str | None]) -> str | None:
        return next((value for value in values if value), None)

    return ReportFinding(
        code=code,
        name=name_of(code),
        status=Value(statements[0].stated.value),
        side=side,
        places=list(dict.fromkeys(_place(s, n) for s in statements for n in range(len(s.places)))),
        severity=first([s.severity for s in statements]),
        change=first([s.change for s in statements]),
        sizes_mm=next((list(s.sizes_mm) for s in statements if s.sizes_mm), []),
        quotes=list(dict.fromkeys(reading.text[s.start : s.end] for s in statements)),
    )


def _place(statement: Statement, n: int) -> str:
    place = statement.places[n]
    name = name_of(place.code)
    return f"{place.side} {name}" if place.side and place.side not in name else name


def told(row: ReportFinding) -> str:
    """ "pleural effusion (left, mild, unchanged, 12 mm)"; of what is denied, only its side and that it resolved."""
    if row.status is Value.ABSENT:
        facts = [fact for fact in (row.side, row.change) if fact]
        return f"{row.name} ({', '.join(facts)})" if facts else row.name
    where = row.places or ([row.side] if row.side and row.side not in row.name else [])
    size = [f"{' x '.join(f'{n:g}' for n in row.sizes_mm)} mm"] if row.sizes_mm else []
    facts = [*where, *(fact for fact in (row.severity, row.change) if fact), *size]
    return f"{row.name} ({', '.join(facts)})" if facts else row.name


def _sentences(data: ReadReportData) -> list[str]:
    parts = listed([section.kind or "text without a heading" for section in data.sections])
    said = [f"Report read in {LANGUAGE_NAMES[data.language]}: {parts}."]
    for value, lead in (
        (Value.PRESENT, "It states"),
        (Value.UNCERTAIN, "It holds possible"),
        (Value.ABSENT, "It denies"),
    ):
        rows = [told(row) for row in data.findings if row.status is value]
        if rows:
            said.append(f"{lead}: {'; '.join(rows)}.")
    if not data.findings:
        said.append("It says nothing of a finding that I know.")
    given = [
        f"{value.value.replace('_', ' ')} {listed(labels)}"
        for value in (Value.PRESENT, Value.UNCERTAIN, Value.ABSENT)
        if (labels := [label for label, each in data.labels.items() if each is value])
    ]
    if data.label_set != "ontology":
        said.append(f"By the {SET_NAMES[data.label_set]} labels: {'; '.join(given) or 'none is mentioned'}.")
    return said


@tool(
    name="read_report",
    title="Read a report",
    arguments=ReadReportArguments,
    result=ReadReportData,
    answers="What a report's text says: sections, findings with status, side, place, severity, size and change, "
    "relations, and labels (CheXpert-14, ChestX-ray14, the ontology's or your own). Reads no film.",
    asked_by=(
        "read this report",
        "read the following report",
        "read my report",
        "read the report",
        "here is a report",
        "here is the report",
        "here is his report",
        "here is her report",
        "here is my report",
        "label this report",
        "label the report",
        "label the following report",
        "labels of this report",
        "labels for this report",
        "chexpert labels",
        "structure this report",
        "structure the report",
        "structure the following report",
        "parse this report",
        "parse the report",
        "parse the following report",
        "extract the findings from this report",
        "extract findings from this report",
        "extract from this report",
        "what does this report say",
        "what does the report say",
        "what does this report mean",
        "what is in this report",
        "which findings are in this report",
        "findings in this report",
        "findings of this report",
        "summarise this report",
        "summarize this report",
        "explain this report",
        "entities in this report",
        "sections of this report",
        "report says",
        "radiology report",
    ),
)
def read_report(context: ToolContext, arguments: ReadReportArguments) -> Result:
    """The report as sections, entities, relations, findings and labels; see the module."""
    text = checked_text(arguments.text, "report")
    label_set = arguments.labels if isinstance(arguments.labels, str) else "own"
    wanted = list(arguments.labels) if label_set == "own" else []
    own = tuple(label for label in wanted if code_of(label) not in findings())
    reading = read(text, None if arguments.language == "auto" else arguments.language, own)
    entities, relations = entities_of(reading)
    if label_set in LABEL_SETS:
        labels = labels_of(reading, label_set)
    else:
        labels = own_labels(reading, wanted) if label_set == "own" else ontology_labels(reading)
    data = ReadReportData(
        language=reading.language,
        sections=[
            SectionText(kind=section.kind, heading=section.heading, text=text[section.start : section.end].strip())
            for section in reading.sections
        ],
        entities=entities,
        relations=relations,
        findings=summed_up(reading),
        label_set=label_set,
        labels=labels,
    )
    caveats = ["Read from the report's words alone, by rules: it is no reading of a film, and rules miss and misread."]
    if reading.language != "en":
        caveats.append("Beyond English it knows names and the main words for denial and doubt, and misses more.")
    return Result(summary=summarise(_sentences(data)), data=data, caveats=caveats)


def checked_text(text: str, what: str) -> str:
    """A text to be read, as given. BadArguments when it holds no word or is too long."""
    if not any(letter.isalpha() for letter in text):
        raise BadArguments(f"The {what} holds no words.", "Paste its text.")
    if len(text) > TEXT_MAX_CHARACTERS:
        raise BadArguments(
            f"The {what} has {len(text)} characters; at most {TEXT_MAX_CHARACTERS} are read.", "Paste one at a time."
        )
    return text

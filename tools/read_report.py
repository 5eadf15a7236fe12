"""read_report: what does a radiology report say? Sections, entities, relations, attributes and labels of its text.

Reads the words and nothing else: it sees no film, and what a report states need not be so. English first; Spanish,
French, German and Danish by the ontology's names and each language's own words for denial and doubt.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from tools.contract import BadArguments, Result, ToolArguments, ToolContext, tool
from tools.contract.wording import listed, summarise
from tools.knowledge import Language, findings
from tools.reading import read
from tools.reading.labels import LABEL_SETS, NO_FINDING, NORMAL, Value, code_of, labels_of, ontology_labels, own_labels
from tools.reading.report import Entity, Relation, ReportFinding, entities_of, summed_up

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


class ReadReportData(BaseModel):
    """The report as read."""

    language: Language
    sections: list[SectionText]
    entities: list[Entity]
    relations: list[Relation]
    findings: list[ReportFinding]
    label_set: str
    labels: dict[str, Value]


def _sentences(data: ReadReportData) -> list[str]:
    parts = listed([section.kind or "text without a heading" for section in data.sections])
    said = [f"Report read in {LANGUAGE_NAMES[data.language]}: {parts}."]
    for value, lead in (
        (Value.PRESENT, "It states"),
        (Value.UNCERTAIN, "It holds possible"),
        (Value.ABSENT, "It denies"),
    ):
        rows = [row.told() for row in data.findings if row.status is value]
        if rows:
            said.append(f"{lead}: {'; '.join(rows)}.")
    if not data.findings:
        said.append("It says nothing of a finding that I know.")
    given = [
        f"{value.value.replace('_', ' ')} {listed(labels)}"
        for value in (Value.PRESENT, Value.UNCERTAIN, Value.ABSENT)
        if (labels := [label for label, each in data.labels.items() if each is value and _worth_telling(label, each)])
    ]
    if data.label_set != "ontology":
        said.append(f"By the {SET_NAMES[data.label_set]} labels: {'; '.join(given) or 'none is mentioned'}.")
    return said


def _worth_telling(label: str, value: Value) -> bool:
    """That a report is *not* one without findings goes without saying beside its findings."""
    return label not in {NO_FINDING, NORMAL} or value is Value.PRESENT


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
        "lea este informe",
        "lee este informe",
        "leer este informe",
        "interprete este informe",
        "estructure este informe",
        "etiquete este informe",
        "lis ce rapport",
        "lisez ce rapport",
        "lis ce compte rendu",
        "lisez ce compte rendu",
        "lies diesen befund",
        "denne rapport",
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

"""report: a draft of Findings and Impression for one frontal film, made of what the other tools found.

Deterministic: the same film and the same models give the same text. No sentence says more than the tool it rests on:
each carries the names of those tools and the places they found, and what was not assessed is listed. It calls classify,
measure, ground, detect_objects (where a model for it is here) and, where the session holds an earlier film of the
patient, compare itself (their models' answers are cached), so that it agrees with them. It is no normal report: where
nothing was found it says what was looked for and by what. A model that writes reports can be asked for its own draft
beside it: each of its statements is held against the classifier's, and none of them enters this draft.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from models.outputs import Task, Text
from models.request import Question
from tools.contract import Finding, Result, Status, ToolArguments, ToolContext, tool
from tools.contract.films import film_caveats, frontal_film
from tools.contract.wording import summarise
from tools.ground import GroundedBox
from tools.knowledge import Language
from tools.reporting import Evidence, Section, Sentence, Wording, drafted, gather
from tools.reporting.evidence import Given
from tools.writing import Written, held_against

LONGEST = 4000
"""Characters of a draft; a film on which everything is found in English needs about 2,500."""

SHORTEST = 600

FOR_A_READER = "A draft made from tool results, for a qualified reader to check on the film."

TRANSLATED = "Names of findings are the ontology's; the words around them were not checked by a native radiologist."


class ReportArguments(ToolArguments):
    """Which film to report, what goes with it, and how to write it."""

    image_id: str = Field(description="Id of one frontal film of this session.")
    indication: str | None = Field(
        default=None,
        description="Why the film was taken, in the user's own words; quoted in the draft, not used to find anything.",
    )
    technique: str | None = Field(
        default=None, description="How it was taken, in the user's own words, e.g. 'portable, supine'; quoted."
    )
    lateral_id: str | None = Field(
        default=None, description="Lateral film of the same study; left out, the session's own."
    )
    prior_id: str | None = Field(
        default=None, description="Earlier frontal film to compare with; left out, the session's prior by its dates."
    )
    prior_report: str | None = Field(
        default=None,
        description="The earlier report's text as the user gave it; what it names is told beside the draft.",
    )
    style: Literal["template", "prose"] = Field(
        default="template",
        description="template: label and value, line by line; prose: whole sentences (English only).",
    )
    language: Language = Field(default="en", description="en, es, fr, de or da.")
    longest: int = Field(
        default=LONGEST,
        ge=SHORTEST,
        le=LONGEST,
        description="Most characters; what was found is never left out for it.",
    )
    writer: str | None = Field(
        default=None,
        description="Catalog id of a model that writes reports, or 'best': its own draft is added, held against the "
        "classifier.",
    )


class WrittenDraft(BaseModel):
    """What a report-writing model wrote, statement by statement."""

    model: str
    title: str
    text: str
    truncated: bool
    statements: list[Written]


class ReportData(BaseModel):
    """The draft as sections with sentences; `text` is the same as one string."""

    sections: list[Section]
    text: str
    style: str
    language: Language
    used: list[str] = Field(description="Tools, films and words of the user that the draft rests on.")
    missing: list[str] = Field(description="What could not be used, with the reason.")
    lateral_id: str | None = None
    prior_id: str | None = None
    left_out: int = Field(default=0, description="sentences left out to keep the draft within its length")
    written: WrittenDraft | None = None

    def section(self, title: str) -> list[Sentence]:
        """Sentences of one heading; none when the draft has no such heading."""
        return [sentence for section in self.sections if section.title == title for sentence in section.sentences]


@tool(
    name="report",
    title="Draft a report",
    arguments=ReportArguments,
    result=ReportData,
    needs=(Task.CLASSIFY,),
    answers="A draft of Findings and Impression of one frontal film (PA or AP) with indication, technique and "
    "comparison, each sentence with what it rests on; as a template in five languages or as English prose.",
)
def report(context: ToolContext, arguments: ReportArguments) -> Result:
    """Deterministic draft from the other tools; see the module."""
    wording = Wording(arguments.language, arguments.style)
    film = frontal_film(context, arguments.image_id, "a report")
    given = Given(
        indication=arguments.indication or "",
        technique=arguments.technique or "",
        prior_report=arguments.prior_report or "",
        lateral_id=arguments.lateral_id,
        prior_id=arguments.prior_id,
    )
    evidence = gather(context, film, given)
    draft = drafted(evidence, wording, arguments.longest)
    data = ReportData(
        sections=draft.sections,
        text=draft.text,
        style=arguments.style,
        language=arguments.language,
        used=_used(evidence, draft.sections),
        missing=_missing(evidence),
        lateral_id=evidence.lateral.id if evidence.lateral else None,
        prior_id=evidence.prior.id if evidence.prior else None,
        left_out=draft.left_out,
        written=_written(context, evidence, arguments.writer) if arguments.writer else None,
    )
    devices = evidence.devices.findings if evidence.devices else []
    seen = [*evidence.classified.findings, *(evidence.measured.findings if evidence.ratio else []), *devices]
    return Result(
        image_ids=[film.id],
        summary=summarise(_sentences(data)),
        findings=[_placed(item, evidence) for item in seen],
        data=data,
        overlays=[
            overlay for run in [*evidence.grounded.values(), evidence.devices, evidence.compared] if run is not None
            for overlay in run.overlays if overlay.image_id == film.id and overlay.kind != "heatmap"
        ],
        caveats=[
            *film_caveats(film),
            *(evidence.compared.caveats[:1] if evidence.interval and evidence.compared else []),
            *([TRANSLATED] if arguments.language != "en" else []),
            FOR_A_READER,
        ],
        model=evidence.classified.model,
        revision=evidence.classified.revision,
        card=evidence.classified.card,
    )  # fmt: skip


def _used(evidence: Evidence, sections: list[Section]) -> list[str]:
    """The tools that sentences rest on, and what came with the film."""
    bases = {basis for section in sections for sentence in section.sentences for basis in sentence.basis}
    tools = [name for name in ("classify", "measure", "ground", "detect_objects", "compare") if name in bases]
    given = {
        "indication": evidence.given.indication,
        "technique": evidence.given.technique,
        "prior report": evidence.given.prior_report,
        "prior film": evidence.interval,
    }
    return [*tools, *(name for name, there in given.items() if there)]


def _missing(evidence: Evidence) -> list[str]:
    """What was asked for or is usual in a report, and is not there."""
    missing = [f"{name}: {run.failure.message}" for name, run in evidence.runs.items() if run.failure is not None]
    missing += [] if evidence.prior is not None else ["prior film: the session has no earlier film of this patient."]
    missing += [] if evidence.given.prior_report else ["prior report: none was given."]
    missing += [] if evidence.given.indication else ["indication: none was given."]
    unread = "no tool here reads it." if evidence.lateral is not None else "the session has none of this study."
    return [*missing, f"lateral film: {unread}"]


def _written(context: ToolContext, evidence: Evidence, writer: str) -> WrittenDraft:
    """What a model writes of the film with all that goes with it."""
    question = Question(indication=evidence.given.indication, lateral=evidence.lateral, prior=evidence.prior)
    [made] = context.models.predict(
        Task.REPORT, [evidence.film], model_id=None if writer == "best" else writer, question=question
    )
    if not isinstance(made.output, Text):
        raise TypeError(f"{made.model_id} serves report but returned {type(made.output).__name__}")
    return WrittenDraft(
        model=made.model_id,
        title=made.card.title,
        text=made.output.text,
        truncated=made.output.truncated,
        statements=held_against(made.output.text, evidence.classified.findings),
    )


def _sentences(data: ReportData) -> list[str]:
    impression = [sentence.text for sentence in data.section("Impression")]
    lines = ["Draft. Impression:", *impression, *(item.text for item in data.section("Findings"))]
    if data.written is None:
        return lines
    against = [each for each in data.written.statements if each.verdict == "contradicts"]
    return [
        *lines[: 1 + len(impression)],
        f"{data.written.title} wrote a draft of its own, with {len(data.written.statements)} statements on findings, "
        f"{len(against)} of which the classifier contradicts.",
        *lines[1 + len(impression) :],
    ]


def _placed(item: Finding, evidence: Evidence) -> Finding:
    """The finding with the place that ground gave it."""
    boxes: list[GroundedBox] = evidence.places(item.code)
    grounded = evidence.grounded.get(item.code)
    if item.status is not Status.PRESENT or grounded is None or not boxes or not grounded.findings:
        return item
    where = grounded.findings[0]
    return item.model_copy(update={"laterality": where.laterality, "region": where.region or item.region})


__all__ = ["ReportData", "report"]

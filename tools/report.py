"""report: a draft of Findings and Impression for one frontal film, made of what the other tools found.

Deterministic: the same film and the same models give the same text. No sentence says more than the tool it rests on:
each carries the names of those tools, and what was not assessed is listed. It calls classify, measure and ground itself
(their models' answers are cached), so that it agrees with them. It is no normal report: where nothing was found it says
what was looked for and by what.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from imaging.radiograph import Radiograph, View
from models.outputs import Task
from tools.classify import ClassifyArguments, ClassifyData, classify, display_name
from tools.contract import Finding, Result, Status, ToolArguments, ToolContext, tool
from tools.contract.films import film_caveats, frontal_film
from tools.contract.wording import listed, sentence_case, summarise
from tools.ground import GroundArguments, GroundData, ground
from tools.knowledge import Region, findings
from tools.measure import HEART, MeasureArguments, MeasureData, measure
from tools.measurements import Measurement

INDICATION_MAX = 300
"""Characters of the indication that are quoted; a report's draft is bounded in length."""

GROUNDED_MAX = 6
"""Findings that are localised for one report, the highest scores first."""

Basis = Literal["classify", "measure", "ground", "segment", "film", "user"]
"""What a sentence rests on: a tool, the film's own record, or what the user said."""

GROUPS: dict[str, tuple[Region, ...]] = {
    "lungs": (Region.LUNG,),
    "pleura": (Region.PLEURA, Region.PLEURA_BASE),
    "heart and mediastinum": (Region.HEART, Region.MEDIASTINUM),
    "bones, devices and the rest": (Region.WHOLE,),
}
"""The order in which a chest film is reported."""


class ReportArguments(ToolArguments):
    """Which film to report, and why it was taken."""

    image_id: str = Field(description="Id of one frontal film of this session.")
    indication: str | None = Field(
        default=None,
        description="Why the film was taken, in the user's own words; quoted in the draft, not used to find anything.",
    )


class Sentence(BaseModel):
    """One sentence, what it rests on, and the finding it is about (None where about none or several)."""

    text: str
    basis: list[Basis]
    finding: str | None = None
    status: Status | None = None


class Section(BaseModel):
    """One heading of the draft."""

    title: Literal["Indication", "Technique", "Findings", "Impression", "Not assessed"]
    sentences: list[Sentence]


class ReportData(BaseModel):
    """The draft as sections with sentences; `text` is the same as one string."""

    sections: list[Section]
    text: str
    used: list[str] = Field(description="Tools the draft rests on.")
    missing: list[str] = Field(description="What could not be used, with the reason.")

    def section(self, title: str) -> list[Sentence]:
        """Sentences of one heading; none when the draft has no such heading."""
        return [sentence for section in self.sections if section.title == title for sentence in section.sentences]


class _Evidence:
    """What the other tools said of one film."""

    def __init__(self, context: ToolContext, film: Radiograph) -> None:
        self.film = film
        self.classified = classify.run(context, ClassifyArguments(image_id=film.id))
        self.measured = measure.run(context, MeasureArguments(image_id=film.id, tasks=[HEART]))
        self.word = self.classified.data.score_word if isinstance(self.classified.data, ClassifyData) else "score"
        positive = [f for f in self.classified.findings if f.status is Status.PRESENT and f.code in findings()]
        positive.sort(key=lambda f: (-(f.score or 0.0), f.code))
        self.grounded: dict[str, Result] = {
            f.code: ground.run(context, GroundArguments(image_id=film.id, finding=f.code))
            for f in positive[:GROUNDED_MAX]
        }

    def with_status(self, status: Status, regions: tuple[Region, ...] | None = None) -> list[Finding]:
        """The classifier's findings of one status, in its own order; of some regions only when given."""
        return [
            item for item in self.classified.findings
            if item.status is status and (regions is None or _region(item.code) in regions)
        ]  # fmt: skip

    def place(self, code: str) -> GroundData | None:
        """Where a finding was localised, or None."""
        result = self.grounded.get(code)
        data = result.data if result is not None else None
        return data if isinstance(data, GroundData) and data.localised else None

    @property
    def ratio(self) -> Measurement | None:
        """The measured heart, or None where it was refused."""
        return self.measured.data.get(HEART) if isinstance(self.measured.data, MeasureData) else None


def _region(code: str) -> Region:
    return findings()[code].region if code in findings() else Region.WHOLE


def _name(code: str) -> str:
    return display_name(code)


def _scored(item: Finding, word: str) -> str:
    return f"{word} {item.score:.2f}, threshold {item.threshold:.2f}"


def _present(item: Finding, evidence: _Evidence) -> Sentence:
    place = evidence.place(item.code)
    name = sentence_case(_name(item.code))
    basis: list[Basis] = ["classify"]
    where = ""
    if place is not None:
        basis.append("ground")
        where = f" Localised: {listed([box.place for box in place.boxes])}."
    elif item.code in evidence.grounded and evidence.grounded[item.code].ok:
        basis.append("ground")
        where = " Not localised."
    text = f"{name} is identified by the classifier ({_scored(item, evidence.word)}).{where}"
    return Sentence(text=text, basis=basis, finding=item.code, status=item.status)


def _uncertain(item: Finding, evidence: _Evidence) -> Sentence:
    text = f"{sentence_case(_name(item.code))} is uncertain ({_scored(item, evidence.word)})."
    return Sentence(text=text, basis=["classify"], finding=item.code, status=item.status)


def _heart_size(evidence: _Evidence) -> list[Sentence]:
    """The measured ratio, and whether it agrees with the classifier."""
    data = evidence.ratio
    if data is None:
        return []
    conclusion = data.chain[-1].text
    view = "view not recorded" if evidence.film.view is View.UNKNOWN else f"{evidence.film.view.value} view"
    sentences = [
        Sentence(
            text=f"Cardiothoracic ratio {data.index:.2f} ({view}): {conclusion}",
            basis=["measure"], finding="cardiomegaly", status=data.status,
        )
    ]  # fmt: skip
    seen = next((f.status for f in evidence.classified.findings if f.code == "cardiomegaly"), None)
    if {seen, data.status} == {Status.PRESENT, Status.ABSENT}:
        sentences.append(
            Sentence(
                text="The classifier and the measured ratio disagree on whether the heart is enlarged.",
                basis=["classify", "measure"], finding="cardiomegaly", status=Status.UNCERTAIN,
            )
        )  # fmt: skip
    return sentences


def _findings(evidence: _Evidence) -> list[Sentence]:
    """Every assessed finding, region by region: present, uncertain, then one sentence for those not identified."""
    sentences: list[Sentence] = []
    for title, regions in GROUPS.items():
        sentences += [_present(item, evidence) for item in evidence.with_status(Status.PRESENT, regions)]
        sentences += [_uncertain(item, evidence) for item in evidence.with_status(Status.UNCERTAIN, regions)]
        absent = evidence.with_status(Status.ABSENT, regions)
        if absent:
            names = listed([_name(item.code) for item in absent], "or")
            only = absent[0] if len(absent) == 1 else None
            sentences.append(
                Sentence(
                    text=f"{sentence_case(title)}: no {names} is identified by the classifier.",
                    basis=["classify"], finding=only.code if only else None, status=Status.ABSENT,
                )
            )  # fmt: skip
        if Region.HEART in regions:
            sentences += _heart_size(evidence)
    return sentences


def _impression(evidence: _Evidence) -> list[Sentence]:
    """What matters, first things first; never "normal"."""
    sentences = []
    ratio = evidence.ratio
    for item in sorted(evidence.with_status(Status.PRESENT), key=lambda f: (-(f.score or 0.0), f.code)):
        place = evidence.place(item.code)
        at = f" ({listed([box.place for box in place.boxes])})" if place and item.code != "cardiomegaly" else ""
        basis: list[Basis] = ["classify", "ground"] if at else ["classify"]
        against = item.code == "cardiomegaly" and ratio is not None and ratio.status is Status.ABSENT
        but = ", not confirmed by the measured cardiothoracic ratio" if against else ""
        if against:
            basis.append("measure")
        text = f"{sentence_case(_name(item.code))}{at}{but}."
        status = Status.UNCERTAIN if against else item.status
        sentences.append(Sentence(text=text, basis=basis, finding=item.code, status=status))
    named = {sentence.finding for sentence in sentences}
    if ratio is not None and ratio.status is Status.PRESENT and "cardiomegaly" not in named:
        against = any(item.code == "cardiomegaly" for item in evidence.with_status(Status.ABSENT))
        but = ", not identified by the classifier" if against else ""
        text = f"Enlarged heart by its cardiothoracic ratio of {ratio.index:.2f}{but}."
        by: list[Basis] = ["measure", "classify"] if against else ["measure"]
        sentences.append(Sentence(text=text, basis=by, finding="cardiomegaly", status=Status.PRESENT))
    if uncertain := evidence.with_status(Status.UNCERTAIN):
        only = uncertain[0].code if len(uncertain) == 1 else None
        text = f"Uncertain, for the reader to decide: {listed([_name(item.code) for item in uncertain])}."
        sentences.append(Sentence(text=text, basis=["classify"], finding=only, status=Status.UNCERTAIN))
    if not sentences:
        sentences.append(_nothing(evidence))
    return sentences


def _nothing(evidence: _Evidence) -> Sentence:
    count = len(evidence.with_status(Status.ABSENT))
    if not count:
        text = "No finding could be assessed on this film."
        return Sentence(text=text, basis=["classify"], status=Status.NOT_ASSESSED)
    basis: list[Basis] = ["classify", "measure"] if evidence.ratio else ["classify"]
    text = f"None of the {count} findings that were assessed is identified. This does not exclude other disease."
    return Sentence(text=text, basis=basis, status=Status.ABSENT)


def _not_assessed(evidence: _Evidence) -> list[Sentence]:
    sentences = []
    skipped = evidence.with_status(Status.NOT_ASSESSED)
    if skipped:
        text = f"By the classifier: {listed([_name(item.code) for item in skipped])}."
        sentences.append(Sentence(text=text, basis=["classify"], status=Status.NOT_ASSESSED))
    if evidence.measured.failure is not None:
        text = f"Cardiothoracic ratio: {evidence.measured.failure.message}"
        sentences.append(Sentence(text=text, basis=["measure"], finding="cardiomegaly", status=Status.NOT_ASSESSED))
    general = "Lateral view, earlier films and everything that no tool looked for."
    sentences.append(Sentence(text=general, basis=["film"], status=Status.NOT_ASSESSED))
    return sentences


def _technique(film: Radiograph) -> Sentence:
    if film.view is View.UNKNOWN:
        text = "One chest film, taken as frontal; the view is not recorded. No earlier film was used."
    else:
        text = f"One frontal chest film, {film.view.value} view. No earlier film was used."
    return Sentence(text=text, basis=["film"])


def _draft(evidence: _Evidence, indication: str) -> list[Section]:
    quoted = indication if len(indication) <= INDICATION_MAX else f"{indication[:INDICATION_MAX]}…"
    sections = [
        Section(title="Indication", sentences=[Sentence(text=quoted, basis=["user"])] if quoted else []),
        Section(title="Technique", sentences=[_technique(evidence.film)]),
        Section(title="Findings", sentences=_findings(evidence)),
        Section(title="Impression", sentences=_impression(evidence)),
        Section(title="Not assessed", sentences=_not_assessed(evidence)),
    ]
    return [section for section in sections if section.sentences]


def _text(sections: list[Section]) -> str:
    return "\n\n".join(
        f"{section.title}\n{' '.join(sentence.text for sentence in section.sentences)}" for section in sections
    )


@tool(
    name="report",
    title="Draft a report",
    arguments=ReportArguments,
    result=ReportData,
    needs=(Task.CLASSIFY,),
    answers="A draft of Findings and Impression of one frontal film (PA or AP), each sentence with what it rests on.",
)
def report(context: ToolContext, arguments: ReportArguments) -> Result:
    """Deterministic draft from the other tools; see the module."""
    film = frontal_film(context, arguments.image_id, "a report")
    evidence = _Evidence(context, film)
    sections = _draft(evidence, " ".join((arguments.indication or "").split()))
    bases = {basis for section in sections for sentence in section.sentences for basis in sentence.basis}
    runs = {"classify": evidence.classified, "measure": evidence.measured}
    data = ReportData(
        sections=sections,
        text=_text(sections),
        used=[name for name in ("classify", "measure", "ground") if name in bases],
        missing=[f"{name}: {run.failure.message}" for name, run in runs.items() if run.failure is not None],
    )
    impression = [sentence.text for sentence in data.section("Impression")]
    seen = [*evidence.classified.findings, *(evidence.measured.findings if evidence.ratio else [])]
    return Result(
        image_ids=[film.id],
        summary=summarise(["Draft. Impression:", *impression, *(item.text for item in data.section("Findings"))]),
        findings=[_placed(item, evidence) for item in seen],
        data=data,
        caveats=[*film_caveats(film), "A draft made from tool results, for a qualified reader to check on the film."],
        model=evidence.classified.model,
        revision=evidence.classified.revision,
        card=evidence.classified.card,
    )


def _placed(item: Finding, evidence: _Evidence) -> Finding:
    """The finding with the place that ground gave it."""
    grounded = evidence.grounded.get(item.code)
    if item.status is not Status.PRESENT or grounded is None or not grounded.findings:
        return item
    where = grounded.findings[0]
    return item.model_copy(update={"laterality": where.laterality, "region": where.region or item.region})

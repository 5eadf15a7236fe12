"""What a report rests on: the film read by classify, measure, ground and detect_objects; its lateral and its prior; the
user's words."""

from __future__ import annotations

from dataclasses import dataclass, field

from imaging.failures import NotApplicable
from imaging.radiograph import Radiograph, View
from imaging.studies import Study, StudyFilm, StudyInput, arrange
from models.outputs import Task
from tools.classify import ClassifyArguments, classify
from tools.compare import CompareArguments, CompareData, compare
from tools.comparison.pair import Pair
from tools.contract import Finding, Result, Status, ToolContext
from tools.detect_objects import DetectObjectsArguments, DetectObjectsData, detect_objects
from tools.ground import GroundArguments, GroundData, GroundedBox, ground
from tools.knowledge import Region, findings, region_of
from tools.measure import HEART, MeasureArguments, MeasureData, measure
from tools.measurements import Measurement
from tools.reading import Stated, read

GROUNDED_MAX = 6
"""Findings that are localised for one report, the highest scores first."""


@dataclass(frozen=True)
class Given:
    """What the user gave beside the film.

    Attributes:
        indication, technique, prior_report: their words; empty where nothing was given.
        lateral_id, prior_id: films they named; None where the session's own are looked for.
    """

    indication: str = ""
    technique: str = ""
    prior_report: str = ""
    lateral_id: str | None = None
    prior_id: str | None = None


@dataclass(frozen=True)
class Evidence:
    """What is known of one study before it is written down.

    Attributes:
        film: the frontal film.
        given: what the user gave.
        classified, measured: the tools' results; either may have failed.
        grounded: by finding code.
        lateral: the lateral film of the same study; None where there is none.
        prior: the earlier frontal film; None where there is none.
        prior_name: what the session calls it.
        compared: the comparison with it; None without a prior.
        devices: tubes, lines and objects; None where no model here looks for them.
        earlier: codes that the earlier report states as present.
    """

    film: Radiograph
    given: Given
    classified: Result
    measured: Result
    grounded: dict[str, Result]
    lateral: Radiograph | None = None
    prior: Radiograph | None = None
    prior_name: str = ""
    compared: Result | None = None
    devices: Result | None = None
    earlier: list[str] = field(default_factory=list)

    def with_status(self, status: Status, regions: tuple[Region, ...] | None = None) -> list[Finding]:
        """The classifier's findings of one status in its own order; of some regions only when given."""
        return [
            item for item in self.classified.findings
            if item.status is status and (regions is None or region_of(item.code) in regions)
        ]  # fmt: skip

    def places(self, code: str) -> list[GroundedBox]:
        """Where a finding was localised; none where it was not."""
        result = self.grounded.get(code)
        data = result.data if result is not None else None
        return data.boxes if isinstance(data, GroundData) and data.localised else []

    def looked_for(self, code: str) -> bool:
        """Whether the place of a finding was asked for and answered."""
        return code in self.grounded and self.grounded[code].ok

    @property
    def ratio(self) -> Measurement | None:
        """The measured heart, or None where it was refused."""
        return self.measured.data.get(HEART) if isinstance(self.measured.data, MeasureData) else None

    @property
    def interval(self) -> Pair | None:
        """What became of each finding since the prior; None where there is no comparison."""
        data = self.compared.data if self.compared is not None else None
        return data.pairs[-1] if isinstance(data, CompareData) else None

    @property
    def objects(self) -> DetectObjectsData | None:
        """What was seen of tubes, lines and objects; None where nothing looked for them."""
        data = self.devices.data if self.devices is not None else None
        return data if isinstance(data, DetectObjectsData) else None

    @property
    def runs(self) -> dict[str, Result]:
        """The tools' results by name, without those that were not needed."""
        runs = {"classify": self.classified, "measure": self.measured}
        beside = {"compare": self.compared, "detect_objects": self.devices}
        return runs | {name: run for name, run in beside.items() if run is not None}


def gather(context: ToolContext, film: Radiograph, given: Given) -> Evidence:
    """Everything a report of this frontal film can rest on. Failed tools are part of it, not raised.

    Raises:
        BadArguments, NotApplicable: a film that was named is unknown, or is no lateral or earlier frontal film.
    """
    study, prior_study = _studies(context, film)
    lateral = _lateral(context, given.lateral_id, study)
    prior = _prior(context, film, given.prior_id, prior_study)
    classified = classify.run(context, ClassifyArguments(image_id=film.id))
    positive = [item for item in classified.findings if item.status is Status.PRESENT and item.code in findings()]
    positive.sort(key=lambda item: (-(item.score or 0.0), item.code))
    return Evidence(
        film=film,
        given=given,
        classified=classified,
        measured=measure.run(context, MeasureArguments(image_id=film.id, tasks=[HEART])),
        grounded={
            item.code: ground.run(context, GroundArguments(image_id=film.id, finding=item.code))
            for item in positive[:GROUNDED_MAX]
        },
        lateral=lateral,
        prior=prior,
        prior_name=context.films.name(prior.id) if prior is not None else "",
        compared=compare.run(context, CompareArguments(image_ids=[prior.id, film.id])) if prior is not None else None,
        devices=(
            detect_objects.run(context, DetectObjectsArguments(image_id=film.id))
            if context.models.serves(Task.DETECT)
            else None
        ),
        earlier=_named(given.prior_report),
    )


def _studies(context: ToolContext, film: Radiograph) -> tuple[Study | None, Study | None]:
    """The film's study, and the same patient's study before it, among the session's films."""
    acquired = [held for key in context.films.ids() if (held := context.films.get(key)).derived is None]
    found = StudyInput(arrange(StudyFilm(each, "") for each in acquired))
    study = next((each for each in found.studies if film.id in [item.film.id for item in each.films]), None)
    return study, found.prior_of(study) if study is not None else None


def _lateral(context: ToolContext, image_id: str | None, study: Study | None) -> Radiograph | None:
    if image_id is None:
        return study.laterals[-1].film if study is not None and study.laterals else None
    film = context.films.get(image_id)
    if film.view is not View.LATERAL:
        raise NotApplicable(f"Film {image_id} is no lateral film.", "Name the lateral film, or leave lateral_id out.")
    return film


def _prior(context: ToolContext, film: Radiograph, image_id: str | None, study: Study | None) -> Radiograph | None:
    if image_id is None:
        frontal = study.pair[0] if study is not None else None
        return frontal.film if frontal is not None else None
    prior = context.films.get(image_id)
    if prior.id == film.id:
        raise NotApplicable("A film is not its own prior.", "Name the earlier film, or leave prior_id out.")
    return prior


def _named(report: str) -> list[str]:
    """Codes that a report states as present."""
    stated = read(report).statements if report.strip() else ()
    return list(dict.fromkeys(item.code for item in stated if item.stated is Stated.PRESENT))


__all__ = ["Evidence", "Given", "gather"]

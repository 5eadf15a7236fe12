"""What to simulate: one film (PhantomSpec) of one patient; findings are in imaging.phantom.findings."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from imaging.failures import BadArguments
from imaging.phantom.findings import FindingSpec
from imaging.radiograph import View

POSITIONS = ("erect", "supine")
"""How the patient is held before the detector."""


@dataclass(frozen=True)
class PhantomSpec:
    """One synthetic film. What is None is drawn from the seed; the same spec gives the same film.

    Attributes:
        seed: everything that is not said is drawn from it.
        view: PA or AP (LATERAL follows).
        size: rows = columns of the film in pixels, 64..4096.
        field_mm: side of the square detector field in mm (detector plane).
        age_years, sex: of the patient; sex 'M' or 'F'.
        habitus: -1 slim .. +1 obese.
        inspiration: 0 poor (7 posterior ribs) .. 1 full (10 posterior ribs).
        rotation_deg: turn about the long axis; positive turns the patient's left side backwards.
        findings: what is wrong with the patient.
        dose: relative detector exposure, 1 = about 2.5 microgray behind the lung.
        processing: 'film' (screen-film curve) or 'digital'.
        marker: whether a side marker is burned in.
        date: when it was taken; the film's `acquired`.
        visit: number of the exposure of the same patient; another visit is positioned and exposed anew.
        position: 'erect' or 'supine' (lying on the back); supine for AP and erect for PA when None.
    """

    seed: int = 0
    view: View = View.PA
    size: int = 1024
    field_mm: float | None = None
    age_years: float | None = None
    sex: str | None = None
    habitus: float | None = None
    inspiration: float | None = None
    rotation_deg: float | None = None
    findings: tuple[FindingSpec, ...] = field(default=())
    dose: float | None = None
    processing: str | None = None
    marker: bool | None = None
    date: dt.date | None = None
    visit: int = 0
    position: str | None = None

    def __post_init__(self) -> None:
        if self.view not in (View.PA, View.AP):
            raise BadArguments(f"the phantom has no {self.view} view.", "Allowed: PA, AP.")
        _check("size", self.size, 64, 4096)
        _check("field_mm", self.field_mm, 250, 500)
        _check("age_years", self.age_years, 16, 100)
        _check("habitus", self.habitus, -1, 1)
        _check("inspiration", self.inspiration, 0, 1)
        _check("rotation_deg", self.rotation_deg, -15, 15)
        _check("dose", self.dose, 0.05, 20)
        if self.sex not in (None, "M", "F"):
            raise BadArguments(f"sex {self.sex!r} is not known to the phantom.", "Allowed: M, F.")
        if self.processing not in (None, "film", "digital"):
            raise BadArguments(f"processing {self.processing!r} is not known.", "Allowed: film, digital.")
        if self.position not in (None, *POSITIONS) or (self.position == "supine" and self.view is not View.AP):
            raise BadArguments(
                f"position {self.position!r} does not fit a {self.view} film.", "Allowed: erect; for AP also supine."
            )

    @property
    def supine(self) -> bool:
        """Whether the patient lies on the back: an AP film unless its position says erect."""
        return self.view is View.AP and self.position != "erect"


def _check(name: str, value: float | None, low: float, high: float) -> None:
    """Raise BadArguments unless value is None or within [low, high]."""
    if value is not None and not low <= value <= high:
        raise BadArguments(f"{name} = {value:g} is out of range.", f"Allowed: {low:g} to {high:g}.")

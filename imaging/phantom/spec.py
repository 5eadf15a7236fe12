"""What to simulate: one film (PhantomSpec) of one patient; findings are in imaging.phantom.findings."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field

from imaging.failures import BadArguments
from imaging.phantom.findings import FindingSpec
from imaging.radiograph import View

POSITIONS = ("erect", "supine")
"""How the patient is held before the detector."""

CLIP_EDGES = ("left", "right", "apex", "base")
"""Where the field may cut lung off: the patient's left or right lung, or both lungs at their upper or lower end."""

MAX_CLIP = 0.6
"""Largest share of a lung that may be cut off: with less than that left there is no chest film."""

MAX_SEED = 2**53
"""Seeds count from 0; up to here every number of JSON is exact."""

MAX_TEXT = 40
"""Letters in one burned-in line."""


@dataclass(frozen=True)
class PhantomSpec:
    """One synthetic film. What is None is drawn from the seed; the same spec gives the same film.

    Attributes:
        seed: everything that is not said is drawn from it.
        view: PA, AP or LATERAL (left side against the detector, looking to the picture's left, arms raised).
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
        born: birth date; when None, the first of January that makes the age right on the film's date. What shapes the
            body is `age_years`.
        visit: number of the exposure of the same patient; another visit is positioned and exposed anew.
        position: 'erect' or 'supine' (lying on the back); supine for AP and erect for PA when None.
        exposure_stops: error of the exposure: the detector gets 2**stops of its dose, -4..4. A film turns white
            or black, a digital picture noisy or burnt out.
        tilt_deg: the beam's angle towards the feet, -25..25; negative (towards the head) lifts the clavicles over the
            apices, as on a lordotic film. Drawn (about 0 for PA, 3 for AP) when None.
        clip: (edge, share): the field is displaced until it cuts this share (above 0, at most 0.6) off the patient's
            'left' or 'right' lung, or off both lungs at the 'apex' or the 'base'.
        turned_deg: quarter turn of the finished picture, clockwise: 0, 90, 180 or 270.
        mirrored: whether the picture is flipped left to right, side marker included; before any turn.
        inverted: whether the grey scale is upside down although the header does not say so.
        texts: lines burned in when the picture was exported, upright whatever the turn, e.g. ('PORTABLE',).
        name_block: whether the patient's name, ID, sex, age and date are burned in, as the DICOM header has them.
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
    born: dt.date | None = None
    visit: int = 0
    position: str | None = None
    exposure_stops: float = 0.0
    tilt_deg: float | None = None
    clip: tuple[str, float] | None = None
    turned_deg: int = 0
    mirrored: bool = False
    inverted: bool = False
    texts: tuple[str, ...] = ()
    name_block: bool = False

    def __post_init__(self) -> None:
        if self.view is View.UNKNOWN:
            raise BadArguments(f"the phantom has no {self.view} view.", "Allowed: PA, AP, LATERAL.")
        _check("seed", self.seed, 0, MAX_SEED)
        _check("size", self.size, 64, 4096)
        _check("field_mm", self.field_mm, 250, 500)
        _check("age_years", self.age_years, 16, 100)
        _check("habitus", self.habitus, -1, 1)
        _check("inspiration", self.inspiration, 0, 1)
        _check("rotation_deg", self.rotation_deg, -15, 15)
        _check("dose", self.dose, 0.05, 20)
        if self.born is not None and self.date is not None and self.born > self.date:
            raise BadArguments(f"born = {self.born} is after the film's date.", f"Allowed: up to {self.date}.")
        if self.sex not in (None, "M", "F"):
            raise BadArguments(f"sex {self.sex!r} is not known to the phantom.", "Allowed: M, F.")
        if self.processing not in (None, "film", "digital"):
            raise BadArguments(f"processing {self.processing!r} is not known.", "Allowed: film, digital.")
        if self.position not in (None, *POSITIONS) or (self.position == "supine" and self.view is not View.AP):
            raise BadArguments(
                f"position {self.position!r} does not fit a {self.view} film.", "Allowed: erect; for AP also supine."
            )
        self._check_faults()

    def _check_faults(self) -> None:
        """Raise BadArguments for what cannot be done to the picture."""
        _check("exposure_stops", self.exposure_stops, -4, 4)
        _check("tilt_deg", self.tilt_deg, -25, 25)
        if self.turned_deg not in (0, 90, 180, 270):
            raise BadArguments(f"turned_deg = {self.turned_deg} is no quarter turn.", "Allowed: 0, 90, 180, 270.")
        if self.clip is not None:
            edge, share = self.clip
            edges = CLIP_EDGES[2:] if self.view is View.LATERAL else CLIP_EDGES
            if edge not in edges or not 0 < share <= MAX_CLIP:
                raise BadArguments(
                    f"clip {edge}:{share:g} is not possible.",
                    f"Allowed: {', '.join(edges)} with a share above 0 and up to {MAX_CLIP}.",
                )
        for text in self.texts:
            if not (0 < len(text) <= MAX_TEXT and text.isprintable()):
                raise BadArguments(
                    f"the text {text!r} cannot be burned in.", f"Allowed: 1 to {MAX_TEXT} letters in one line."
                )

    @property
    def supine(self) -> bool:
        """Whether the patient lies on the back: an AP film unless its position says erect."""
        return self.view is View.AP and self.position != "erect"


def _check(name: str, value: float | None, low: float, high: float) -> None:
    """Raise BadArguments unless value is None or within [low, high]."""
    if value is not None and not low <= value <= high:
        raise BadArguments(f"{name} = {value:g} is out of range.", f"Allowed: {low:g} to {high:g}.")


def parse_clip(text: str) -> tuple[str, float]:
    """`left:20%` or `base:0.1` → ('left', 0.2), PhantomSpec's `clip`.

    Raises:
        BadArguments: not an edge and a share.
    """
    edge, _, number = text.strip().lower().partition(":")
    match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)\s*(%?)", number.strip())
    if edge not in CLIP_EDGES or match is None:
        raise BadArguments(
            f"{text!r} does not say what is cut off.", f"Give {', '.join(CLIP_EDGES)} and a share: left:20%."
        )
    return edge, float(match[1]) / (100 if match[2] else 1)

"""One film's outlines and the landmarks that several measurements share, each found once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ParamSpec, TypeVar

from imaging.geometry import extent
from imaging.radiograph import Radiograph
from models.outputs import Quality
from tools.anatomy import Outlines
from tools.anatomy.airway import Tube, carina, straight_part
from tools.anatomy.aorta import Knob, knob
from tools.anatomy.bones import Midline, spine_line
from tools.anatomy.outlines import BoolMask
from tools.anatomy.plausibility import BORDER_SHARE, QUALITY_MIN
from tools.anatomy.strips import Point, edges, filled_rows
from tools.anatomy.widths import Span, widest_chest
from tools.contract.wording import listed
from tools.knowledge import MeasurementConcept, structures
from tools.measurements.chain import Measurement, NotMeasured, Quantity, Step, region

Given = ParamSpec("Given")
Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class Sheet:
    """What measurements are read from.

    Attributes:
        film: the film.
        found: its outlines.
        seen: what the film check saw, None where no model checks films.
        air: code -> outline of free pleural air that some tool or the user drew, "left" and "right".
        lesions: coarse outlines of nodules and masses, the surest first.
        tips: device name -> (row, column) of its tip, from whoever outlined devices.
        no_tip: why no tip is told; empty where one is, or no model could.
        no_lesion: why no lesion is outlined; empty where one is, or no model could.
    """

    film: Radiograph
    found: Outlines
    seen: Quality | None = None
    air: Mapping[str, BoolMask] = field(default_factory=dict)
    lesions: Sequence[BoolMask] = ()
    tips: Mapping[str, Point] = field(default_factory=dict)
    no_tip: str = ""
    no_lesion: str = ""

    def mask(self, code: str, purpose: str = "") -> BoolMask:
        """A structure's outline that can be relied on.

        Raises:
            NotMeasured: it is not made by this segmenter, was not found, or is too uncertain.
        """
        name = structures()[code].name if code in structures() else code.replace("_", " ")
        if code not in self.found.masks.codes:
            raise NotMeasured(f"{self.found.card.title} does not outline the {name}{purpose}.")
        if not self.found.has(code):
            raise NotMeasured(f"The {name} was not found on this film.")
        if self.found.quality(code) < QUALITY_MIN:
            raise NotMeasured(
                f"The outline of the {name} is uncertain (certainty {self.found.quality(code):.2f}, needed "
                f"{QUALITY_MIN:.2f})."
            )
        return self.found.mask(code)

    def whole(self, code: str) -> BoolMask:
        """A lung or the heart that no side edge of the film cuts off.

        Raises:
            NotMeasured: as `mask` does, or it reaches a side edge.
        """
        mask = self.mask(code)
        margin = max(1, round(BORDER_SHARE * mask.shape[1]))
        _, low, _, high = extent(mask)
        if low < margin or high > mask.shape[1] - margin:
            raise NotMeasured(f"The {code.replace('_', ' ')} reaches the side edge of the film, which cuts it off.")
        return mask

    @cached_property
    def aspect(self) -> float:
        """Height of a pixel over its width."""
        spacing = self.film.spacing_mm
        return spacing[0] / spacing[1] if spacing else self.film.source.pixel_aspect

    @cached_property
    def lungs(self) -> BoolMask:
        """Both lungs."""
        both: BoolMask = self.mask("left_lung") | self.mask("right_lung")
        return both

    @cached_property
    def apex(self) -> float:
        """Row of the higher lung apex."""
        return float(filled_rows(self.lungs)[0])

    @cached_property
    def chest(self) -> Span:
        """The widest line across the chest."""
        return reasoned(widest_chest, self.whole("left_lung"), self.whole("right_lung"))

    @cached_property
    def carina(self) -> Point:
        """Where the trachea parts."""
        return reasoned(carina, self.mask("trachea"))

    @cached_property
    def fork_row(self) -> float:
        """Row of the carina; the trachea's lowest outlined row where its parting does not show."""
        try:
            return self.carina[0]
        except NotMeasured:
            return float(filled_rows(self.mask("trachea"))[-1])

    @cached_property
    def tube(self) -> Tube:
        """The straight part of the trachea."""
        return reasoned(straight_part, self.mask("trachea"), self.apex, self.fork_row)

    @cached_property
    def spine(self) -> Midline:
        """The spine's middle beside the trachea's straight part."""
        return reasoned(spine_line, self.mask("spine"), self.apex, self.fork_row)

    @cached_property
    def knob(self) -> Knob:
        """Where the aortic arch bulges most."""
        return reasoned(knob, self.mask("aorta"), self.fork_row, self.tube.width_px)

    def across(self, mask: BoolMask, row: int, name: str) -> tuple[int, int]:
        """First and last column of a mask in a row. NotMeasured where it holds none of it."""
        if not mask[row].any():
            raise NotMeasured(f"The {name} is not outlined at the height of the aortic knob.")
        first, last = edges(mask, filled_rows(mask, row, row))
        return int(first[0]), int(last[0])

    def lengths(self, code: str, name: str, px: float, *, down: bool = False) -> list[Quantity]:
        """A length in pixels of the columns (of the rows where `down`), and in mm where the film has a spacing."""
        quantities = [Quantity(code=f"{code}_px", name=name, value=round(px, 2), unit="px")]
        if self.film.spacing_mm:
            mm = px * self.film.spacing_mm[0 if down else 1]
            quantities.append(Quantity(code=f"{code}_mm", name=name, value=round(mm, 2), unit="mm"))
        return quantities

    def size(self, px: float, *, down: bool = False) -> tuple[float, str]:
        """A length as it is told: in mm where the film has a spacing, else in pixels."""
        return (px * self.film.spacing_mm[0 if down else 1], "mm") if self.film.spacing_mm else (px, "px")

    def words(self, px: float, *, down: bool = False) -> str:
        """A length in words, e.g. "64 mm" or "312 px"."""
        value, unit = self.size(px, down=down)
        return f"{value:.0f} {unit}"

    def outlined(self, *codes: str) -> Step:
        """The chain's first link: who outlined what, how surely."""
        made = [code for code in codes if self.found.has(code) and code not in self.found.corrected]
        certainty = listed([f"{code.replace('_', ' ')} {self.found.quality(code):.2f}" for code in made])
        by_hand = listed([code.replace("_", " ") for code in codes if code in self.found.corrected])
        said = [f"Outlined by {self.found.card.title} (certainty: {certainty})."] if made else []
        said += [f"Corrected by the user: {by_hand}."] if by_hand else []
        return region(" ".join(said))


def begun(concept: MeasurementConcept) -> Measurement:
    """A measurement with what is known of it before anything is measured."""
    return Measurement(
        code=concept.code, title=concept.title, unit=concept.unit, limits=dict(concept.limits), error=concept.error
    )


def reasoned(find: Callable[Given, Found], *given: Given.args, **named: Given.kwargs) -> Found:
    """A landmark, a ValueError turned into the reason why nothing can be measured on it."""
    try:
        return find(*given, **named)
    except ValueError as error:
        raise NotMeasured(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error

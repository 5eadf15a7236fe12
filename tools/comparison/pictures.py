"""What the aligned pictures show of one finding: which patches, rims and cores belong to it, and how much of it.

An opacity's finding takes the patches of its region: effusion those at the base (or over most of a lung field, as a
veil of fluid behind it), thickening of the pleura those in the rim, the others any. Free air is read from the rims of
the lung fields; a haze in both lungs from their cores.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from pydantic import BaseModel, Field
from skimage.morphology import convex_hull_image

from tools.comparison.changes import SIDES, Changes, Patch, other
from tools.contract.wording import listed
from tools.knowledge import Region, Side, findings

FIELD_WEIGHT = 0.004
"""Least weight of a patch (area over that of the lung field, times strength in shares of contrast) that is a change."""

FOCAL_WEIGHT = 0.0009
"""The same of a rounded lesion's patch. A phantom pair without a change gave up to 0.0008, a new nodule of 21 mm
gave 0.0010: smaller ones are not told from noise."""

RIM_WEIGHT = 0.012
"""The same of a patch in the rim, where the chest wall may not meet."""

BASE_WEIGHT = 0.010
"""The same of a patch at the base."""

BASE_THICK_PX, BASE_STRENGTH = 9.5, 0.27
"""A patch at the base must be this thick or this strong: the dome moves with every breath and leaves thin or faint
crescents. On 32 phantom pairs without a change, the thickest patch at a base was 9.2 pixels, the strongest 0.24, the
heaviest in a rim 0.004, and none lay elsewhere."""

FOCUS_SHARE = 0.45
"""Share of a lung field over which a patch is no rounded lesion any more."""

SOLID_FOCUS = 0.8
"""Share of its convex hull that a rounded lesion's patch fills at least."""

MOSTLY = 0.7
"""Share of a patch's area from which it counts as lying at the base, in the rim or at the heart."""

LOW = 0.5
"""Share of a patch's area at the base from which it may be fluid."""

VEIL = 0.35
"""Share of a lung field over which a patch may be fluid behind the lung."""

LARGE = 0.1
"""Share of a lung field from which an opacity may be of any kind, fluid included."""

LEAST_EXTENT = 2.0
"""Least change of extent at a base, in % of the lung field: less is the dome, which moves with every breath."""

DOME_SHARE = 0.5
"""Where one base changed by less than that, the other base's change in the same direction is a breath's, too, unless
it weighs more than its weight over this."""

COLLAPSE = 0.5
"""Where free air came or went, opacity on that side up to this many times its weight is the lung that collapsed."""

HAZE = 0.035
"""Least change of both cores that is a haze come or gone, in shares of contrast."""

AIR = 0.045
"""Least change of a rim against the other side's that is free air come or gone."""

DARKER = 0.02
"""How much darker than the other side's a rim must be on the film with more air."""

BODY_NEEDED = 0.07
"""Least remnant of an opacity's body. On 27 phantom pairs the remnant was at most 0.06 where there was none on the
other film, and at least 0.08 in 8 of 11 in which it grew or shrank."""

FLUID_NEEDED = 0.17
"""The same of fluid, by its extents, as it is thin when there is little: at most 0.13 on 5 phantom pairs in which it
came or went, at least 0.27 in 2 of 4 in which it grew or shrank; the classifier tells the others."""

ZONES = ("upper", "middle", "lower")

FOCAL = "lung_lesion"
"""Parent of the rounded lesions: they take no patch at the base, where fluid and domes change, and no haze."""

DARK_FINDINGS = {"pneumothorax"}
"""Findings that show as a dark rim."""

HAZY = {"edema"}
"""Findings that mostly are a haze in both lungs."""

UNSHOWN = {"emphysema", "pulmonary_embolism", "bronchiectasis", "fracture"}
"""Findings in a lung's region that no difference of densities shows."""

Place = Literal["left", "right", "bilateral"]


class Measured(BaseModel):
    """One measurement on both films: in what unit, by how much it differs, and what it differs by without a change."""

    what: str
    prior: float | None
    current: float | None
    change: float | None
    repeat_limit: float | None = Field(description="largest change that counts as none; None where there is no limit")
    unit: str = ""


@dataclass(frozen=True)
class Seen:
    """A change of one finding in the pictures, on one side or on both.

    Attributes:
        more: whether there is more of it on the current film.
        side, region: where, in the patient's terms.
        remnant: what of it is on the film with less of it, over what is on the other, in [0, 1].
        needed: least remnant that shows that it is there on that film, too, where the classifier does not see it.
        measured: extents on both films.
        words: a sentence on it, without its full stop.
        patches: those it rests on.
    """

    more: bool
    side: Place
    region: str
    remnant: float
    needed: float
    measured: list[Measured]
    words: str
    patches: tuple[Patch, ...] = field(default=(), repr=False)


def settles(code: str) -> bool:
    """Whether pictures that show no change of that finding outweigh a score that moved.

    Not for free air, of which little shows at the rim, nor for a haze, of which the greys' matching takes much away.
    """
    return shows(code) and code not in DARK_FINDINGS | HAZY


def shows(code: str) -> bool:
    """Whether a change of that finding can show in the difference of two aligned films."""
    concept = findings().get(code)
    return concept is not None and code not in UNSHOWN and concept.region in (
        Region.LUNG, Region.PLEURA, Region.PLEURA_BASE
    )  # fmt: skip


def opacity_elsewhere(found: Changes, more: bool) -> bool:
    """Whether a large opacity came (more) or went: what it is the pictures do not say, so that they settle nothing."""
    return any(
        patch.more is more and patch.share >= LARGE and patch.at_heart < MOSTLY and _beyond_noise(patch, focal=False)
        for patch in found.patches
        if patch.nature == "opacity"
    )


def seen(code: str, found: Changes, *, fluid: bool = False) -> list[Seen]:
    """Where the pictures show a change of that finding: one entry per side, or one for both where they agree.

    Args:
        code: of the finding.
        found: how the pictures differ.
        fluid: whether fluid is seen on either film: then what lies at the base is left to it.
    """
    if not shows(code):
        return []
    if code in DARK_FINDINGS:
        return _air(found)
    region = findings()[code].region
    focal = _is_focal(code)
    sides = []
    for side in SIDES:
        chosen = _of_region(region, _solid(side, found, focal))
        if region is Region.LUNG and fluid:
            chosen = [patch for patch in chosen if patch.at_base < MOSTLY]
        sides += [_opacity(side, chosen, found, region)] if chosen else []
    if region is Region.PLEURA_BASE:
        sides = _without_domes(sides)
    if not sides and region is Region.LUNG and not focal and (haze := _haze(found)) is not None:
        sides = [haze]
    return _joined(sides)


def _is_focal(code: str) -> bool:
    """Whether a finding is a rounded lesion: lung_lesion or what lies below it in the ontology."""
    while code != FOCAL:
        parent = findings()[code].parent
        if parent is None:
            return False
        code = parent
    return True


def _beyond_noise(patch: Patch, focal: bool) -> bool:
    if patch.at_base >= MOSTLY:
        firm = [patch.thickness_px >= BASE_THICK_PX, patch.strength >= BASE_STRENGTH]
        return (all(firm) if focal else any(firm)) and patch.weight >= BASE_WEIGHT
    if patch.in_rim >= MOSTLY:
        return patch.weight >= RIM_WEIGHT
    if not focal:
        return patch.weight >= FIELD_WEIGHT
    filled = float(patch.mask.sum() / convex_hull_image(patch.mask).sum())
    return patch.weight >= FOCAL_WEIGHT and patch.share < FOCUS_SHARE and filled >= SOLID_FOCUS


def _solid(side: Side, found: Changes, focal: bool) -> list[Patch]:
    """The side's patches of opacity beyond noise, without what the heart's border and a collapsing lung make."""
    here = [patch for patch in found.patches if patch.side == side and patch.at_heart < MOSTLY]
    air = {True: 0.0, False: 0.0}
    for patch in here:
        if patch.nature == "lucency":
            air[patch.more] += patch.weight
    solid = [patch for patch in here if patch.nature == "opacity" and _beyond_noise(patch, focal)]
    air = {more: weight if weight >= FIELD_WEIGHT else 0.0 for more, weight in air.items()}
    return [patch for patch in solid if patch.weight * COLLAPSE > air[patch.more]]


def _of_region(region: Region, patches: list[Patch]) -> list[Patch]:
    if region is Region.PLEURA_BASE:
        veiled = {more: sum(patch.share for patch in patches if patch.more is more) >= VEIL for more in (True, False)}
        return [patch for patch in patches if patch.at_base >= LOW or veiled[patch.more]]
    if region is Region.PLEURA:
        return [patch for patch in patches if patch.in_rim >= MOSTLY]
    return patches


def _without_domes(sides: list[Seen]) -> list[Seen]:
    """Changes at the bases without those that a dome makes, which another breath moved."""
    grown = {one.side: abs(one.measured[0].change or 0.0) >= LEAST_EXTENT for one in sides}
    weight = {one.side: sum(patch.weight for patch in one.patches) for one in sides}
    kept = []
    for one in sides:
        across = [each for each in sides if each is not one and each.more is one.more and not grown[each.side]]
        breath = any(DOME_SHARE * weight[one.side] < weight[each.side] for each in across)
        kept += [one] if grown[one.side] and not breath else []
    return kept


def _opacity(side: Side, patches: list[Patch], found: Changes, region: Region) -> Seen:
    """One side's change: the direction in which most of it went."""
    more = sum(patch.weight if patch.more else -patch.weight for patch in patches) > 0
    same = [patch for patch in patches if patch.more is more]
    before, now = (100 * sum(extent) for extent in zip(*((p.prior_share, p.current_share) for p in same), strict=True))
    fluid = region is Region.PLEURA_BASE
    remnant = min(before, now) / max(before, now, 1.0) if fluid else max(patch.remnant for patch in same)
    zones = list(dict.fromkeys(_zone(patch, found) for patch in same))
    place = f"{side} base" if fluid else f"{side} {listed(zones)} zone{'s' if len(zones) > 1 else ''}"
    extent = Measured(
        what="extent of the opacity", prior=round(before, 1), current=round(now, 1), change=round(now - before, 1),
        repeat_limit=None, unit=f"% of the {side} lung field",
    )  # fmt: skip
    mixed = " (elsewhere on that side there is a change the other way)" if len(same) < len(patches) else ""
    words = f"{place}: opacity over {before:.0f} % of the lung field before, {now:.0f} % now{mixed}"
    return Seen(more, side, place, remnant, FLUID_NEEDED if fluid else BODY_NEEDED, [extent], words, tuple(same))


def _zone(patch: Patch, found: Changes) -> str:
    row = float(np.nonzero(patch.mask)[0].mean())
    third = int(len(ZONES) * (row - found.top) / max(1, found.bottom - found.top))
    return ZONES[min(max(third, 0), len(ZONES) - 1)]


def _haze(found: Changes) -> Seen | None:
    """A haze come or gone in both lungs at once."""
    cores = [found.sides[side].core for side in SIDES]
    if min(abs(core) for core in cores) < HAZE or cores[0] * cores[1] < 0:
        return None
    change = float(np.mean(cores))
    told = Measured(
        what="density of both lungs' cores", prior=None, current=None, change=round(change, 3), repeat_limit=HAZE,
        unit="of the contrast between lung and mediastinum",
    )  # fmt: skip
    word = "denser" if change > 0 else "clearer"
    words = f"both lungs are {word} towards the hila on the aligned films (by {abs(change):.2f} of the lungs' contrast)"
    return Seen(change > 0, "bilateral", "both lungs, towards the hila", 0.0, BODY_NEEDED, [told], words)


def _air(found: Changes) -> list[Seen]:
    """Free air come or gone, on the side where it is surest."""
    best: list[tuple[float, Seen]] = []
    for side in SIDES:
        here, there = found.sides[side], found.sides[other(side)]
        change = here.rim - there.rim
        more = change < 0
        own = -here.rim if more else here.rim
        if abs(change) < AIR or own < AIR / 2 or (here.rim_now if more else here.rim_before) > -DARKER:
            continue
        told = Measured(
            what="rim of the lung field against the other side's (dark: below 0)", prior=round(here.rim_before, 3),
            current=round(here.rim_now, 3), change=round(change, 3), repeat_limit=AIR,
            unit="of the contrast between lung and mediastinum",
        )  # fmt: skip
        words = f"the {side} lung field's rim is {'darker' if more else 'less dark'} than before on the aligned films"
        region = f"rim of the {side} lung field"
        best.append((abs(change), Seen(more, side, region, 0.0, BODY_NEEDED, [told], words)))
    return [max(best, key=lambda item: item[0])[1]] if best else []


def _joined(sides: Iterable[Seen]) -> list[Seen]:
    """Both sides as one where they changed in the same way, and the pictures tell them apart no further."""
    each = list(sides)
    if len(each) < 2 or each[0].more is not each[1].more:
        return each
    one, two = each
    if (one.remnant >= one.needed) is not (two.remnant >= two.needed):
        return each
    return [
        Seen(
            one.more, "bilateral", f"{one.region} and {two.region}", max(one.remnant, two.remnant), one.needed,
            [*one.measured, *two.measured], f"{one.words}; {two.words}", (*one.patches, *two.patches),
        )
    ]  # fmt: skip


__all__ = ["Measured", "Seen", "opacity_elsewhere", "seen", "settles", "shows"]

"""The colours of overlays: told apart with every common colour-vision deficiency, one label one ink."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from imaging.failures import BadArguments
from imaging.overlays import Overlay

Colour = tuple[int, int, int]

PALETTE: dict[str, Colour] = {
    "sky": (86, 180, 233),
    "orange": (230, 159, 0),
    "green": (0, 158, 115),
    "yellow": (240, 228, 66),
    "purple": (204, 121, 167),
    "vermillion": (213, 94, 0),
    "blue": (0, 114, 178),
}
"""Okabe and Ito, "Color Universal Design" (2008), https://jfly.uni-koeln.de/color/, without black, which a film hides.
Told apart with every common colour-vision deficiency; the order puts the most different ones first."""

ROLES: dict[str, str] = {
    "left_lung": "sky",
    "right_lung": "blue",
    "heart": "vermillion",
    "left_clavicle": "yellow",
    "right_clavicle": "orange",
    "finding": "vermillion",
    "measure": "yellow",
    "reference": "green",
    "uncertain": "purple",
}
"""What a colour stands for, where it always stands for the same; any other overlay takes the next free colour."""


@dataclass(frozen=True)
class Ink:
    """How one label is drawn: its colour, and whether its outline is dashed because another's has the same colour."""

    colour: Colour
    dashed: bool = False


def inks_of(overlays: Sequence[Overlay]) -> list[Ink]:
    """An ink for each overlay: its own colour, its label's role's, or the next of the palette; one label, one ink.

    Where the labels outnumber the palette, its colours come again, dashed.

    Raises:
        BadArguments: an overlay's colour is neither a role nor a name of the palette.
    """
    chosen: dict[str, Ink] = {}
    for overlay in overlays:
        asked = overlay.color or overlay.label.lower().replace(" ", "_")
        name = ROLES.get(asked, asked)
        if name in PALETTE:
            chosen.setdefault(_key(overlay), Ink(PALETTE[name]))
        elif overlay.color:
            known = ", ".join([*PALETTE, *ROLES])
            raise BadArguments(f"No colour is called {overlay.color!r}.", f"Known ones: {known}.")
    used = set(chosen.values())
    plain = [Ink(colour) for colour in PALETTE.values() if Ink(colour) not in used]
    free = itertools.chain(plain, itertools.cycle([Ink(colour, dashed=True) for colour in PALETTE.values()]))
    for overlay in overlays:
        if _key(overlay) not in chosen:
            chosen[_key(overlay)] = next(free)
    return [chosen[_key(overlay)] for overlay in overlays]


def _key(overlay: Overlay) -> str:
    return f"{overlay.label}\0{overlay.color or ''}"

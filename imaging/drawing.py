"""Marks on a canvas: fills, outlines, boxes, lines, crosses, words, legend, scale and heat.

Lines and letters grow with the film, so that a picture reads the same at 256 and at 4,000 pixels. Shapes go through
PIL's ImageDraw, so they fit a picture in RGB and a transparent layer in RGBA alike.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from imaging.inks import Colour, Ink
from imaging.overlays import Overlay
from imaging.radiograph import Radiograph

RgbArray = npt.NDArray[np.uint8]

DASH_SHARE = 1 / 60
"""Length of a dash, and of the gap after it, as a share of the film's shorter side."""

FILL_OPACITY = 0.18
"""Of a mask's inside: the lung markings under it must stay readable."""

HEAT_OPACITY = 0.55
"""Of the hottest spot; the coldest is not tinted at all."""

HEAT_STOPS: tuple[tuple[float, Colour], ...] = (
    (0.0, (0, 0, 4)),
    (0.25, (87, 16, 110)),
    (0.5, (188, 55, 84)),
    (0.75, (249, 142, 9)),
    (1.0, (252, 255, 164)),
)
"""Matplotlib's "inferno" at five points (Smith and van der Walt 2015, CC0): lightness rises evenly with the value."""

LETTER_SHARE = 1 / 42
"""Height of letters as a share of the film's shorter side."""

SMALLEST_LETTER = 11
"""Pixels: the default font cannot be read below this."""

LINE_SHARE = 1 / 450
"""Thickness of lines as a share of the film's shorter side."""

TICK_SHARE = 0.15
"""Ticks at a line's ends are no longer to either side than this share of it, so that a drawn border stays a border."""

SCALE_BAR_MM = (200, 100, 50, 20, 10, 5)
"""Lengths of the scale bar; the longest that takes at most a quarter of the width is drawn."""

WHITE = (255, 255, 255)
"""Words are white whatever they name: dark palette colours cannot be read on a dark ground."""

PANEL = (0, 0, 0, 170)
"""Ground of letters: black, two thirds opaque."""


@dataclass(frozen=True)
class Style:
    """Sizes in pixels for one film: letter height, line thickness, margin, length of a dash."""

    letter: int
    line: int
    margin: int
    dash: int

    @classmethod
    def of(cls, shape: tuple[int, int]) -> Style:
        """Sizes for a film of `shape` = (H, W)."""
        side = min(shape)
        letter = max(SMALLEST_LETTER, round(side * LETTER_SHARE))
        return cls(letter, max(1, round(side * LINE_SHARE)), max(2, letter // 2), max(3, round(side * DASH_SHARE)))


@functools.lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def heat_colours(levels: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Colours float64 [N, 3] in [0, 255] of levels [N] in [0, 1]."""
    stops = [stop for stop, _ in HEAT_STOPS]
    return np.stack([np.interp(levels, stops, [colour[k] for _, colour in HEAT_STOPS]) for k in range(3)], -1)


def tint_heat(canvas: RgbArray, overlay: Overlay) -> None:
    """Blend a heat map into the canvas, the more the hotter."""
    values = overlay.as_heatmap()
    top = float(values.max())
    if top <= 0:
        return
    grid = Image.fromarray(np.rint(values / top * 255).astype(np.uint8))
    levels = np.asarray(grid.resize((canvas.shape[1], canvas.shape[0]), Image.Resampling.BICUBIC))
    opacity = np.linspace(0, HEAT_OPACITY, 256)
    kept = ((1 - opacity) * 256).astype(np.uint16)
    added = (heat_colours(np.linspace(0, 1, 256)) * opacity[:, None] * 256).astype(np.uint16)
    for channel in range(3):
        mixed = canvas[..., channel] * kept[levels] + added[levels, channel]
        canvas[..., channel] = mixed >> 8


def paint_mask(canvas: RgbArray, mask: npt.NDArray[np.bool_], ink: Ink, style: Style) -> None:
    """Fill a mask faintly and outline it on its inner side, so that two neighbours do not cover each other.

    Args:
        canvas: uint8 [H, W, 3], blended with the fill, or a transparent layer [H, W, 4], written over.
        mask: bool [H, W].
        ink: its colour; dashed outlines have gaps.
        style: sizes for this film.
    """
    if not mask.any():
        return
    rows, columns = ndimage.find_objects(mask.astype(np.uint8))[0]
    part, inside = canvas[rows, columns], np.pad(mask[rows, columns], 1)
    depth = ndimage.distance_transform_cdt(inside, metric="chessboard")[1:-1, 1:-1]
    edge = (depth > 0) & (depth <= style.line)
    if ink.dashed:
        row, column = np.ogrid[: edge.shape[0], : edge.shape[1]]
        # Along the steeper way, so that neither upright nor slanting edges lose their gaps.
        edge &= (np.where((column // style.dash) % 2 == 0, row, row + style.dash) // style.dash) % 2 == 0
    filled = depth > 0
    if canvas.shape[2] == 4:
        part[filled], part[edge] = (*ink.colour, round(FILL_OPACITY * 255)), (*ink.colour, 255)
        return
    tint = np.array(ink.colour, dtype=np.float32) * np.float32(FILL_OPACITY)
    part[filled] = np.rint(part[filled] * np.float32(1 - FILL_OPACITY) + tint).astype(np.uint8)
    part[edge] = ink.colour


def draw_shape(draw: ImageDraw.ImageDraw, overlay: Overlay, ink: Ink, style: Style, shape: tuple[int, int]) -> None:
    """A box, line or point with its words; masks and heat maps are painted, not drawn."""
    shapes = {"box": _draw_box, "line": _draw_line, "point": _draw_point}
    if overlay.kind in shapes:
        shapes[overlay.kind](draw, overlay, ink.colour, style, shape)


def _label(
    draw: ImageDraw.ImageDraw,
    words: str,
    corner: tuple[float, float],
    colour: Colour,
    style: Style,
    shape: tuple[int, int],
) -> None:
    """Write words in white on a dark ground with a bar of the colour, upper left corner at (x, y), within the film."""
    font = _font(style.letter)
    left, top, right, bottom = draw.textbbox((0, 0), words, font=font)
    border = max(1, style.letter // 5)
    wide, high = right - left + 3 * border, bottom - top + 2 * border
    x = min(max(corner[0], 0), max(shape[1] - wide, 0))
    y = min(max(corner[1], 0), max(shape[0] - high, 0))
    draw.rectangle((x, y, x + wide - 1, y + high - 1), fill=PANEL)
    draw.rectangle((x, y, x + border - 1, y + high - 1), fill=colour)
    draw.text((x + 2 * border - left, y + border - top), words, font=font, fill=WHITE)


def _draw_box(
    draw: ImageDraw.ImageDraw, overlay: Overlay, colour: Colour, style: Style, shape: tuple[int, int]
) -> None:
    """A box with its label above it, or inside where there is no room above."""
    row_min, col_min, row_max, col_max = overlay.as_box()
    draw.rectangle((col_min, row_min, col_max - 1, row_max - 1), outline=colour, width=max(2, style.line))
    words = overlay.text or overlay.label
    above = row_min - style.letter * 1.6
    _label(draw, words, (col_min, above if above >= 0 else row_min + style.line), colour, style, shape)


def _draw_line(
    draw: ImageDraw.ImageDraw, overlay: Overlay, colour: Colour, style: Style, shape: tuple[int, int]
) -> None:
    """A measuring line with end ticks across it, over a dark shadow, and its text beside the middle."""
    (row_a, col_a), (row_b, col_b) = overlay.as_line()
    along = np.array([col_b - col_a, row_b - row_a], dtype=np.float64)
    length = float(np.hypot(*along)) or 1.0
    tick = np.array([-along[1], along[0]]) / length * min(style.letter * 0.4, length * TICK_SHARE)
    strokes = [((col_a, row_a), (col_b, row_b))]
    strokes += [((x - tick[0], y - tick[1]), (x + tick[0], y + tick[1])) for x, y in ((col_a, row_a), (col_b, row_b))]
    thick = max(2, style.line)
    for fill, extra in (((0, 0, 0, 160), 2 * style.line), ((*colour, 255), 0)):
        for start, end in strokes:
            draw.line((*start, *end), fill=fill, width=thick + extra)
    if overlay.text:
        middle = ((col_a + col_b) / 2 + style.margin, (row_a + row_b) / 2 + style.margin)
        _label(draw, overlay.text, middle, colour, style, shape)


def _draw_point(
    draw: ImageDraw.ImageDraw, overlay: Overlay, colour: Colour, style: Style, shape: tuple[int, int]
) -> None:
    """A landmark as a cross over a dark shadow, its text beside it."""
    row, column = overlay.as_point()
    arm, thick = style.letter * 0.5, max(2, style.line)
    for fill, extra in (((0, 0, 0, 160), 2 * style.line), ((*colour, 255), 0)):
        for down, across in ((arm, arm), (arm, -arm)):
            ends = (column - across, row - down, column + across, row + down)
            draw.line(ends, fill=fill, width=thick + extra)
    if overlay.text:
        _label(draw, overlay.text, (column + style.margin, row + style.margin), colour, style, shape)


def draw_legend(
    draw: ImageDraw.ImageDraw,
    overlays: Sequence[Overlay],
    inks: Sequence[Ink],
    style: Style,
    shape: tuple[int, int],
) -> None:
    """Name each ink once, in the lower left corner, beside a sample of it. Lines that find no room are counted."""
    entries: dict[str, tuple[str, Ink]] = {}
    for overlay, ink in zip(overlays, inks, strict=True):
        entries.setdefault(overlay.label, (overlay.kind, ink))
    if not entries:
        return
    font, step = _font(style.letter), round(style.letter * 1.4)
    room = max(1, (shape[0] // 2 - 2 * style.margin) // step)
    names = list(entries.items())
    if len(names) > room:
        names = [*names[: room - 1], (f"and {len(names) - room + 1} more", ("", Ink(WHITE)))]
    swatch = style.letter
    wide = max(draw.textlength(name, font=font) for name, _ in names) + swatch + 3 * style.margin
    high = step * len(names) + style.margin
    left, top = style.margin, shape[0] - style.margin - high
    draw.rectangle((left, top, left + wide, top + high), fill=PANEL)
    for row, (name, (kind, ink)) in enumerate(names):
        x, y = left + style.margin, top + style.margin // 2 + row * step + (step - swatch) // 2
        _draw_sample(draw, kind, ink, (x, y), swatch)
        draw.text((x + swatch + style.margin, y + swatch / 2), name, font=font, fill=WHITE, anchor="lm")


def _draw_sample(draw: ImageDraw.ImageDraw, kind: str, ink: Ink, corner: tuple[int, int], side: int) -> None:
    """What a label looks like in a square: ramp, frame, line, cross, or for a mask a block, striped if it is dashed."""
    x, y = corner
    thick = max(2, side // 8)
    if kind == "heatmap":
        for column, (red, green, blue) in enumerate(heat_colours(np.linspace(0, 1, side)).astype(int)):
            draw.line((x + column, y, x + column, y + side - 1), fill=(int(red), int(green), int(blue)))
    elif kind == "box":
        draw.rectangle((x, y, x + side - 1, y + side - 1), outline=ink.colour, width=thick)
    elif kind == "line":
        draw.line((x, y + side // 2, x + side - 1, y + side // 2), fill=ink.colour, width=thick)
    elif kind == "point":
        draw.line((x, y, x + side - 1, y + side - 1), fill=ink.colour, width=thick)
        draw.line((x, y + side - 1, x + side - 1, y), fill=ink.colour, width=thick)
    elif kind == "mask":
        stripe = max(2, side // 5)
        for top in range(y, y + side, 2 * stripe if ink.dashed else stripe):
            draw.rectangle((x, top, x + side - 1, min(top + stripe, y + side) - 1), fill=ink.colour)


def draw_scale(draw: ImageDraw.ImageDraw, film: Radiograph, style: Style) -> None:
    """A horizontal scale in the lower right corner, named for what its millimetres are measured on."""
    if film.spacing_mm is None:
        return
    height, width = film.shape
    column_mm = film.spacing_mm[1]
    length_mm = next((length for length in SCALE_BAR_MM if length / column_mm <= width / 4), None)
    if length_mm is None:
        return
    wide = length_mm / column_mm
    right, bottom = width - 2 * style.margin, height - 2 * style.margin
    thick = max(2, 2 * style.line)
    draw.rectangle((right - wide - 1, bottom - thick - 1, right + 1, bottom + 1), fill=(0, 0, 0, 200))
    draw.rectangle((right - wide, bottom - thick, right - 1, bottom), fill=WHITE)
    words = f"{length_mm // 10} cm" if length_mm >= 10 else f"{length_mm} mm"
    if film.spacing_origin is not None and film.spacing_origin.value == "ImagerPixelSpacing":
        words += " at the detector"
    measured = draw.textlength(words, font=_font(style.letter))
    corner = (right - measured - style.letter / 2, bottom - thick - style.letter * 1.7)
    _label(draw, words, corner, WHITE, style, film.shape)

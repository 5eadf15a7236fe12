"""Overlays drawn on a film at the film's own resolution, or as transparent layers that a viewer lays over it."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from imaging import drawing
from imaging.drawing import RgbArray, Style
from imaging.failures import BadArguments
from imaging.inks import inks_of
from imaging.intensity import display
from imaging.overlays import Overlay
from imaging.radiograph import Radiograph

RgbaArray = npt.NDArray[np.uint8]

DEEP_TOP = 4095
"""White in 12 bits."""


def render(
    film: Radiograph,
    overlays: Sequence[Overlay] = (),
    *,
    legend: bool = True,
    scale_bar: bool = True,
    centre: float = 0.5,
    width: float = 1.0,
    invert: bool = False,
) -> RgbArray:
    """The film with its overlays: uint8 [H, W, 3] RGB, same H and W as the film.

    Args:
        film: the film to draw on.
        overlays: what to draw, in order: heat first, then fills, outlines, boxes, lines and labels on top.
        legend: name the colours in the lower left corner, when there is something to name.
        scale_bar: draw a scale in the lower right corner, when the film's spacing is known.
        centre, width, invert: as in imaging.intensity.display, for the film only.

    Raises:
        BadArguments: an overlay is of another film or of another size, or its colour is unknown.
    """
    for overlay in overlays:
        _check(film, overlay)
    inks = inks_of(overlays)
    style = Style.of(film.shape)
    grey = display(film.pixels, centre, width, invert)
    canvas = np.repeat(grey[..., None], 3, axis=2)
    for overlay in overlays:
        if overlay.kind == "heatmap":
            drawing.tint_heat(canvas, overlay)
    for overlay, ink in zip(overlays, inks, strict=True):
        if overlay.kind == "mask":
            drawing.paint_mask(canvas, overlay.as_mask(), ink, style)
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture, "RGBA")
    for overlay, ink in zip(overlays, inks, strict=True):
        drawing.draw_shape(draw, overlay, ink, style, film.shape)
    if legend:
        drawing.draw_legend(draw, overlays, inks, style, film.shape)
    if scale_bar:
        drawing.draw_scale(draw, film, style)
    return np.asarray(picture)


def marks_layer(film: Radiograph, overlays: Sequence[Overlay]) -> RgbaArray:
    """Masks, boxes, lines and points with their words on a transparent ground: uint8 [H, W, 4] RGBA, the film's size.

    Raises:
        BadArguments: as `render`.
    """
    for overlay in overlays:
        _check(film, overlay)
    inks, style = inks_of(overlays), Style.of(film.shape)
    canvas = np.zeros((*film.shape, 4), np.uint8)
    for overlay, ink in zip(overlays, inks, strict=True):
        if overlay.kind == "mask":
            drawing.paint_mask(canvas, overlay.as_mask(), ink, style)
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    for overlay, ink in zip(overlays, inks, strict=True):
        drawing.draw_shape(draw, overlay, ink, style, film.shape)
    return np.asarray(picture)


def heat_layer(overlay: Overlay) -> RgbaArray:
    """A heat map as stored, coloured: uint8 [h, w, 4] RGBA that spans the film; as opaque as it is hot."""
    values = overlay.as_heatmap()
    levels = values / (float(values.max()) or 1.0)
    colours = drawing.heat_colours(levels.ravel()).reshape(*levels.shape, 3)
    return np.rint(np.dstack([colours, levels * 255])).astype(np.uint8)


def deep(film: Radiograph, longest_side_px: int) -> RgbArray:
    """The film in 12 bits for a screen that windows it itself: uint8 [H, W, 3].

    Red holds the upper eight bits, green the lower four in its own upper four: value = red * 16 + green / 16, 0 to
    4095. Made smaller to `longest_side_px`, never larger.
    """
    pixels = film.pixels
    scale = longest_side_px / max(film.shape)
    if scale < 1:
        size = (max(1, round(film.shape[1] * scale)), max(1, round(film.shape[0] * scale)))
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    values = np.rint(np.clip(pixels, 0, 1) * DEEP_TOP).astype(np.uint16)
    return np.dstack([values >> 4, (values & 15) << 4, np.zeros_like(values)]).astype(np.uint8)


def to_png(picture: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> bytes:
    """PNG bytes of uint8 [H, W, 3] RGB, [H, W, 4] RGBA or [H, W] grey, or of uint16 [H, W] grey."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def _check(film: Radiograph, overlay: Overlay) -> None:
    """Raise BadArguments unless the overlay belongs to the film."""
    if overlay.image_id != film.id:
        raise BadArguments(
            f"The overlay {overlay.label!r} belongs to film {overlay.image_id}, not to {film.id}.",
            "Draw it on its own film.",
        )
    size = getattr(overlay.data, "size", film.shape)
    if tuple(size) != film.shape:
        raise BadArguments(
            f"The overlay {overlay.label!r} is made for {size[0]} x {size[1]} pixels, the film has "
            f"{film.shape[0]} x {film.shape[1]}.",
            "Bring it back to the film's own pixels first.",
        )

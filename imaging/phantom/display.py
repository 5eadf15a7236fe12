"""From detector signal to the picture a reader sees: characteristic curve, contrast, markers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from imaging.failures import BadArguments
from imaging.geometry import mask_box
from imaging.phantom.physics import blur

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Box = tuple[int, int, int, int]

MARKER_WHITE, TEXT_WHITE = 0.96, 1.0
"""Grey of a lead marker and of text written by a computer."""

TEXT_HEIGHT, MIN_TEXT_PX = 0.022, 8
"""Height of burned-in text as a share of the film's side, and the least height in pixels that can be read."""

TEXT_RIM = 1 / 512
"""Width of the black edge around text as a share of the film's side: without it, white on white is not there."""

NO_LETTER = "\uffff"
"""No font has this one: what is drawn for it is drawn for every letter that is lacking."""

DENSE_CONTRAST = {"film": (0.40, 0.5), "digital": (0.30, 0.5)}
"""Behind the heart and below the diaphragm, beyond this many decades less signal than the lungs', contrast falls to
this share: the film's toe, a digital system's compression. Set so that spine and heart differ as on real films
(python -m evals.realism); no maker's figures."""

KNEE_WIDTH = 0.06
"""Decades over which the contrast changes."""

INK = 0.5
"""Ink from which a pixel belongs to the box of a letter."""


def flattened(log: Array, processing: str) -> Array:
    """Log signal relative to the lungs' [H, W], with less contrast in dense parts (far below 0): DENSE_CONTRAST."""
    knee, share = DENSE_CONTRAST[processing]
    excess = np.logaddexp(0, (-log - np.float32(knee)) / np.float32(KNEE_WIDTH)) * np.float32(KNEE_WIDTH)
    result: Array = (log + np.float32(1 - share) * excess).astype(np.float32)
    return result


def render(
    signal: Array,
    lungs: Mask,
    processing: str,
    rng: np.random.Generator,
    like: Array | None = None,
    stops: float = 0.0,
) -> Array:
    """Signal [H, W] → picture [H, W] in [0, 1], 1 = white (dense). Draws its look from rng.

    'film' is a screen-film curve with a soft toe and shoulder; 'digital' is a log image with unsharp masking. The
    levels are set by the signal itself, or by the signal `like` so that two pictures share one grey scale. A film
    keeps its curve whatever it gets, so an exposure `stops` too high blackens it; a digital system finds its levels
    anew, so there only what `physics` did to the signal is seen.
    """
    look = rng.random(8)
    model = signal if like is None else like
    reference: Array = np.log10(model).astype(np.float32)
    log = reference if like is None else np.log10(signal).astype(np.float32)
    lung = float(np.median(reference[lungs])) if lungs.any() else float(np.median(reference))
    grey: Array
    if processing == "film":
        gamma, shift = 2.2 + 0.7 * look[0], 0.05 + 0.22 * look[1]
        error = stops * float(np.log10(2))
        grey = 1 / (1 + np.exp((flattened(log - lung, "film") - shift + error) * np.float32(gamma * 1.35)))
        low, high = 0.02 + 0.14 * look[2], 0.97 + 0.02 * look[3]
    else:
        gamma, shift = 1.35 + 0.9 * look[0], -0.14 + 0.2 * look[1]

        def curve(log: Array) -> Array:
            detail = log - blur(log, log.shape[0] / 40)
            sharp = (log + np.float32(0.15 + 0.55 * look[4]) * detail).astype(np.float32)
            result: Array = 1 / (1 + np.exp((flattened(sharp - lung, "digital") - shift) * np.float32(gamma * 1.6)))
            return result

        grey = curve(log)
        scale = grey if like is None else curve(reference)
        bottom, top = np.percentile(scale, 1), np.percentile(scale, 99.7)
        grey = (grey - bottom) / (top - bottom)
        low, high = 0.0, 0.93 + 0.06 * look[3]
    result: Array = np.clip(low + (high - low) * np.clip(grey, 0, 1), 0, 1).astype(np.float32)
    return result


def side_marker(size: int, rng: np.random.Generator, lateral: bool = False) -> tuple[str, Array]:
    """('L' or 'R', ink [size, size] in 0..1) of a lead letter in an upper corner of the upright picture: L at the right
    (patient's left) or R at the left."""
    left = bool(rng.random() < 0.5)
    # A left lateral film is marked L wherever the letter lies.
    letter = "L" if left or lateral else "R"
    height = max(int(size * (0.035 + 0.02 * rng.random())), 8)
    canvas = Image.new("L", (size, size), 0)
    margin = size * (0.03 + 0.04 * rng.random())
    x = size - margin - height if left else margin
    y = size * (0.04 + 0.10 * rng.random())
    ImageDraw.Draw(canvas).text((x, y), letter, fill=255, font=ImageFont.load_default(height))
    return letter, blur((np.asarray(canvas) / 255).astype(np.float32), 0.6)


def burn(picture: Array, ink: Array) -> Array:
    """The picture [H, W] with the ink [H, W] in 0..1 of a lead marker."""
    result: Array = np.maximum(picture, ink * np.float32(MARKER_WHITE))
    return result


def burn_text(picture: Array, ink: Array) -> Array:
    """The picture [H, W] with the ink [H, W] in 0..1 of text: white, edged in black as viewers write it."""
    rim = ndimage.grey_dilation(ink, size=1 + 2 * max(round(len(picture) * TEXT_RIM), 1))
    result: Array = np.maximum(picture * (1 - rim), ink * np.float32(TEXT_WHITE))
    return result


def burned_box(ink: Array) -> Box:
    """(row_min, col_min, row_max, col_max) of what is written, max exclusive."""
    found = mask_box(ink > INK)
    if found is None:
        raise ValueError("nothing is written")
    return found


def write_text(size: int, lines: tuple[str, ...], taken: list[Box]) -> Array:
    """Ink [size, size] in 0..1 of lines of text, one under another, in the first corner where nothing lies.

    Raises:
        BadArguments: the font lacks a letter, or the text does not fit beside what is there.
    """
    height = max(round(size * TEXT_HEIGHT), MIN_TEXT_PX)
    font, text = ImageFont.load_default(height), "\n".join(lines)
    nothing = bytes(font.getmask(NO_LETTER))
    if lacking := sorted({letter for letter in text if letter > "~" and bytes(font.getmask(letter)) == nothing}):
        raise BadArguments(f"the font has no {' '.join(lacking)} to burn in.", "Give plain Latin letters.")
    pen = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, bottom = pen.multiline_textbbox((0, 0), text, font=font, spacing=height // 4)
    wide, tall, gap = int(right - left) + 1, int(bottom - top) + 1, max(size // 50, 2)
    low, far = size - gap - tall, size - gap - wide
    if min(low, far) >= gap:
        sides = (gap, far)
        places = [(row, column) for row in (gap, low) for column in sides]
        places += [(row, column) for row in range(gap, low + 1, max(height // 2, 1)) for column in sides]
        for row, column in places:
            here = (row - gap // 2, column - gap // 2, row + tall + gap // 2, column + wide + gap // 2)
            if not any(_overlap(here, other) for other in taken):
                canvas = Image.new("L", (size, size), 0)
                ImageDraw.Draw(canvas).multiline_text(
                    (column - left, row - top), text, fill=255, font=font, spacing=height // 4
                )
                return (np.asarray(canvas) / 255).astype(np.float32)
    raise BadArguments(
        f"the text {text!r} does not fit on a film of {size} pixels.", "Give a shorter text, or a larger film."
    )


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]

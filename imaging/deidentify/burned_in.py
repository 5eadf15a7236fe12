"""Text and side markers burned into a film: where they may be. A help to a person who looks, not a proof of absence.

With the program `tesseract` on the path its words are used too. The detector of our own looks for what film labels
have in common: white glyphs of even brightness and thin strokes that end sharply against a darker ground, and lines of
black ones. It misses grey, handwritten and very small or large text, and text over bright anatomy.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from imaging.geometry import Box
from imaging.radiograph import FilmArray

Glyph = tuple[int, int, int, int]
"""(row_min, col_min, row_max, col_max) in whole pixels."""

GLYPH_WHITE = 0.9
"""Grey above which a pixel may belong to a glyph: labels are written at full white, and lose a tenth in
a shrunken or lossy copy."""

GROUND_STEP = 0.25
"""A glyph is brighter than its surroundings by at least this much of the grey scale."""

GLYPH_HEIGHT = (0.008, 0.09)
"""Least and greatest height of a glyph as a share of the film's shorter side: 3 to 40 mm on a film of 43 cm."""

GLYPH_MIN_PIXELS = 5
GLYPH_WIDTH_TO_HEIGHT = (0.1, 2.2)
"""Narrow as an I, wide as a W or two letters that touch."""

GLYPH_FILL = (0.12, 0.85)
"""Share of its box that a glyph covers: a disc of metal covers more than a letter, a crossing wire less."""

STROKE_TO_HEIGHT = 0.16
"""Half the stroke's width over the height, at most: bold type has 0.1, a block of bone 0.5."""

LEVEL_SPREAD = 0.05
"""Standard deviation of grey inside a glyph, at most."""

SHARP_SHARE = 0.6
"""Share of the pixels two beyond a glyph's rim that must be dark already."""

BORDER = 0.3
"""Labels lie within this share of the film's sides; single glyphs in the middle are not believed."""

LINE_GAP = 1.5
"""Glyphs closer than this many heights, of like height and row, make one line of text."""

LIKE_HEIGHT = (0.5, 2.0)
"""Heights over a glyph's own between which another one may belong to its line: capitals and small letters."""

LINE_WHITE = 0.7
"""Grey from which on a piece next to a glyph is taken for the rest of its line, without looking like a glyph itself."""

LINE_WIDEST = 8.0
"""Width over height of such a piece, at most: a word whose letters touch."""

DARK_NEIGHBOURS = 2
"""Fewest others in line with a black glyph: vessels and edges between ribs look like single ones."""

BLOCK_GAP = (0.9, 2.5)
"""Boxes one above another closer than the first many heights of the lower one of the two, or side by side closer than
the second, are one block of text: what lies between them is the line or the word that was missed."""

MARGIN = 0.25
"""Share of a glyph's height by which a box is widened, so that nothing readable stands out."""

TESSERACT_CONFIDENCE = 60.0
"""Words below this confidence (0 to 100) are mostly ribs."""

TESSERACT_SIDE = 1536
"""Longest side in pixels of what tesseract is given: the smallest glyphs of GLYPH_HEIGHT keep 12 pixels of a square,
and noise of a full detector's size, on which it works for minutes, is done in seconds."""

TESSERACT_LIMIT_S = 30
MAX_GLYPHS = 400
"""More candidates than this are texture, not text."""

MAX_PIECES = 5_000
"""More pieces than this that might complete a line are noise; lines are then left as found."""


def find_text(pixels: FilmArray) -> list[Box]:
    """Boxes (row_min, col_min, row_max, col_max) in pixels where text or a marker may be.

    Args:
        pixels: float32 [H, W] in [0, 1], 1 white.
    """
    dark = _find_glyphs(np.asarray(1 - pixels, dtype=np.float32), DARK_NEIGHBOURS)
    return _joined(_merged([*_find_glyphs(pixels), *dark, *_find_words(pixels)], pixels.shape))


def _find_glyphs(pixels: FilmArray, neighbours: int = 0) -> list[Box]:
    """Boxes of lines of white glyphs with that many others in line; with 0, of single ones near a border as well."""
    height, width = pixels.shape
    side = min(height, width)
    low, high = (max(GLYPH_MIN_PIXELS, GLYPH_HEIGHT[0] * side), GLYPH_HEIGHT[1] * side)
    labels, _ = ndimage.label(pixels >= GLYPH_WHITE, structure=np.ones((3, 3)))
    glyphs: list[Glyph] = []
    for number, found in enumerate(ndimage.find_objects(labels), start=1):
        if found is None:
            continue
        rows, columns = found
        tall, wide = rows.stop - rows.start, columns.stop - columns.start
        if not low <= tall <= high or not GLYPH_WIDTH_TO_HEIGHT[0] <= wide / tall <= GLYPH_WIDTH_TO_HEIGHT[1]:
            continue
        if _is_glyph(pixels, labels, number, rows, columns):
            glyphs.append((rows.start, columns.start, rows.stop, columns.stop))
    if len(glyphs) > MAX_GLYPHS:
        return []
    alone = [not neighbours and _near_border(glyph, (height, width)) for glyph in glyphs]
    sure = [
        glyph
        for glyph, may_stand_alone in zip(glyphs, alone, strict=True)
        if may_stand_alone or len(_neighbours(glyph, glyphs)) >= max(neighbours, 1)
    ]
    return [_widened(glyph) for glyph in _completed(pixels, sure)]


def _completed(pixels: FilmArray, sure: list[Glyph]) -> list[Glyph]:
    """Glyphs with all that stands in line with them: letters that touch, or are grey at low resolution, and so on."""
    if not sure:
        return []
    labels, _ = ndimage.label(pixels >= LINE_WHITE, structure=np.ones((3, 3)))
    heights = [bottom - top for top, _, bottom, _ in sure]
    low, high = LIKE_HEIGHT[0] * min(heights), LIKE_HEIGHT[1] * max(heights)
    others = [
        (rows.start, columns.start, rows.stop, columns.stop)
        for rows, columns in ndimage.find_objects(labels)
        if low <= rows.stop - rows.start <= high
        and columns.stop - columns.start <= LINE_WIDEST * (rows.stop - rows.start)
    ]
    if len(others) > MAX_PIECES:
        return sure
    found, waiting = list(sure), list(sure)
    while waiting and len(found) <= MAX_GLYPHS:
        fresh = [other for other in _neighbours(waiting.pop(), others) if other not in found]
        found += fresh
        waiting += fresh
    return found


def _is_glyph(pixels: FilmArray, labels: npt.NDArray[np.int32], number: int, rows: slice, columns: slice) -> bool:
    """Whether one white component looks drawn: thin, even, and sharp against what is around it."""
    height, width = pixels.shape
    pad = 4
    window = (
        slice(max(rows.start - pad, 0), min(rows.stop + pad, height)),
        slice(max(columns.start - pad, 0), min(columns.stop + pad, width)),
    )
    own, grey = labels[window] == number, pixels[window]
    tall, wide = rows.stop - rows.start, columns.stop - columns.start
    if not GLYPH_FILL[0] <= own.sum() / (tall * wide) <= GLYPH_FILL[1] and wide > tall / 3:
        return False
    padded = np.pad(own, 1)
    if ndimage.distance_transform_edt(padded).max() > max(STROKE_TO_HEIGHT * tall, 2.0):
        return False
    if grey[own].std() > LEVEL_SPREAD:
        return False
    near = ndimage.binary_dilation(own, iterations=2)
    rim = ndimage.binary_dilation(near, iterations=2) & ~near
    return bool(rim.any()) and float((grey[rim] < grey[own].mean() - GROUND_STEP).mean()) >= SHARP_SHARE


def _near_border(glyph: Glyph, shape: tuple[int, int]) -> bool:
    """Whether a glyph's middle lies in the outer part of the film."""
    row, column = (glyph[0] + glyph[2]) / 2 / shape[0], (glyph[1] + glyph[3]) / 2 / shape[1]
    return min(row, 1 - row, column, 1 - column) < BORDER


def _neighbours(glyph: Glyph, glyphs: list[Glyph]) -> list[Glyph]:
    """Glyphs of like height that stand in the same line, close by."""
    top, left, bottom, right = glyph
    tall = bottom - top
    return [
        other
        for other in glyphs
        if other != glyph
        and LIKE_HEIGHT[0] <= (other[2] - other[0]) / tall <= LIKE_HEIGHT[1]
        and min(bottom, other[2]) - max(top, other[0]) >= tall / 2
        and max(left, other[1]) - min(right, other[3]) <= LINE_GAP * tall
    ]


def _widened(glyph: Box) -> Box:
    """The box of a glyph with its margin, two pixels at least."""
    margin = max(MARGIN * (glyph[2] - glyph[0]), 2.0)
    return glyph[0] - margin, glyph[1] - margin, glyph[2] + margin, glyph[3] + margin


def _find_words(pixels: FilmArray) -> list[Box]:
    """Boxes of tesseract's words; none where the program is not installed or fails."""
    program = shutil.which("tesseract")
    if program is None:
        return []
    picture, scale = io.BytesIO(), min(1.0, TESSERACT_SIDE / max(pixels.shape))
    grey = Image.fromarray(np.round(pixels * 255).astype(np.uint8))
    size = (max(1, round(grey.width * scale)), max(1, round(grey.height * scale)))
    grey.resize(size, Image.Resampling.BOX).save(picture, "PNG")
    command = [program, "stdin", "stdout", "--psm", "11", "tsv"]
    try:
        done = subprocess.run(
            command,
            input=picture.getvalue(),
            capture_output=True,
            timeout=TESSERACT_LIMIT_S,
            check=True,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},  # its threads spin on a busy machine
        )
    except (OSError, subprocess.SubprocessError):
        return []
    boxes: list[Box] = []
    table = csv.DictReader(io.StringIO(done.stdout.decode("utf-8", "replace")), delimiter="\t", quoting=csv.QUOTE_NONE)
    for row in table:
        try:
            sure, word = float(row["conf"] or -1), (row["text"] or "").strip()
            top, left = int(row["top"]), int(row["left"])
            bottom, right = top + int(row["height"]), left + int(row["width"])
        except (KeyError, TypeError, ValueError):
            continue
        if sure >= TESSERACT_CONFIDENCE and any(letter.isalnum() for letter in word):
            boxes.append(_widened((top / scale, left / scale, bottom / scale, right / scale)))
    return boxes


def _merged(boxes: list[Box], shape: tuple[int, ...]) -> list[Box]:
    """Overlapping boxes as one, within the film, on whole pixels, from the top down."""
    rest = [
        (max(np.floor(b[0]), 0.0), max(np.floor(b[1]), 0.0), min(np.ceil(b[2]), shape[0]), min(np.ceil(b[3]), shape[1]))
        for b in boxes
    ]
    merged: list[Box] = []
    while rest:
        box = rest.pop()
        touching = [o for o in rest if box[0] <= o[2] and o[0] <= box[2] and box[1] <= o[3] and o[1] <= box[3]]
        if touching:
            rest = [other for other in rest if other not in touching]
            group = [box, *touching]
            rest.append(
                (min(b[0] for b in group), min(b[1] for b in group), max(b[2] for b in group), max(b[3] for b in group))
            )
        else:
            merged.append((float(box[0]), float(box[1]), float(box[2]), float(box[3])))
    return sorted(merged)


def _joined(boxes: list[Box]) -> list[Box]:
    """Boxes that belong to one block of text as one, from the top down; see BLOCK_GAP."""
    joined: list[Box] = []
    for box in boxes:
        while partner := next((other for other in joined if _one_block(box, other)), None):
            joined.remove(partner)
            (top, left, bottom, right), other = box, partner
            box = (min(top, other[0]), min(left, other[1]), max(bottom, other[2]), max(right, other[3]))
        joined.append(box)
    return sorted(joined)


def _one_block(box: Box, other: Box) -> bool:
    """Whether two boxes are lines of one block, or parts of one line."""
    height = min(box[2] - box[0], other[2] - other[0])
    apart = max(box[0], other[0]) - min(box[2], other[2]), max(box[1], other[1]) - min(box[3], other[3])
    above, beside = (gap * height for gap in BLOCK_GAP)
    return (apart[1] < 0 and apart[0] <= above) or (apart[0] <= -height / 2 and apart[1] <= beside)

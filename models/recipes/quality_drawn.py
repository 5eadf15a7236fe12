"""Drawn pictures that are no radiographs: noise, shapes, documents, screens, plots, codes. For the quality model."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

Array = npt.NDArray[np.float32]

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;-()/%"

LEAST_SIDE, MOST_SIDE = 240, 640
"""Smallest and largest side of a drawn picture in pixels."""


def _size(rng: np.random.Generator) -> tuple[int, int]:
    """(width, height), landscape or portrait."""
    wide, tall = rng.integers(LEAST_SIDE, MOST_SIDE, 2)
    return int(wide), int(tall)


def _words(rng: np.random.Generator, count: int) -> str:
    lengths = rng.integers(2, 11, count)
    return " ".join("".join(rng.choice(list(LETTERS), length)) for length in lengths)


def _grey(image: Image.Image) -> Array:
    return np.asarray(image.convert("L"), dtype=np.float32) / 255.0


def _font(rng: np.random.Generator, low: int, high: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(int(rng.integers(low, high)))


def noise(rng: np.random.Generator) -> Array:
    """White to cloudy noise, gradients and flat grey."""
    wide, tall = _size(rng)
    line = np.linspace(0, 1, wide, dtype=np.float32)[None, :] * np.linspace(0, 1, tall, dtype=np.float32)[:, None]
    smooth = ndimage.gaussian_filter(rng.standard_normal((tall, wide)), float(rng.choice([0.1, 1, 4, 15, 40])))
    smooth = smooth / max(float(np.abs(smooth).max()), 1e-6)
    mixed = rng.uniform(0, 1) * line + rng.uniform(0.02, 1) * smooth + rng.uniform(0, 0.5)
    return np.clip(mixed, 0, 1).astype(np.float32)


def shapes(rng: np.random.Generator) -> Array:
    """Ellipses, polygons and lines, sharp or blurred; two dark ovals among them, as a lung drawn by a child."""
    wide, tall = _size(rng)
    image = Image.new("L", (wide, tall), int(rng.integers(0, 256)))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(1, 25))):
        x, y = int(rng.integers(0, wide)), int(rng.integers(0, tall))
        w, h = int(rng.integers(5, wide)), int(rng.integers(5, tall))
        shade, kind = int(rng.integers(0, 256)), rng.integers(0, 4)
        if kind == 0:
            pen.ellipse((x, y, x + w, y + h), fill=shade)
        elif kind == 1:
            pen.rectangle((x, y, x + w, y + h), fill=shade)
        elif kind == 2:
            pen.line((x, y, x + w, y - h), fill=shade, width=int(rng.integers(1, 12)))
        else:
            pen.polygon([(int(a), int(b)) for a, b in rng.integers(0, (wide, tall), (3, 2))], fill=shade)
    if rng.random() < 0.3:
        for sign in (-1, 1):
            middle = wide / 2 + sign * wide * 0.22
            pen.ellipse((middle - wide * 0.15, tall * 0.15, middle + wide * 0.15, tall * 0.8), fill=30)
    grey = _grey(image)
    return ndimage.gaussian_filter(grey, float(rng.choice([0, 1, 4]))).astype(np.float32)


def document(rng: np.random.Generator) -> Array:
    """A page of text with headings, tables and figures."""
    wide, tall = _size(rng)
    tall = int(wide * rng.uniform(1.0, 1.45))
    image = Image.new("L", (wide, tall), int(rng.integers(200, 256)))
    pen = ImageDraw.Draw(image)
    y, margin, shade = int(rng.integers(5, 60)), int(wide * rng.uniform(0.03, 0.15)), int(rng.integers(0, 90))
    while y < tall - 20:
        font = _font(rng, 9, 15) if rng.random() < 0.85 else _font(rng, 16, 36)
        pen.text((margin, y), _words(rng, int(rng.integers(2, 16))), fill=shade, font=font)
        y += int(rng.integers(11, 26))
        if rng.random() < 0.06:
            h = int(rng.integers(30, 140))
            pen.rectangle((margin, y, wide - margin, y + h), outline=shade, fill=int(rng.integers(0, 256)))
            y += h + 8
    return _grey(image)


def screen(rng: np.random.Generator) -> Array:
    """A window of a program or a web page: bars, panels, buttons, lists, text; light or dark."""
    wide, tall = int(rng.integers(420, 900)), int(rng.integers(280, 640))
    dark = rng.random() < 0.5
    ground, ink = (int(rng.integers(0, 70)), 220) if dark else (int(rng.integers(215, 256)), 30)
    image = Image.new("L", (wide, tall), ground)
    pen = ImageDraw.Draw(image)
    bar = int(rng.integers(18, 50))
    pen.rectangle((0, 0, wide, bar), fill=int(rng.integers(0, 256)))
    pen.text((8, bar // 3), _words(rng, 4), fill=ink, font=_font(rng, 9, 14))
    side = int(wide * rng.uniform(0, 0.35))
    pen.rectangle((0, bar, side, tall), fill=int(np.clip(ground + rng.integers(-40, 40), 0, 255)))
    for y in range(bar + 10, tall, int(rng.integers(16, 40))):
        pen.text((6, y), _words(rng, 2)[: max(1, side // 8)], fill=ink, font=_font(rng, 9, 12))
    for _ in range(int(rng.integers(2, 12))):
        x, y = int(rng.integers(side, wide)), int(rng.integers(bar, tall))
        w, h = int(rng.integers(30, wide // 2)), int(rng.integers(12, tall // 2))
        pen.rounded_rectangle((x, y, x + w, y + h), 5, fill=int(rng.integers(0, 256)), outline=ink)
        for line in range(y + 4, min(y + h - 8, tall), 15):
            pen.text((x + 5, line), _words(rng, max(1, w // 60)), fill=ink, font=_font(rng, 9, 13))
    return _grey(image)


def plot(rng: np.random.Generator) -> Array:
    """A chart: curves, bars or points between two axes with ticks, or a matrix."""
    wide, tall = _size(rng)
    ground, ink = (20, 230) if rng.random() < 0.3 else (250, 20)
    image = Image.new("L", (wide, tall), ground)
    pen = ImageDraw.Draw(image)
    left, right, top, bottom = int(wide * 0.13), int(wide * 0.96), int(tall * 0.1), int(tall * 0.87)
    kind = rng.integers(0, 4)
    if kind == 0:
        for _ in range(int(rng.integers(1, 6))):
            curve = np.cumsum(rng.standard_normal(60))
            curve = (curve - curve.min()) / np.ptp(curve)
            ends = zip(np.linspace(left, right, 60), bottom - curve * (bottom - top), strict=True)
            pen.line([(int(x), int(y)) for x, y in ends], fill=int(rng.integers(40, 200)), width=2)
    elif kind == 1:
        count = int(rng.integers(3, 16))
        edges = np.linspace(left, right, count + 1)
        for start, stop, share in zip(edges[:-1], edges[1:], rng.random(count), strict=True):
            pen.rectangle((start + 3, bottom - share * (bottom - top), max(stop - 3, start + 4), bottom), fill=110)
    elif kind == 2:
        for x, y in rng.normal((0.5, 0.5), 0.15, (200, 2)):
            column, row = left + x * (right - left), top + y * (bottom - top)
            pen.ellipse((column - 3, row - 3, column + 3, row + 3), fill=90)
    else:
        grid = ndimage.gaussian_filter(rng.random((24, 24)), rng.uniform(0, 3))
        levels = Image.fromarray((255 * (grid - grid.min()) / max(np.ptp(grid), 1e-6)).astype(np.uint8))
        image.paste(levels.resize((right - left, bottom - top), Image.Resampling.NEAREST), (left, top))
    pen.rectangle((left, top, right, bottom), outline=ink)
    for share in np.linspace(0, 1, 6):
        column, row = left + share * (right - left), bottom - share * (bottom - top)
        pen.text((column - 6, bottom + 4), f"{share * 10:.0f}", fill=ink, font=_font(rng, 9, 12))
        pen.text((left - 30, row - 5), f"{share:.1f}", fill=ink, font=_font(rng, 9, 12))
    pen.text((left, 3), _words(rng, 4), fill=ink, font=_font(rng, 10, 16))
    return _grey(image)


def code(rng: np.random.Generator) -> Array:
    """Black and white modules (as of a matrix code), bars, stripes or a chessboard."""
    kind, count = rng.integers(0, 3), int(rng.integers(8, 60))
    if kind == 0:
        small = rng.integers(0, 2, (count, count))
    elif kind == 1:
        small = np.repeat(rng.integers(0, 2, (1, count)), count // 2, axis=0)
    else:
        small = np.indices((count, count)).sum(axis=0) % 2
    framed = np.pad(small, int(rng.integers(0, 4)), constant_values=1)
    return np.kron(framed, np.ones((max(1, 320 // count),) * 2)).astype(np.float32)


def trace(rng: np.random.Generator) -> Array:
    """An ECG-like strip or an oscilloscope: a repeated spike on a grid."""
    wide, tall = 600, int(rng.integers(200, 500))
    dark = rng.random() < 0.4
    image = Image.new("L", (wide, tall), 10 if dark else 245)
    pen = ImageDraw.Draw(image)
    step = int(rng.integers(8, 30))
    for x in range(0, wide, step):
        pen.line((x, 0, x, tall), fill=60 if dark else 205)
    for y in range(0, tall, step):
        pen.line((0, y, wide, y), fill=60 if dark else 205)
    period = rng.uniform(50, 150)
    rows = int(rng.integers(1, 5))
    across = np.arange(wide)
    phase = across % period - period / 2
    wave = np.exp(-(phase**2) / 12) - 0.2 * np.exp(-((phase - 9) ** 2) / 60)
    for row in range(rows):
        base = tall * (row + 0.7) / rows
        points = [(int(a), int(base - b * tall / rows * 0.5)) for a, b in zip(across, wave, strict=True)]
        pen.line(points, fill=240 if dark else 20, width=2)
    return _grey(image)


DRAWN: dict[str, Callable[[np.random.Generator], Array]] = {
    "noise": noise,
    "shapes": shapes,
    "document": document,
    "screen": screen,
    "plot": plot,
    "code": code,
    "trace": trace,
}
"""What can be drawn: each gives float32 [H, W] in [0, 1] from a generator of numbers."""

"""How real phantoms look: grey levels, contrast and sharpness of real and synthetic films, and a picture of both.

python -m evals.realism [--films N] [--phantoms N] [--json FILE] [--picture PNG] [--side-by-side PNG] [--data DIR]

`--picture` holds phantoms and averages of real films, no single real film, and may go into the project;
`--side-by-side` shows real films beside phantoms and must stay outside it (the data's terms).
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy import ndimage, stats

from imaging.geometry import dice, extent
from imaging.phantom import PhantomSpec, make_phantom

Grey = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

SIDE = 512
"""Films are compared on squares of this side, the size of the real ones."""

FIRST_SEED = 5_000_000
"""Phantoms compared here; no training set uses them."""

LOCAL_PX = 4.0
"""Sigma of the window of local contrast: about 3 mm."""

BANDS = {"fine": (0.7, 1.4), "middle": (2.0, 4.0), "coarse": (6.0, 12.0)}
"""Difference-of-Gaussians bands (sigma in pixels of about 0.7 mm): noise and thin vessels, vessels, ribs."""

SLOPE_RANGE = (6, SIDE // 5)
"""Cycles per film between which the slope of the radially averaged power spectrum is fitted."""

LOOKS = ("film", "digital")

BINS = 32
COLUMN_MM, FLANK_MM = 10.0, (20.0, 34.0)
"""The spine's column and its flank inside the heart's outline, distances from the midline."""

FIELD_MM = 358.0
"""JSRT films are 358.4 mm wide (2,048 pixels of 0.175 mm); other films are taken to be alike."""


@dataclass(frozen=True)
class Film:
    """A film with outlines of its lungs and heart: grey [SIDE, SIDE] float32 in [0, 1], 1 = dense."""

    grey: Grey
    left: Mask
    right: Mask
    heart: Mask

    @property
    def lungs(self) -> Mask:
        """Both lungs."""
        return self.left | self.right


def squared(grey: Grey, masks: Sequence[Mask]) -> Film:
    """A film cut to its central square and resampled to SIDE, with the masks of left lung, right lung and heart."""
    rows, columns = grey.shape
    side = min(rows, columns)
    top, left = (rows - side) // 2, (columns - side) // 2
    window = (slice(top, top + side), slice(left, left + side))
    image = Image.fromarray(grey[window]).resize((SIDE, SIDE), Image.Resampling.BOX)
    scaled = [
        np.asarray(Image.fromarray(mask[window].astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.NEAREST)) > 0
        for mask in masks
    ]
    return Film(np.asarray(image, dtype=np.float32), *scaled)


def jsrt(data: Path, count: int) -> list[Film]:
    """JSRT films, evenly spread over the list, with their SCR outlines."""
    table = pd.read_csv(data / "jsrt.csv")
    films = []
    for row in table.iloc[_spread(len(table), count)].itertuples():
        bits = np.asarray(Image.open(data / str(row.mask)))
        films.append(squared(_read(data / str(row.file)), [(bits & bit) > 0 for bit in (1, 2, 4)]))
    return films


def nih(data: Path, count: int) -> list[Film]:
    """NIH PA films of adults without a label, outlined by the embedded segmenter."""
    from safetensors.torch import load_file

    import models
    from models.networks import STRUCTURES, load_segmenter, segment

    table = pd.read_csv(data / "nih.csv")
    labels = table.loc[:, "Atelectasis":"Hernia"].sum(axis=1)
    table = table[(labels == 0) & (table["view"] == "PA") & (table["age"] >= 20)].drop_duplicates("patient_id")
    weights = Path(str(models.__file__)).parent / "embedded" / "embedded-segmenter.safetensors"
    network = load_segmenter(load_file(weights))
    films = []
    for name in table["file"].iloc[_spread(len(table), count)]:
        grey = _read(data / str(name))
        _, masks = segment(network, grey, [0.5] * len(STRUCTURES))
        films.append(squared(grey, list(masks[:3])))
    return films


def phantoms(count: int) -> dict[str, list[Film]]:
    """Normal PA phantoms, each patient once with either look."""
    sets: dict[str, list[Film]] = {f"phantom, {look} look": [] for look in LOOKS}
    for seed in track(range(FIRST_SEED, FIRST_SEED + count), description="phantoms"):
        film = make_phantom(PhantomSpec(seed=seed, size=SIDE))
        masks = [film.masks[name] for name in ("left_lung", "right_lung", "heart")]
        for look, films in zip(LOOKS, sets.values(), strict=True):
            scene = replace(film.scene, spec=replace(film.scene.spec, processing=look))
            films.append(squared(scene.picture(), masks))
    return sets


def _spread(total: int, count: int) -> npt.NDArray[np.int64]:
    return np.linspace(0, total - 1, min(count, total)).astype(np.int64)


def _read(path: Path) -> Grey:
    with Image.open(path) as image:
        grey: Grey = np.asarray(image.convert("L"), dtype=np.float32) / np.float32(255)
    return grey


def spectrum(grey: Grey) -> npt.NDArray[np.float64]:
    """Radially averaged power of a film under a Hann window, by cycles per film."""
    window = np.hanning(SIDE)
    power = np.abs(np.fft.fftshift(np.fft.fft2((grey - grey.mean()) * window[:, None] * window))) ** 2
    rows, columns = np.indices(power.shape) - SIDE // 2
    radius = np.hypot(rows, columns).astype(int).ravel()
    result: npt.NDArray[np.float64] = np.bincount(radius, power.ravel()) / np.bincount(radius)
    return result[: SIDE // 2]


def window_of(film: Film) -> tuple[slice, slice]:
    """The bounding box of the lungs."""
    top, left, bottom, right = extent(film.lungs)
    return slice(top, bottom), slice(left, right)


def between(film: Film) -> tuple[Mask, int]:
    """What lies between the lungs above the heart, eroded, and the column of the midline."""
    rows = np.flatnonzero(film.left.any(1) & film.right.any(1))
    start = film.left[rows].argmax(1)
    end = SIDE - film.right[rows, ::-1].argmax(1)
    middle = np.zeros_like(film.heart)
    for row, first, last in zip(rows, end, start, strict=True):
        middle[row, first:last] = True
    top = int(np.flatnonzero(film.heart.any(1))[0])
    quarter = max(len(rows) // 4, 1)
    midline = round(float(np.median((start + end)[:quarter])) / 2)
    middle[top:] = False
    return ndimage.binary_erosion(middle, iterations=3), midline


def proportions(film: Film) -> dict[str, float]:
    """Shapes that need no millimetres."""
    lungs, heart = (np.ptp(np.argwhere(mask), axis=0) + 1.0 for mask in (film.lungs, film.heart))
    return {
        "lungs' width over height": float(lungs[1] / lungs[0]),
        "heart's width over the lungs'": float(heart[1] / lungs[1]),
        "heart's height over the lungs'": float(heart[0] / lungs[0]),
        "heart's area over the lungs'": float(film.heart.sum() / film.lungs.sum()),
    }


def shading(film: Film) -> dict[str, float]:
    """How the lung fields brighten: from their middle to their outer border, and from their darkest height to apex and
    base; means over both lungs."""
    found: dict[str, list[float]] = {}
    for lung, outwards in ((film.left, True), (film.right, False)):
        place = np.cumsum(lung, axis=1) / np.maximum(lung.sum(1, keepdims=True), 1)
        place = place if outwards else 1 - place
        rows = np.flatnonzero(lung.any(1))
        height = (np.arange(SIDE)[:, None] - rows[0]) / (rows[-1] + 1 - rows[0])
        inner = lung & (place > 0.2) & (place < 0.6)
        parts = {
            "lungs' outer fifth over their middle": (lung & (place > 0.8), inner),
            "lungs' apex over their upper third": (inner & (height < 0.1), inner & (height > 0.2) & (height < 0.4)),
            "lungs' base over their upper third": (inner & (height > 0.75), inner & (height > 0.2) & (height < 0.4)),
        }
        for name, (bright, dark) in parts.items():
            found.setdefault(name, []).append(float(film.grey[bright].mean() - film.grey[dark].mean()))
    return {name: float(np.mean(values)) for name, values in found.items()}


def features(film: Film) -> dict[str, float]:
    """What is compared, by name; greys in 0..1."""
    grey, lungs = film.grey, ndimage.binary_erosion(film.lungs, iterations=4)
    mean = ndimage.gaussian_filter(grey, LOCAL_PX)
    local = np.sqrt(np.maximum(ndimage.gaussian_filter(grey**2, LOCAL_PX) - mean**2, 0))
    middle, midline = between(film)
    away = np.abs(np.arange(SIDE) - midline)[None, :] * (FIELD_MM / SIDE)
    heart = ndimage.binary_erosion(film.heart, iterations=3)
    column, flank = heart & (away < COLUMN_MM), heart & (away > FLANK_MM[0]) & (away < FLANK_MM[1])
    low, high = SLOPE_RANGE
    cycles = np.arange(low, high)
    power = spectrum(grey)
    found = {
        "grey of the lungs": float(grey[lungs].mean()),
        "spread within the lungs": float(grey[lungs].std()),
        "grey of the heart": float(grey[heart].mean()),
        "grey of the mediastinum": float(grey[middle].mean()) if middle.any() else np.nan,
        "spine over heart": float(grey[column].mean() - grey[flank].mean()) if column.any() and flank.any() else np.nan,
        "local contrast in the lungs": float(local[lungs].mean()),
    }
    found |= shading(film)
    for name, (narrow, wide) in BANDS.items():
        band = ndimage.gaussian_filter(grey, narrow) - ndimage.gaussian_filter(grey, wide)
        found[f"{name} detail in the lungs"] = float(band[lungs].std())
    found |= proportions(film)
    found["slope of the power spectrum"] = float(np.polyfit(np.log(cycles), np.log(power[low:high]), 1)[0])
    return found


def histogram(films: Sequence[Film]) -> npt.NDArray[np.float64]:
    """Mean share of pixels per grey level within the lungs' bounding boxes [BINS]."""
    return np.mean([np.histogram(f.grey[window_of(f)], BINS, (0, 1))[0] / f.grey[window_of(f)].size for f in films], 0)


def histogram_distance(first: Sequence[Film], second: Sequence[Film]) -> float:
    """Wasserstein distance (in grey, 0..1) of two sets' mean histograms."""
    centres = (np.arange(BINS) + 0.5) / BINS
    return float(stats.wasserstein_distance(centres, centres, histogram(first), histogram(second)))


def figures(sets: dict[str, list[Film]]) -> dict[str, dict[str, tuple[float, float]]]:
    """(mean, standard deviation over films) by feature and set; the histogram's distance has no deviation.

    Sets come in pairs: real films, then the phantoms that imitate them.
    """
    rows: dict[str, dict[str, tuple[float, float]]] = {}
    for name, films in sets.items():
        table = pd.DataFrame([features(film) for film in films])
        for feature in table:
            spread = (float(table[feature].mean()), float(table[feature].std()))
            rows.setdefault(str(feature), {})[name] = spread
    names = list(sets)
    pairs = list(zip(names[::2], names[1::2], strict=True))
    rows["histogram's distance to the real set"] = {
        synthetic: (histogram_distance(sets[real], sets[synthetic]), float("nan")) for real, synthetic in pairs
    }
    for part in ("left", "right", "heart"):
        rows[f"Dice of mean shapes with the real set: {part}"] = {
            synthetic: (shape_dice(sets[real], sets[synthetic], part), float("nan")) for real, synthetic in pairs
        }
    return rows


def average(films: Sequence[Film]) -> Grey:
    """Mean of the films after their lungs' bounding boxes were laid onto each other, [SIDE, SIDE]."""
    cut = [
        Image.fromarray(film.grey[window_of(film)]).resize((SIDE, SIDE), Image.Resampling.BILINEAR) for film in films
    ]
    result: Grey = np.mean([np.asarray(image) for image in cut], axis=0).astype(np.float32)
    return result


def mean_shape(films: Sequence[Film], part: str) -> Mask:
    """Where a part lies in at least half of the films after their lungs' bounding boxes were laid onto each other."""
    size = (SIDE // 2, SIDE // 2)
    cut = [Image.fromarray(getattr(film, part)[window_of(film)].astype(np.uint8) * 255).resize(size) for film in films]
    result: Mask = np.mean([np.asarray(image) for image in cut], axis=0) >= 127.5
    return result


def shape_dice(first: Sequence[Film], second: Sequence[Film], part: str) -> float:
    """Dice overlap of two sets' mean shapes."""
    return dice(mean_shape(first, part), mean_shape(second, part))


def sheet(rows: Sequence[tuple[str, Sequence[Grey]]], tile: int, path: Path, colours: int = 64) -> None:
    """Write rows of captioned tiles to a PNG."""
    caption = 18
    width = max(len(pictures) for _, pictures in rows) * tile
    canvas = Image.new("L", (width, len(rows) * (tile + caption)), 0)
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(13)
    for number, (text, pictures) in enumerate(rows):
        top = number * (tile + caption)
        pen.text((4, top + 1), text, fill=255, font=font)
        for place, grey in enumerate(pictures):
            image = Image.fromarray(np.round(np.clip(grey, 0, 1) * 255).astype(np.uint8))
            canvas.paste(image.resize((tile, tile), Image.Resampling.LANCZOS), (place * tile, top + caption))
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)


def shown(rows: dict[str, dict[str, tuple[float, float]]], names: Sequence[str]) -> Table:
    """The figures as a table."""
    table = Table("mean (standard deviation)", *names)
    for feature, row in rows.items():
        cells = [
            ""
            if name not in row
            else f"{row[name][0]:.3f}" + ("" if np.isnan(row[name][1]) else f" ({row[name][1]:.3f})")
            for name in names
        ]
        table.add_row(feature, *cells)
    return table


def main() -> None:
    """Measure, print the table, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--films", type=int, default=40, help="real films of each kind")
    parser.add_argument("--phantoms", type=int, default=40, help="synthetic patients, each with both looks")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--picture", type=Path, help="phantoms and averages of real films")
    parser.add_argument(
        "--side-by-side", type=Path, help="single real films beside phantoms; keep it out of the project"
    )
    given = parser.parse_args()
    film_look, digital_look = phantoms(given.phantoms).items()
    real = ("JSRT", jsrt(given.data, given.films)), ("NIH PA, no finding", nih(given.data, given.films))
    sets = dict((real[0], film_look, real[1], digital_look))
    rows = figures(sets)
    Console(width=160).print(shown(rows, list(sets)))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))
    single = [(name, [film.grey for film in films[:5]]) for name, films in sets.items()]
    if given.side_by_side:
        sheet(single, 360, given.side_by_side, 256)
    if given.picture:
        averages = [("averages: " + ", ".join(sets), [average(films) for films in sets.values()])]
        sheet(averages + [row for row in single if row[0].startswith("phantom")], 230, given.picture)


if __name__ == "__main__":
    main()

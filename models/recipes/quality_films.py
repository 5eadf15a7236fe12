"""Real and synthetic films for the quality recipe, and how each is turned, mirrored, cut and toned with its truth."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, ImageDraw
from rich.progress import track

from imaging.phantom import PhantomSpec, make_phantom
from imaging.radiograph import View
from models.networks import load_segmenter, segment
from models.quality import EDGES, TURNS, VIEWS
from models.recipes.phantoms import draw_spec

Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

FILM_SIDE = 360
"""Long side at which films are kept: half as much again as the network sees, for crops."""

CUT_SURE, CUT_NONE = 0.02, 0.003
"""Share of the lungs beyond an edge from which it counts as cut off, and below which it counts as whole."""

TOUCHES = 0.04
"""A lung that meets the film's border along this share of the border is cut off there already."""

CHEST_LEAST, PIECE_MOST = 0.5, 0.2
"""Share of the lungs that must be left on the film to call it a chest film, and up to which it is a mere piece.
Between the two the recipe gives no verdict."""

FRONTAL_SEED, LATERAL_SEED = 5_000_000, 7_000_000
PHANTOM_SIZE = 256
"""First seeds and size of this recipe's synthetic films."""

SEGMENTER_THRESHOLDS = (0.55, 0.5, 0.6, 0.4, 0.45)


@dataclass(frozen=True)
class Film:
    """An upright, unmirrored film with dense = white.

    Attributes:
        dataset, name, patient: where it is from; `patient` is unique over data sets.
        fold: 0..4, patient-wise; 0 is held out. -1 where the data set has no folds.
        pixels: uint8 [H, W].
        lungs: bool [H, W], both lungs.
        view: "PA", "AP", "LATERAL" or "" where nobody says.
    """

    dataset: str
    name: str
    patient: str
    fold: int
    pixels: Bytes
    lungs: Mask
    view: str = ""


@dataclass(frozen=True)
class Truth:
    """What a picture is; NaN or -1 where it is not known or does not apply.

    Attributes:
        chest: 1 or 0; NaN where too little of the lungs is left to say.
        pose: 2 * quarter turns clockwise + mirrored.
        inverted: 1 or 0.
        view: position in VIEWS.
        cut: of each edge in EDGES, 1 or 0.
    """

    chest: float
    pose: int = -1
    inverted: float = float("nan")
    view: int = -1
    cut: tuple[float, ...] = (float("nan"),) * len(EDGES)


@dataclass(frozen=True)
class Change:
    """How a picture is made of a film: `window` is (top, left, bottom, right) as shares, beyond 0..1 it adds border."""

    turns: int = 0
    mirrored: bool = False
    inverted: bool = False
    window: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    tilt_deg: float = 0.0


def _small(image: Image.Image) -> Image.Image:
    image = image.convert("L")
    image.thumbnail((FILM_SIDE, FILM_SIDE), Image.Resampling.BILINEAR)
    return image


def _read(path: Path) -> Bytes:
    with Image.open(path) as image:
        return np.asarray(_small(image), dtype=np.uint8)


def _mask(path: Path, shape: tuple[int, int], bits: int) -> Mask:
    with Image.open(path) as image:
        grey = np.asarray(image if image.mode in ("L", "P") else image.convert("L"), dtype=np.uint8)
    drawn = Image.fromarray((255 * ((grey & bits) > 0)).astype(np.uint8)).resize(shape[::-1], Image.Resampling.BILINEAR)
    return np.asarray(drawn) > 127


def _rows(table: Path) -> Iterator[dict[str, str]]:
    frame = pd.read_csv(table, dtype=str, keep_default_na=False)
    yield from frame.to_dict("records")


class Outliner:
    """The lungs of films without human masks, by the embedded segmenter."""

    def __init__(self, weights: Path) -> None:
        from safetensors.torch import load_file

        self.network = load_segmenter(load_file(weights))

    def lungs(self, pixels: Bytes) -> Mask:
        """Both lungs, bool [H, W], of pixels uint8 [H, W]."""
        _, masks = segment(self.network, pixels.astype(np.float32) / 255.0, SEGMENTER_THRESHOLDS)
        either: Mask = masks[0] | masks[1]
        return either


def _kind_of_view(text: str) -> str:
    word = text.upper().strip()
    return "AP" if word.startswith("AP") else "PA" if word == "PA" else "LATERAL" if word.startswith("L") else ""


def read_films(data: Path, outliner: Outliner, kermany: int) -> list[Film]:
    """Every adult film and `kermany` films of children, with lungs, folds and views."""
    films = []
    for row in track(list(_rows(data / "nih.csv")), description="NIH"):
        pixels = _read(data / row["file"])
        films.append(
            Film("NIH", row["image_index"], f"nih{row['patient_id']}", int(row["fold"]), pixels, outliner.lungs(pixels))
        )
        films[-1] = replace(films[-1], view=_kind_of_view(row["view"]))
    for row in _rows(data / "jsrt.csv"):
        pixels = _read(data / row["file"])
        lungs = _mask(data / row["mask"], pixels.shape, 3)
        films.append(Film("JSRT", row["id"], f"jsrt{row['id']}", int(row["fold"]), pixels, lungs, "PA"))
    for row in _rows(data / "tb.csv"):
        pixels = _read(data / row["file"])
        lungs = _mask(data / row["mask"], pixels.shape, 255)
        view = "PA" if row["source"] == "Montgomery" else ""
        films.append(Film(row["source"], row["id"], f"tb{row['id']}", int(row["fold"]), pixels, lungs, view))
    children = [row for row in _rows(data / "kermany.csv") if row["mask"]]
    for row in children[:: max(1, len(children) // kermany)]:
        pixels = _read(data / row["file"])
        lungs = _mask(data / row["mask"], pixels.shape, 255)
        films.append(Film("Kermany", row["filename"], f"kermany{row['patient']}", int(row["fold"]), pixels, lungs))
    for row in track(list(_rows(data / "covid.csv")), description="Hannover, Cohen"):
        pixels = _read(data / row["file"])
        source = "Hannover" if "Hannover" in row["source"] else "Cohen"
        films.append(
            Film(
                source,
                row["file"],
                f"{source}{row['patient']}",
                -1,
                pixels,
                outliner.lungs(pixels),
                _kind_of_view(row["view"]),
            )
        )
    return films


def synthetic_films(frontal: int, lateral: int) -> Iterator[Film]:
    """Phantoms with exact lungs and view: `frontal` PA or AP, sick or well, and `lateral` normal."""
    frontals = [replace(draw_spec(FRONTAL_SEED + number), size=PHANTOM_SIZE) for number in range(frontal)]
    laterals = [
        PhantomSpec(seed=LATERAL_SEED + number, view=View.LATERAL, size=PHANTOM_SIZE) for number in range(lateral)
    ]
    for spec in track([*frontals, *laterals], description="phantoms"):
        made = make_phantom(spec)
        pixels = np.round(made.radiograph.pixels * 255).astype(np.uint8)
        lungs = made.masks["left_lung"] | made.masks["right_lung"]
        name = f"phantom {spec.seed}"
        yield Film("phantom", name, name, -1, pixels, lungs, spec.view.value)


def change(film: Film, how: Change) -> tuple[Bytes, Truth]:
    """A picture uint8 [H, W] of a film, and what it is."""
    height, width = film.pixels.shape
    top, left, bottom, right = how.window
    box = (round(left * width), round(top * height), round(right * width), round(bottom * height))
    image, lungs = Image.fromarray(film.pixels), Image.fromarray((255 * film.lungs).astype(np.uint8))
    if how.tilt_deg:
        image = image.rotate(how.tilt_deg, Image.Resampling.BILINEAR, fillcolor=0)
        lungs = lungs.rotate(how.tilt_deg, Image.Resampling.BILINEAR, fillcolor=0)
    mask = np.asarray(lungs) > 127
    cut, left_over = _cut(mask, box)
    picture = np.asarray(image.crop(box))
    if how.mirrored:
        picture = picture[:, ::-1]
    picture = np.rot90(picture, -how.turns)
    if how.inverted:
        picture = 255 - picture
    chest = 1.0 if left_over >= CHEST_LEAST else 0.0 if left_over <= PIECE_MOST else float("nan")
    truth = Truth(chest)
    if chest == 1.0:
        view = VIEWS.index(film.view) if film.view else -1
        truth = Truth(1.0, 2 * how.turns + int(how.mirrored), float(how.inverted), view, cut)
    return np.ascontiguousarray(picture), truth


def _cut(lungs: Mask, box: tuple[int, int, int, int]) -> tuple[tuple[float, ...], float]:
    """For each of EDGES 1, 0 or NaN: was lung cut off by the box (left, top, right, bottom)? And the share left."""
    total = max(int(lungs.sum()), 1)
    height, width = lungs.shape
    left, top, right, bottom = (max(0, box[0]), max(0, box[1]), min(width, box[2]), min(height, box[3]))
    inside = lungs[top:bottom, left:right]
    beyond = (lungs[:top].sum(), lungs[bottom:].sum(), lungs[:, right:].sum(), lungs[:, :left].sum())
    if inside.size == 0:
        return (float("nan"),) * len(EDGES), 0.0
    met = (inside[0].mean(), inside[-1].mean(), inside[:, -1].mean(), inside[:, 0].mean())
    verdicts = []
    for away, along in zip(beyond, met, strict=True):
        share = float(away) / total
        cut = share >= CUT_SURE or along >= TOUCHES
        verdicts.append(1.0 if cut else 0.0 if share <= CUT_NONE and along == 0 else float("nan"))
    return tuple(verdicts), float(inside.sum()) / total


def draw_change(rng: np.random.Generator) -> Change:
    """A random pose and window: most films whole, some cut at one or two edges, some with a border added."""
    turns = int(rng.choice([0, 1, 2, 3], p=[0.46, 0.18, 0.18, 0.18]))
    window = [0.0, 0.0, 1.0, 1.0]
    kind = rng.random()
    if kind < 0.4:
        for edge in rng.choice(4, size=int(rng.integers(1, 3)), replace=False):
            amount = float(rng.uniform(0.02, 0.4))
            window[edge] += amount if edge < 2 else -amount
    elif kind < 0.55:
        for edge in range(4):
            amount = float(rng.uniform(0, 0.12))
            window[edge] -= amount if edge < 2 else -amount
    tilt = float(rng.normal(0, 5)) if rng.random() < 0.4 else 0.0
    mirrored, inverted = bool(rng.random() < 0.35), bool(rng.random() < 0.25)
    return Change(turns, mirrored, inverted, tuple(window), tilt)  # type: ignore[arg-type]


def draw_piece(rng: np.random.Generator) -> Change:
    """A small window somewhere on the film: a shoulder, the abdomen, a part of one lung."""
    tall, wide = rng.uniform(0.12, 0.4, 2)
    top, left = rng.uniform(0, 1 - tall), rng.uniform(0, 1 - wide)
    turns = int(rng.integers(0, TURNS))
    return Change(turns, bool(rng.random() < 0.5), bool(rng.random() < 0.3), (top, left, top + tall, left + wide))


def soil(picture: Bytes, rng: np.random.Generator) -> Bytes:
    """Other tones, blur, noise, few pixels, JPEG traces, letters and blocks: what must not matter."""
    grey = picture.astype(np.float32) / 255.0
    if rng.random() < 0.7:
        grey = np.clip(grey, 1e-3, 1) ** np.float32(np.exp(rng.uniform(-0.6, 0.6)))
        grey = (grey - 0.5) * np.float32(np.exp(rng.uniform(-0.4, 0.4))) + np.float32(0.5 + rng.uniform(-0.15, 0.15))
    if rng.random() < 0.3:
        grey = grey + rng.uniform(0, 0.06) * rng.standard_normal(grey.shape)
    image = Image.fromarray((np.clip(grey, 0, 1) * 255).astype(np.uint8))
    if rng.random() < 0.3:
        factor = rng.uniform(0.25, 0.8)
        size = (max(56, int(image.width * factor)), max(56, int(image.height * factor)))
        image = image.resize(size, Image.Resampling.BILINEAR)
    if rng.random() < 0.35:
        _scribble(image, rng)
    if rng.random() < 0.3:
        stored = io.BytesIO()
        image.save(stored, format="JPEG", quality=int(rng.integers(15, 80)))
        image = Image.open(stored)
    return np.asarray(image, dtype=np.uint8)


def _scribble(image: Image.Image, rng: np.random.Generator) -> None:
    """Letters near the border, or a block over a corner, so that no side marker is relied on."""
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(1, 4))):
        x = int(image.width * rng.choice([rng.uniform(0, 0.15), rng.uniform(0.8, 0.95)]))
        y = int(image.height * rng.uniform(0, 0.95))
        if rng.random() < 0.5:
            pen.text(
                (x, y), str(rng.choice(["L", "R", "PORTABLE", "AP", "12:40", "SUPINE"])), fill=int(rng.choice([0, 255]))
            )
        else:
            size = (int(image.width * rng.uniform(0.03, 0.15)), int(image.height * rng.uniform(0.02, 0.15)))
            pen.rectangle((x, y, x + size[0], y + size[1]), fill=int(rng.choice([0, 40, 255])))

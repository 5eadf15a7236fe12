"""What the bone suppressor is worth: figures on phantoms, whose bone-free twins are exact, and on JSRT films."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.progress import track
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from models.networks import STRUCTURES
from models.preprocess import FloatImage
from models.recipes.anatomy import Anatomy
from models.recipes.data import jsrt_films
from models.recipes.dice import interval
from models.suppression import BoneSuppressor, suppress

Rows = dict[str, npt.NDArray[np.float64]]
"""Figures by name, one value per film or nodule."""

RIB_BAND = (1 / 170, 1 / 40)
"""Widths (standard deviations, shares of the film's side) of the two Gaussian means whose difference holds detail of a
rib's size: about 2 and 9 mm on a 350 mm field, a rib being some 10 mm high."""

LEAST_SPOT = 20
"""Pixels (of 512 x 512) from which a nodule's contrast is measured: about 5 across."""

VISIBLE = 0.01
"""Contrast in grey levels below which a nodule is not seen without bone either, so that no share of it can be given."""

JSRT_SIDE = 2048
JSRT_MM = 0.175
"""Pixels of the original JSRT films and their size; nodule centres and diameters are given in them."""

REAL_FOLDS = (0, 1)
"""Folds of JSRT that are measured; none was trained on, two are enough."""

FIGURES = {
    "psnr_film": "PSNR in dB of the untouched film against the bone-free one",
    "psnr_suppressed": "PSNR in dB of the suppressed film against the bone-free one",
    "ssim_film": "SSIM of the untouched film against the bone-free one",
    "ssim_suppressed": "SSIM of the suppressed film against the bone-free one",
    "error_on_bone_film": "mean absolute error in grey levels (0 to 1) on ribs in the lungs, untouched",
    "error_on_bone_suppressed": "mean absolute error in grey levels (0 to 1) on ribs in the lungs, suppressed",
    "shadow_left": "share of the ribs' true shadow in the lungs that is left (1 = untouched, 0 = gone)",
    "taken_off_bone": "mean absolute change in grey levels (0 to 1) in the lungs where there is no bone",
    "nodule_contrast_kept": "contrast of nodules and masses after suppression over that without bone (1 = all kept)",
    "nodule_cnr_film": "contrast-to-noise ratio of nodules and masses, untouched",
    "nodule_cnr_suppressed": "contrast-to-noise ratio of nodules and masses, suppressed",
    "nodule_cnr_bone_free": "contrast-to-noise ratio of nodules and masses on the bone-free film",
}
"""Figures on phantoms."""

REAL_FIGURES = {
    "rib_detail_left": "energy of detail of a rib's size in the lungs, suppressed over untouched",
    "nodule_contrast_kept": "contrast of nodules against the lung around them, suppressed over untouched",
    "nodule_cnr_film": "contrast-to-noise ratio of nodules, untouched",
    "nodule_cnr_suppressed": "contrast-to-noise ratio of nodules, suppressed",
}
"""Figures on JSRT films, which have no bone-free twin."""


def gaussian_difference(picture: FloatImage) -> FloatImage:
    """Detail [H, W] of about a rib's width: a narrow Gaussian mean minus a wide one."""
    narrow, wide = (ndimage.gaussian_filter(picture, sigma * max(picture.shape)) for sigma in RIB_BAND)
    difference: FloatImage = narrow - wide
    return difference


def contrast(picture: FloatImage, spot: npt.NDArray[np.bool_], lungs: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """(contrast, contrast-to-noise ratio) of a spot against the lung in a ring around it; NaN where no ring is left."""
    reach = max(3, round(math.sqrt(spot.sum() / math.pi)))
    ring = ndimage.binary_dilation(spot, iterations=reach) & ~ndimage.binary_dilation(spot, iterations=2) & lungs
    if ring.sum() < spot.sum() / 4:
        return math.nan, math.nan
    difference = float(picture[spot].mean() - picture[ring].mean())
    return difference, difference / max(float(picture[ring].std()), 1e-6)


def phantom_rows(network: BoneSuppressor, films: Anatomy) -> Rows:
    """Figures of each held-out phantom, by name; see FIGURES."""
    rows: dict[str, list[float]] = {name: [] for name in FIGURES}
    for index in track(range(len(films.pixels)), description="measured"):
        film, truth = (array[index].astype(np.float32) / 255 for array in (films.pixels, films.bone_free))
        masks = np.unpackbits(films.masks[index], axis=-1).astype(np.bool_)
        lungs = masks[0] | masks[1]
        bone = masks[STRUCTURES.index("ribs")] & lungs
        made = suppress(network, film)
        for name, picture in (("film", film), ("suppressed", made)):
            rows[f"psnr_{name}"].append(float(peak_signal_noise_ratio(truth, picture, data_range=1.0)))
            rows[f"ssim_{name}"].append(float(structural_similarity(truth, picture, data_range=1.0)))
            rows[f"error_on_bone_{name}"].append(float(np.abs(picture - truth)[bone].mean()))
        shadow = (film - truth)[bone]
        rows["shadow_left"].append(float(((made - truth)[bone] * shadow).sum() / max((shadow**2).sum(), 1e-9)))
        off = lungs & (films.bone[index] == 0)
        rows["taken_off_bone"].append(float(np.abs(film - made)[off].mean()) if off.any() else math.nan)
        spots, count = ndimage.label(np.unpackbits(films.lesions[index], axis=-1).astype(np.bool_) & lungs)
        for number in range(1, count + 1):
            spot = spots == number
            if spot.sum() < LEAST_SPOT:
                continue
            pairs = [contrast(picture, spot, lungs) for picture in (film, made, truth)]
            rows["nodule_contrast_kept"].append(pairs[1][0] / pairs[2][0] if pairs[2][0] > VISIBLE else math.nan)
            rows["nodule_cnr_film"].append(pairs[0][1])
            rows["nodule_cnr_suppressed"].append(pairs[1][1])
            rows["nodule_cnr_bone_free"].append(pairs[2][1])
    return {name: np.array(values, dtype=np.float64) for name, values in rows.items()}


def real_rows(network: BoneSuppressor, data: Path) -> Rows:
    """On the JSRT films (no bone-free truth): detail of a rib's size left in the lungs, and nodules' contrast kept."""
    rows: dict[str, list[float]] = {name: [] for name in REAL_FIGURES}
    table = pd.read_csv(data / "jsrt.csv").set_index("id")
    films = [film for film in jsrt_films(data) if film.fold in REAL_FOLDS]
    for outlined in track(films, description="JSRT"):
        film, lungs = outlined.pixels, outlined.masks[0] | outlined.masks[1]
        made = suppress(network, film)
        before, after = (float((gaussian_difference(picture)[lungs] ** 2).mean()) for picture in (film, made))
        rows["rib_detail_left"].append(after / before)
        spot = nodule_mask(table.loc[outlined.name], film.shape)
        if spot is None or not (spot & lungs).sum() >= LEAST_SPOT:
            continue
        first, second = contrast(film, spot & lungs, lungs), contrast(made, spot & lungs, lungs)
        rows["nodule_contrast_kept"].append(second[0] / first[0] if first[0] > VISIBLE else math.nan)
        rows["nodule_cnr_film"].append(first[1])
        rows["nodule_cnr_suppressed"].append(second[1])
    return {name: np.array(values, dtype=np.float64) for name, values in rows.items()}


def nodule_mask(row: Any, shape: tuple[int, ...]) -> npt.NDArray[np.bool_] | None:
    """The disc of a JSRT film's nodule, bool [H, W], from its centre and diameter; None where there is none."""
    if not (row["x"] > 0 and row["size_mm"] > 0):
        return None
    step = JSRT_SIDE / max(shape)
    rows, columns = np.indices(shape)
    distance = np.hypot(rows - row["y"] / step, columns - row["x"] / step)
    disc: npt.NDArray[np.bool_] = distance * step * JSRT_MM <= row["size_mm"] / 2
    return disc


def summary(rows: Rows, meanings: dict[str, str], dataset: str) -> list[dict[str, Any]]:
    """Per figure: what it is, on how many films or nodules, its mean with a 95% interval, and its 5th percentile."""
    table = []
    for name, values in rows.items():
        kept = values[~np.isnan(values)]
        if not kept.size:
            continue
        value, low, high = interval(kept)
        facts = {"figure": name, "meaning": meanings[name], "dataset": dataset, "number": int(kept.size)}
        table.append({**facts, "value": value, "low": low, "high": high, "p5": float(np.percentile(kept, 5)),
                      "p95": float(np.percentile(kept, 95))})  # fmt: skip
    return table

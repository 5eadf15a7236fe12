"""What real films can say of the structures nobody outlined on them: where they must lie beside lungs drawn by hand."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from models.networks import STRUCTURES, Segmenter, segment
from models.recipes.data import MaskedFilm
from models.recipes.surroundings import FLOOR

Mask = npt.NDArray[np.bool_]

CHECKS = {
    "diaphragm_edge": "distance between the hemidiaphragm's upper edge and the lower edge of the lung drawn by hand, "
    "mean over its part beside the heart (0.4 to 0.85 of its width from the midline), share of the lung's height",
    "spine_off_middle": "distance between the spine's middle and the middle between the lungs drawn by hand, share of "
    "the width of both lungs",
    "mediastinum_in_lungs": "share of the mediastinum's outline inside lungs drawn by hand",
    "trachea_in_lungs": "share of the trachea's outline inside lungs drawn by hand",
    "diaphragm_in_lungs": "share of both hemidiaphragms' outline inside lungs drawn by hand",
    "ribs_of_lungs": "share of the lungs drawn by hand that the ribs' outline covers",
}
"""What each check gives; the smaller the better, but for the ribs, which cover most of the lungs (front and back)."""


def edge_distance(diaphragm: Mask, lung: Mask, patients_left: bool) -> float:
    """The check `diaphragm_edge` of one side, from masks bool [H, W]; NaN where either is missing in these columns."""
    columns = np.flatnonzero(lung.any(axis=0))
    if columns.size < 8 or not diaphragm.any():
        return float("nan")
    shares = FLOOR if patients_left else (1 - FLOOR[1], 1 - FLOOR[0])
    low, high = (columns[0] + round(share * (columns[-1] - columns[0])) for share in shares)
    height = len(lung)
    inner, dome = lung[:, low:high], diaphragm[:, low:high]
    both = inner.any(axis=0) & dome.any(axis=0)
    if not both.any():
        return float("nan")
    bottom: npt.NDArray[np.intp] = height - 1 - np.argmax(inner[::-1], axis=0)
    top: npt.NDArray[np.intp] = np.argmax(dome, axis=0)
    rows = np.flatnonzero(lung.any(axis=1))
    return float(np.abs(top[both] - bottom[both]).mean() / (rows[-1] - rows[0] + 1))


def checks(masks: dict[str, Mask], left: Mask, right: Mask) -> dict[str, float]:
    """Every check of one film: found masks by code, and the two lungs drawn by hand, bool [H, W]."""
    lungs = left | right
    diaphragm = masks["left_diaphragm"] | masks["right_diaphragm"]
    columns = np.arange(lungs.shape[1])
    inner = [float((mask * columns).sum() / max(mask.sum(), 1)) for mask in (left, right)]
    beside: Mask = np.any(lungs, axis=1, keepdims=True)
    spine = masks["spine"] & beside
    across = np.flatnonzero(lungs.any(axis=0))

    def inside(mask: Mask) -> float:
        return float((mask & lungs).sum() / mask.sum()) if mask.any() else float("nan")

    middle = float((spine * columns).sum() / spine.sum()) if spine.any() else float("nan")
    return {
        "diaphragm_edge": float(
            np.mean(
                [
                    edge_distance(masks["left_diaphragm"], left, True),
                    edge_distance(masks["right_diaphragm"], right, False),
                ]
            )
        ),
        "spine_off_middle": abs(middle - sum(inner) / 2) / (across[-1] - across[0] + 1),
        "mediastinum_in_lungs": inside(masks["mediastinum"]),
        "trachea_in_lungs": inside(masks["trachea"]),
        "diaphragm_in_lungs": inside(diaphragm),
        "ribs_of_lungs": float((masks["ribs"] & lungs).sum() / max(lungs.sum(), 1)),
    }


def checked(network: Segmenter, films: Iterable[MaskedFilm], thresholds: list[float]) -> dict[str, Any]:
    """The checks on films with hand-drawn lungs: values [N] by name."""
    rows: list[dict[str, float]] = []
    for film in films:
        _, masks = segment(network, film.pixels, thresholds)
        rows.append(checks(dict(zip(STRUCTURES, masks, strict=True)), film.masks[0], film.masks[1]))
    return {name: np.array([row[name] for row in rows]) for name in CHECKS}

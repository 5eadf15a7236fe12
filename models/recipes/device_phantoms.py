"""Phantoms with many sets of devices and retained objects: to learn them from, to choose thresholds on, to measure.

A patient is marched through once; the pictures with other devices are developed from the same scene, so that they cost
little and show the devices as the beam does. Films lie in cache files; a file once made is not made again.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.progress import track

from imaging.phantom import FindingSpec, PhantomFilm, make_phantom
from imaging.phantom.devices import Device, place_devices, project
from imaging.phantom.lesions import draws
from imaging.phantom.picture import add_devices
from models.locator import OBJECTS, TIPPED
from models.recipes.lesion_phantoms import draw_finding, draw_spec, nepers_of

TRAINING_SEED, VALIDATION_SEED, HELD_OUT_SEED = 9_000_000, 9_500_000, 9_700_000
"""First seeds of the sets; no other recipe draws from them."""

PATIENTS, PICTURES = 40, 3
"""Of each set to measure on, and pictures of each patient: most of what is new in a picture is its devices."""

TAUGHT_PATIENTS, TAUGHT_PICTURES = 240, 8
"""The same of the set that is learnt from. With 25 patients their other details were learnt by heart."""

NUMBERS = 20
"""Seeds of pictures that belong to one patient's."""

CHUNK = 20
"""Patients of one cache file."""

WORKERS = 2

SIZE = 768
"""Rows and columns of a film: larger than the square that devices are read on, so that zooming in does not blur."""

LAYERS = 2
"""Sets of devices of each patient that are kept as attenuation, too, to be pasted over other films."""

SHARES = {
    "ett": 0.55, "ng_tube": 0.4, "central_line": 0.4, "pacemaker": 0.25, "chest_drain": 0.3, "retained_sponge": 0.25,
    "retained_needle": 0.3,
}  # fmt: skip
"""Share of pictures with each."""

WITHOUT_FINDINGS = 0.4
"""Share of patients with nothing but devices."""


@dataclass(frozen=True)
class DeviceFilms:
    """Films with devices, the pictures of each patient one after the other.

    Attributes:
        pixels: uint16 [N, S, S], 65535 = dense; S is SIZE.
        masks: uint8 [N, 7, S / 2, S / 16], packed bits in the order of OBJECTS, set where one of four pixels is.
        tips: float32 [N, 2], (row, column) of the endotracheal tube's tip in the film's pixels, NaN without one.
        spacing_mm: float32 [N], a pixel in the detector plane.
        nepers: float16 [P, LAYERS, S, S], what the devices of each patient's first pictures add to the beam's
            attenuation.
        lungs: uint8 [P, 2, S / 2, S / 16], each patient's left and right lung, packed.
    """

    pixels: npt.NDArray[np.uint16]
    masks: npt.NDArray[np.uint8]
    tips: npt.NDArray[np.float32]
    spacing_mm: npt.NDArray[np.float32]
    nepers: npt.NDArray[np.float16]
    lungs: npt.NDArray[np.uint8]

    @property
    def pictures(self) -> int:
        """Of each patient."""
        return len(self.pixels) // len(self.lungs)


def draw_set(rng: np.random.Generator) -> tuple[FindingSpec, ...]:
    """Each device and object with its own chance."""
    return tuple(draw_finding(code, rng) for code, share in SHARES.items() if rng.random() < share)


def _tip(film: PhantomFilm, device: Device) -> npt.NDArray[np.float32]:
    scale = np.array(film.anatomy.body.scale, dtype=np.float32)
    row, column, _ = film.anatomy.geometry.project(np.array([device.tip], dtype=np.float32) * scale)
    return np.array([row[0], column[0]], dtype=np.float32)


def _halved(masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Masks [K, S, S] at half the size, packed: thin lines stay whole."""
    count, height, width = masks.shape
    return np.packbits(masks.reshape(count, height // 2, 2, width // 2, 2).any(axis=(2, 4)), axis=-1)


def variant(film: PhantomFilm, chosen: Sequence[FindingSpec], seed: int) -> dict[str, npt.NDArray[Any]]:
    """The patient of a film without devices, with these: what DeviceFilms holds of a film, and its nepers [S, S]."""
    geometry = film.anatomy.geometry
    placed = place_devices(film.anatomy.body, draws(tuple(chosen), np.random.default_rng([17, seed])))
    masks, wall, metal, _ = project(film.anatomy.body, placed, geometry)
    spec = replace(film.scene.spec, seed=seed, processing=("film", "digital")[seed % 2])
    picture = replace(film.scene, spec=spec, mass=add_devices(film.scene.mass, wall, metal)).picture()
    drawn = np.zeros((len(OBJECTS), *picture.shape), dtype=np.bool_)
    tip = np.full(2, np.nan, dtype=np.float32)
    for device in placed:
        drawn[OBJECTS.index(device.code)] |= masks[device.name]
        tip = _tip(film, device) if device.code == TIPPED else tip
    return {
        "pixels": np.round(picture * np.float32(65535)).astype(np.uint16),
        "masks": _halved(drawn),
        "tips": tip,
        "spacing_mm": np.float32(geometry.pixel_mm),  # type: ignore[dict-item]
        "nepers": nepers_of(wall, metal, picture.shape).astype(np.float16),
    }


def patient(seed: int, pictures: int) -> DeviceFilms:
    """So many pictures of one patient, NUMBERS at most."""
    rng = np.random.default_rng([59, seed])
    spec = draw_spec(seed)
    kept = tuple(one for one in spec.findings if one.code not in OBJECTS)
    spec = replace(spec, size=SIZE, findings=() if rng.random() < WITHOUT_FINDINGS else kept)
    film = make_phantom(spec, threads=1)
    rows = [variant(film, draw_set(rng), seed * NUMBERS + number) for number in range(pictures)]
    held = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    lungs = _halved(np.stack([film.masks["left_lung"], film.masks["right_lung"]]))
    return DeviceFilms(**{**held, "nepers": held["nepers"][None, :LAYERS]}, lungs=lungs[None])


def joined(parts: Sequence[DeviceFilms]) -> DeviceFilms:
    """All films of several."""
    names = [item.name for item in fields(DeviceFilms)]
    return DeviceFilms(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def make_device_films(first_seed: int, cache: Path) -> DeviceFilms:
    """The set that begins with a seed; files that lie in the cache folder are not made again."""
    cache.mkdir(parents=True, exist_ok=True)
    taught = first_seed == TRAINING_SEED
    patients, pictures = (TAUGHT_PATIENTS, TAUGHT_PICTURES) if taught else (PATIENTS, PICTURES)
    starts = range(first_seed, first_seed + patients, CHUNK)
    paths = {start: cache / f"devices_{start}_{CHUNK}_{pictures}.npz" for start in starts}
    missing = {start: path for start, path in paths.items() if not path.exists()}
    if missing:
        with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
            for start, path in track(missing.items(), description="devices"):
                made = pool.map(partial(patient, pictures=pictures), range(start, start + CHUNK), chunksize=1)
                np.savez(path, allow_pickle=False, **vars(joined(made)))
    return joined([DeviceFilms(**np.load(path)) for path in paths.values()])

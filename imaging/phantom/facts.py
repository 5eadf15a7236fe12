"""The truth of a phantom film as JSON-ready values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from imaging.geometry import mask_box
from imaging.phantom.faults import orientation, upright
from imaging.phantom.masks import Mask
from imaging.phantom.person import person
from imaging.phantom.physics import LUNG_DOSE_UGY
from imaging.phantom.projection import SOURCE_DISTANCE_MM
from imaging.radiograph import View

if TYPE_CHECKING:
    from imaging.phantom.film import PhantomFilm

INDEX_PER_UGY = 100.0
"""Exposure index per microgray at the detector (IEC 62494-1; entered from memory, unchecked)."""

ZONE_SHARE = 0.15
"""Share of a finding's pixels from which it is said to lie in a lung zone too."""

FAULT_FROM = {
    "rotation": (4.0, "deg"),
    "tilt": (8.0, "deg"),
    "underexposed": (0.5, "stops"),
    "overexposed": (0.5, "stops"),
    "lung_outside": (0.01, "share"),
    "poor_inspiration": (0.25, "of 0 to 1"),
}
"""From which size on a deviation is listed as a fault, and its unit; inspiration counts from there downwards. Ours, not
a standard's: the values themselves are always given."""

UNITS = {"mm2": "mm²", "mm": "mm", "deg": "degree", "row": "pixel", "column": "pixel", "ratio": "1", "outside": "1"}
"""Unit of a measure by the last word of its name."""


def own_code(entry: Mapping[str, Any]) -> str:
    """The phantom's own code of an entry of PhantomFilm.findings: devices and retained objects go by their kind."""
    parameters = entry["parameters"]
    return str(parameters.get("device") or parameters.get("object") or entry["code"])


def facts(film: PhantomFilm) -> dict[str, Any]:
    """Everything that is true of the film, JSON-ready; what cannot be measured is None.

    - `synthetic`, `note`, `id`, `seed`, `view`, `date`, `patient`.
    - `exposure`: dose at the detector behind the lung in µGy, error in stops, and exposure, target and deviation index
      (0018,1411 to 1413: deviation = 10 log10(index / target)).
    - `positioning`: rotation, tilt, inspiration, and the share of each lung outside the field.
    - `picture`: size, spacing, quarter turn, mirroring, inversion, patient orientation of rows and columns.
    - `faults`: code, value, unit of every deviation above FAULT_FROM, and turns, mirroring, inversion, burned-in text.
    - `annotations`: burned-in marker and texts with their boxes and whether they identify the patient.
    - `findings`: the film's, with box and area in the detector plane, and the lung zones they lie in (upright).
    - `absent`: codes the phantom knows and this patient does not have.
    - `measures`, `units`, `boxes` (row_min, col_min, row_max, col_max; max exclusive) in the film's pixels.
    """
    spec, shot, who = film.spec, film.scene.geometry, person(film.spec)
    given = {name: None if math.isnan(value) else value for name, value in film.measures.items()}
    return {
        "synthetic": True,
        "note": film.radiograph.warnings[0],
        "id": film.radiograph.id,
        "seed": spec.seed,
        "view": spec.view.value,
        "date": spec.date.isoformat() if spec.date else None,
        "patient": {"id": who.identifier, "age_years": spec.age_years, "sex": spec.sex, "habitus": spec.habitus},
        "exposure": {
            "processing": spec.processing,
            "source_detector_mm": SOURCE_DISTANCE_MM[spec.view],
            "field_mm": spec.field_mm,
            **exposure(film),
        },
        "positioning": {
            "position": position(film),
            "inspiration": spec.inspiration,
            "rotation_deg": spec.rotation_deg,
            "tilt_deg": round(math.degrees(math.atan(shot.tilt)), 2),
            **{name: value for name, value in film.measures.items() if name.endswith("_outside")},
        },
        "picture": {
            "rows": film.radiograph.shape[0],
            "columns": film.radiograph.shape[1],
            "spacing_mm": list(film.radiograph.spacing_mm or ()),
            "turned_deg": spec.turned_deg,
            "mirrored": spec.mirrored,
            "inverted": spec.inverted,
            "patient_orientation": list(orientation(spec)),
        },
        "faults": faults(film),
        "annotations": [{**entry, "box": list(entry["box"])} for entry in film.annotations],
        "findings": [_finding(film, entry) for entry in film.findings],
        "absent": absent(film),
        "measures": given,
        "units": {name: UNITS.get(name.rpartition("_")[2], "1") for name in given},
        "boxes": {name: list(place) for name, place in film.boxes.items()},
    }


def position(film: PhantomFilm) -> str:
    """'erect' or 'supine'; what PhantomSpec.position means when it is None."""
    return film.spec.position or ("supine" if film.spec.view is View.AP else "erect")


def exposure(film: PhantomFilm) -> dict[str, float]:
    """Dose at the detector behind the lung (µGy), its error in stops, and the indices of IEC 62494-1."""
    aimed = LUNG_DOSE_UGY * float(film.spec.dose or 1)
    stops = film.spec.exposure_stops
    return {
        "detector_dose_ugy": round(aimed * 2**stops, 4),
        "exposure_stops": stops,
        "exposure_index": round(INDEX_PER_UGY * aimed * 2**stops, 2),
        "target_exposure_index": round(INDEX_PER_UGY * aimed, 2),
        "deviation_index": round(10 * stops * math.log10(2), 2),
    }


def faults(film: PhantomFilm) -> list[dict[str, Any]]:
    """What is wrong with the film rather than with the patient: code, value and unit; see FAULT_FROM."""
    spec, stops = film.spec, film.spec.exposure_stops
    sizes = {
        "rotation": float(spec.rotation_deg or 0),
        "tilt": round(math.degrees(math.atan(film.scene.geometry.tilt)), 2),
        "underexposed": min(stops, 0.0),
        "overexposed": max(stops, 0.0),
    }
    sizes |= {name: value for name, value in film.measures.items() if name.endswith("_outside")}
    found: list[dict[str, Any]] = []
    for name, value in sizes.items():
        least, unit = FAULT_FROM["lung_outside" if name.endswith("_outside") else name]
        if abs(value) >= least:
            found.append({"code": name, "value": round(value, 4), "unit": unit})
    most, unit = FAULT_FROM["poor_inspiration"]
    if spec.inspiration is not None and spec.inspiration < most:
        found.append({"code": "poor_inspiration", "value": round(spec.inspiration, 4), "unit": unit})
    if spec.turned_deg:
        found.append({"code": "turned", "value": spec.turned_deg, "unit": "deg"})
    found += [{"code": name, "value": None, "unit": None} for name in ("mirrored", "inverted") if getattr(spec, name)]
    if any(entry["identifying"] for entry in film.annotations):
        found.append({"code": "burned_in_name", "value": None, "unit": None})
    return found


def absent(film: PhantomFilm) -> list[str]:
    """Codes of FINDINGS that the patient does not have. A heart that is large only by its ratio is neither present nor
    absent."""
    from imaging.phantom import FINDINGS

    present = {entry["code"] for entry in film.findings}
    present |= {str(entry["parameters"].get(key)) for entry in film.findings for key in ("device", "object")}
    ratio = film.measures.get("cardiothoracic_ratio", math.nan)
    if not ratio < 0.5:
        present.add("cardiomegaly")
    return [code for code in FINDINGS if code not in present]


def zones(film: PhantomFilm, mask: str, side: str | None) -> list[str]:
    """Lung zones ('upper', 'middle', 'lower': thirds of the lung's height) in which a mask of that side lies."""
    lung = film.masks.get(f"{side}_lung")
    extent = None if lung is None else mask_box(upright(lung, film.spec))
    return [] if extent is None else zones_of(upright(film.masks[mask], film.spec), extent[0], extent[2])


def zones_of(mask: Mask, top: int, bottom: int) -> list[str]:
    """Zones of an upright mask [H, W] when the lung spans the rows top to bottom (exclusive); see ZONE_SHARE."""
    from imaging.phantom import ZONES

    rows = np.nonzero(mask)[0]
    if not len(rows):
        return []
    third = np.clip((rows - top) * len(ZONES) // max(bottom - top, 1), 0, len(ZONES) - 1)
    share = np.bincount(third, minlength=len(ZONES)) / len(rows)
    return [zone for zone, part in zip(ZONES, share, strict=True) if part >= ZONE_SHARE]


def _finding(film: PhantomFilm, entry: dict[str, Any]) -> dict[str, Any]:
    """One finding with its box, area in the detector plane (mm²) and zones."""
    mask, pixel = film.masks[entry["mask"]], film.scene.geometry.pixel_mm
    place = film.boxes.get(entry["mask"])
    return {
        **entry,
        "box": list(place) if place else None,
        "area_mm2": round(float(mask.sum()) * pixel**2, 1),
        "zones": zones(film, entry["mask"], entry["side"]),
    }

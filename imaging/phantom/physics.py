"""From thickness maps to detector signal: Beer–Lambert over an energy spectrum, scatter, blur and quantum noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

Array = npt.NDArray[np.float32]

ENERGIES_KEV = (29.7, 40.2, 49.9, 61.5, 78.8, 99.4)
"""Signal-weighted mean energies of the bands 0-35-45-55-70-90-120 keV of the spectrum below."""

SPECTRUM = (0.108, 0.179, 0.188, 0.324, 0.141, 0.060)
"""Share of the detector's absorbed energy per band without a patient: 120 kVp, tungsten, 12° anode, 3 mm Al (SpekPy
2.5.4, default model), times energy, times absorption in 0.2 g/cm² of CsI (xraydb 4.5.8). Six bands follow the whole
spectrum's signal within 0.5 % behind 0 to 25 cm of muscle, 1.1 % with 3 cm of cortical bone before it."""

MASS_ATTENUATION_CM2_G = {
    "soft": (0.3841, 0.2673, 0.2265, 0.2024, 0.1833, 0.1696),
    "fat": (0.3098, 0.2388, 0.2125, 0.1957, 0.1808, 0.1691),
    "bone": (1.366, 0.6582, 0.4258, 0.3039, 0.2262, 0.1863),
    "metal": (8.414, 3.579, 1.968, 1.130, 0.6162, 0.3761),
}
"""Total mass attenuation coefficients at ENERGIES_KEV of ICRU-44 skeletal muscle, adipose tissue and cortical bone, and
of iron: element fractions as in SpekPy 2.5.4, coefficients of Elam, Ravel and Sieber's tables as in xraydb 4.5.8. A
test recomputes them."""

DENSITY_G_CM3 = {"soft": 1.05, "fat": 0.95, "bone": 1.92, "blood": 1.06, "water": 1.00, "metal": 7.87}
"""ICRU-44 densities, as in SpekPy 2.5.4; metal is iron (xraydb 4.5.8: 7.86)."""

QUANTA_PER_MM2_UGY = 29_400.0
"""Photons per mm² and microgray of air kerma of this beam behind 10 cm of muscle (SpekPy 2.5.4; IEC's RQA5: 29 600)."""

DETECTIVE_EFFICIENCY = 0.5
"""DQE near zero frequency of a CsI flat panel."""

LUNG_DOSE_UGY = 2.5
"""Detector dose behind the lung at dose = 1 (speed class 400)."""


@dataclass(frozen=True)
class Mass:
    """Area density in g/cm² along each ray, all [H, W] float32."""

    soft: Array
    fat: Array
    bone: Array
    metal: Array | None = None


def primary(mass: Mass) -> Array:
    """Share of the detector's energy signal that arrives unscattered, [H, W] in 0..1: sum over bins of w·exp(-Σ μm)."""
    total = np.zeros_like(mass.soft)
    for k, weight in enumerate(SPECTRUM):
        depth = mass.soft * np.float32(MASS_ATTENUATION_CM2_G["soft"][k])
        depth += mass.fat * np.float32(MASS_ATTENUATION_CM2_G["fat"][k])
        depth += mass.bone * np.float32(MASS_ATTENUATION_CM2_G["bone"][k])
        if mass.metal is not None:
            depth += mass.metal * np.float32(MASS_ATTENUATION_CM2_G["metal"][k])
        total += np.float32(weight) * np.exp(-depth)
    return total


def blur(image: Array, sigma_px: float) -> Array:
    """Gaussian blur of [H, W] with edge replication."""
    result: Array = ndimage.gaussian_filter(image, sigma_px, mode="nearest", truncate=3.0)
    return result


def scattered(image: Array, share: float, sigma_mm: float, pixel_mm: float) -> Array:
    """Primary plus `share` times its wide Gaussian average: the scatter that a grid lets through."""
    size = image.shape[0]
    step = max(1, size // 128)
    usable = size // step * step
    coarse = image[:usable, :usable].reshape(size // step, step, size // step, step).mean((1, 3))
    wide = blur(np.minimum(coarse, np.percentile(coarse, 85)), sigma_mm / (pixel_mm * step))
    zoom = ndimage.zoom(wide, size / wide.shape[0], order=1, mode="nearest", grid_mode=True)
    result: Array = (image + np.float32(share) * zoom[:size, :size]).astype(np.float32)
    return result


def noisy(
    image: Array, lung_level: float, dose: float, pixel_mm: float, sigma_px: float, rng: np.random.Generator
) -> Array:
    """Add quantum noise: variance = signal / quanta; noise passes the detector's blur of `sigma_px` in part.

    Args:
        image: signal [H, W], > 0.
        lung_level: signal that receives LUNG_DOSE_UGY at dose 1.
    """
    quanta = LUNG_DOSE_UGY * QUANTA_PER_MM2_UGY * DETECTIVE_EFFICIENCY * dose * pixel_mm**2 / lung_level
    grain = rng.standard_normal(image.shape, dtype=np.float32)
    if sigma_px > 0.2:
        grain = blur(grain, sigma_px)
    result: Array = np.maximum(image + grain * np.sqrt(image / np.float32(quanta)), np.float32(1e-6)).astype(np.float32)
    return result


def texture(size: int, pixel_mm: float, slope: float, coarsest_mm: float, rng: np.random.Generator) -> Array:
    """Zero-mean, unit-variance random field [size, size] whose power falls as frequency^-slope above 1/coarsest_mm."""
    fx = fft.rfftfreq(size, pixel_mm)[None, :]
    fy = fft.fftfreq(size, pixel_mm)[:, None]
    f2 = (fx**2 + fy**2 + 1 / coarsest_mm**2).astype(np.float32)
    white = fft.rfft2(rng.standard_normal((size, size), dtype=np.float32))
    field = fft.irfft2(white * f2 ** np.float32(-slope / 4), s=(size, size)).astype(np.float32)
    result: Array = (field - field.mean()) / (field.std() + 1e-9)
    return result

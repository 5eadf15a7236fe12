"""The phantom's beam against published tables: coefficients recomputed with xraydb, transmission with SpekPy."""

from __future__ import annotations

import numpy as np
import pytest
import xraydb

from imaging.phantom import physics

ICRU_44 = {
    "soft": "H 0.102 C 0.143 N 0.034 O 0.710 Na 0.001 P 0.002 S 0.003 Cl 0.001 K 0.004",
    "fat": "H 0.114 C 0.598 N 0.007 O 0.278 Na 0.001 S 0.001 Cl 0.001",
    "bone": "H 0.034 C 0.155 N 0.042 O 0.435 Na 0.001 Mg 0.002 P 0.103 S 0.003 Ca 0.225",
    "metal": "Fe 1.0",
}
"""Element fractions by mass of ICRU-44 muscle, adipose tissue and cortical bone, as SpekPy 2.5.4 carries them."""


@pytest.mark.parametrize("tissue", ICRU_44)
def test_mass_attenuation_agrees_with_the_elam_tables_to_its_last_digit(tissue: str) -> None:
    words = ICRU_44[tissue].split()
    energies = np.array(physics.ENERGIES_KEV) * 1000
    expected = sum(
        float(share) * xraydb.mu_elam(element, energies) for element, share in zip(words[::2], words[1::2], strict=True)
    )
    assert np.array(physics.MASS_ATTENUATION_CM2_G[tissue]) == pytest.approx(expected, rel=5e-4)


def test_iron_density_agrees_with_xraydb() -> None:
    assert physics.DENSITY_G_CM3["metal"] == pytest.approx(xraydb.atomic_density("Fe"), abs=0.02)


@pytest.mark.parametrize(
    ("tissue", "centimetres", "expected"),
    [("soft", 5, 0.30496), ("soft", 10, 0.09937), ("soft", 20, 0.01163), ("bone", 1, 0.45457), ("fat", 5, 0.36396)],
)
def test_six_bands_follow_the_whole_spectrum(tissue: str, centimetres: float, expected: float) -> None:
    # Expected: SpekPy 2.5.4's spectrum (120 kVp, 3 mm Al, 0.5 keV steps) times energy times absorption in 0.2 g/cm² of
    # CsI, integrated with xraydb's coefficients and ICRU-44 densities.
    none = np.zeros((2, 2), dtype=np.float32)
    mass = dict.fromkeys(("soft", "fat", "bone"), none)
    mass[tissue] = np.full((2, 2), physics.DENSITY_G_CM3[tissue] * centimetres, dtype=np.float32)
    assert physics.primary(physics.Mass(**mass)) == pytest.approx(expected, rel=0.011)


def test_weights_of_the_bands_add_up_to_one() -> None:
    assert sum(physics.SPECTRUM) == pytest.approx(1.0, abs=1e-9)

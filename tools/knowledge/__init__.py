"""What is known rather than computed: findings, structures, places and measurements, as TOML with typed loaders.

Pure: no film, no model, no network."""

from tools.knowledge.measured import MeasurementConcept, measurement, measurements
from tools.knowledge.ontology import (
    LANGUAGES,
    FindingConcept,
    Language,
    PlaceConcept,
    Region,
    Side,
    StructureConcept,
    finding,
    findings,
    is_kind_of,
    phrases,
    places,
    region_of,
    structure,
    structures,
    with_signs,
)

__all__ = [
    "LANGUAGES",
    "FindingConcept",
    "Language",
    "MeasurementConcept",
    "PlaceConcept",
    "Region",
    "Side",
    "StructureConcept",
    "finding",
    "findings",
    "is_kind_of",
    "measurement",
    "measurements",
    "phrases",
    "places",
    "region_of",
    "structure",
    "structures",
    "with_signs",
]

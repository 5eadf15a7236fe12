"""What is known rather than computed: findings, structures and measurements, as TOML with typed, cached loaders.

Pure: no film, no model, no network."""

from tools.knowledge.measured import MeasurementConcept, measurement, measurements
from tools.knowledge.ontology import (
    FindingConcept,
    Region,
    Side,
    StructureConcept,
    finding,
    findings,
    phrases,
    structure,
    structures,
)

__all__ = [
    "FindingConcept",
    "MeasurementConcept",
    "Region",
    "Side",
    "StructureConcept",
    "finding",
    "findings",
    "measurement",
    "measurements",
    "phrases",
    "structure",
    "structures",
]

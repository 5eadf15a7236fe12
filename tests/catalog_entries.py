"""Catalog entries and ids that the tests of models/ share."""

from __future__ import annotations

from models.catalog import CatalogEntry

DENSENET = "txrv-densenet121-res224-all"
DENSENET_NIH = "txrv-densenet121-res224-nih"
RESNET = "txrv-resnet50-res512-all"


def entry(model_id: str, **changes: object) -> CatalogEntry:
    """A catalog entry whose weights the user supplies as MODEL_ID.pt."""
    facts: dict[str, object] = {
        "id": model_id,
        "title": "a model of the tests",
        "tasks": ["classify"],
        "adapter": "counting",
        "profile": "standard",
        "source": {"kind": "user", "file": f"{model_id}.pt", "note": "written by the test"},
        "licence": "none",
        "download_mb": 1,
        "memory_mb": {"float32": 1},
        "input_size": 8,
        "labels": ["Mass"],
        "training_data": "none",
        "reference": "the test",
    }
    return CatalogEntry.model_validate({**facts, **changes})

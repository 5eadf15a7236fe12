"""The embedded classifier as an encoder of films, against the network itself; and the cards of every model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import MakeFilm
from safetensors.torch import load_file

from models.catalog import Catalog
from models.describe import describe
from models.networks import load_classifier
from models.outputs import Embedding, ScoreKind, Task
from models.pool import ModelPool
from models.preprocess import prepare
from models.weights import EMBEDDED_DIR, Presence, locate

ENTRY = Catalog.read().get("embedded-features")


def test_vectors_are_what_the_classifiers_head_reads(make_film: MakeFilm) -> None:
    films = [make_film(1, (300, 200)), make_film(2)]
    network = load_classifier(load_file(EMBEDDED_DIR / ENTRY.source.file))
    pool = ModelPool(device="cpu", profile="embedded")
    assert pool.resolve(Task.EMBED).id == ENTRY.id
    for film, said in zip(films, pool.predict(Task.EMBED, films), strict=True):
        with torch.inference_mode():
            features = network.features(prepare(film.pixels, ENTRY.input_size)[0])[0]
        assert isinstance(said.output, Embedding)
        np.testing.assert_allclose(said.output.values, (features / features.norm()).numpy(), atol=1e-5)
        assert said.output.space == f"embedded-features@{said.revision}"


def test_a_film_is_nearer_to_itself_darkened_than_to_another(make_film: MakeFilm) -> None:
    from dataclasses import replace

    film, other = make_film(1), make_film(2)
    darker = replace(film, id="darker", pixels=film.pixels * np.float32(0.8))
    one, two, three = (
        item.output.values
        for item in ModelPool(device="cpu").predict(Task.EMBED, [film, darker, other], model_id=ENTRY.id)
    )
    assert one @ two > one @ three


def test_its_card_is_of_its_own_task_and_of_the_classifiers_revision() -> None:
    card, lent = (describe(item, locate(item)) for item in (ENTRY, Catalog.read().get("embedded-classifier")))
    assert (card.id, card.task, card.score_kind) == (ENTRY.id, Task.EMBED, ScoreKind.SIMILARITY)
    assert card.revision == lent.revision and card.training_data == lent.training_data
    assert not card.findings and card.measured_on == "not measured by Hilum"


@pytest.mark.parametrize("item", list(Catalog.read(audit=True)), ids=lambda item: item.id)
def test_every_model_has_a_card_that_claims_nothing_unmeasured(item) -> None:
    """A card without weights too; only a card that came with weights may call its scores probabilities."""
    presence = locate(item) if item.source.kind == "embedded" else Presence(False, None, "not here", "pull it")
    card = describe(item, presence)
    assert card.id == item.id and card.task in item.tasks and card.licence and card.limits
    if item.source.kind != "embedded":
        assert card.score_kind is not ScoreKind.CALIBRATED_PROBABILITY
        assert card.measured_on == "not measured by Hilum"
        assert any("Not measured by Hilum" in limit for limit in card.limits)
        assert set(item.limits) <= set(card.limits)

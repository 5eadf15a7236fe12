"""What the viewer is given: a scene without pictures, layers that fit the film, words for what is laid beside it."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from agent.answer import Evidence, EvidenceStatus
from imaging.overlays import Overlay
from imaging.phantom import PhantomSpec, make_phantom
from imaging.render import deep, to_png
from ui.chat import viewer
from ui.chat.conversation import Conversation

FILM = make_phantom(PhantomSpec(seed=1, size=64)).radiograph


def record(**more: Any) -> Evidence:
    kept: dict[str, Any] = {
        "image_ids": [FILM.id],
        "summary": "Said <b>so</b>.",
        "status": EvidenceStatus.OK,
        "args": {},
    }
    return Evidence(id="E3", tool="compare", title="Compare", **(kept | more))


def laid(image_id: str) -> Evidence:
    picture = base64.b64encode(to_png((FILM.pixels * 255).astype("uint8"))).decode("ascii")
    item = {"image_id": image_id, "of": "b" * 16, "caption": "film 1 laid over <film 2>", "picture": picture}
    return record(data={"beside": [item]})


def picture(uri: str) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,")))))


def test_film_arrives_in_twelve_bits() -> None:
    packed = deep(FILM, 2048).astype(int)
    values = packed[..., 0] * 16 + packed[..., 1] // 16
    assert values.shape == FILM.shape and np.abs(values / 4095 - FILM.pixels).max() < 1 / 4095
    assert deep(FILM, 32).shape == (32, 32, 3)
    assert np.array_equal(picture(viewer.picture(FILM)), packed)


def test_looked_at_closely_a_film_comes_in_all_its_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer, "STAGE_PX", 32)
    assert picture(viewer.picture(FILM)).shape[:2] == (32, 32)
    assert np.array_equal(picture(viewer.picture(FILM, whole=True)), deep(FILM, 64))


def test_details_hold_the_models_card_as_text() -> None:
    facts = {"title": "<b>net</b>", "licence": "MIT", "figures": {"effusion": "AUROC 0.9"}, "limits": ["adults\nonly"]}
    told = viewer.details(record(card=facts, model="net"))
    assert "<dt>Model</dt><dd>&lt;b&gt;net&lt;/b&gt;</dd>" in told
    assert "<dt>pleural effusion</dt><dd>AUROC 0.9</dd>" in told and "<li>adults only</li>" in told
    assert "Model card" not in viewer.details(record())


def test_layers_are_clear_where_nothing_is_drawn() -> None:
    mask = np.zeros(FILM.shape, bool)
    mask[20:40, 10:30] = True
    heat = np.zeros((8, 8))
    heat[2, 3] = 1
    marked = record(overlays=[Overlay.mask(FILM.id, mask, "heart"), Overlay.heatmap(FILM.id, heat, FILM.shape, "heat")])
    marks, hot = (picture(viewer.layer(FILM, marked, kind) or "") for kind in ("marks", "heat"))
    assert marks.shape == (*FILM.shape, 4) and np.array_equal(marks[..., 3] > 0, mask)
    assert marks[20, 20, 3] == 255 and 0 < marks[30, 20, 3] < 80, "an outline, and a fill that can be seen through"
    assert hot[2, 3, 3] == 255 and hot[0, 0, 3] == 0
    assert viewer.layer(FILM, record(), "marks") is None and viewer.layer(FILM, record(), "heat") is None


def test_prior_stands_beside_its_film_alone() -> None:
    assert viewer.laid_beside(FILM.id, record()) is None and viewer.laid_beside(FILM.id, laid("b" * 16)) is None
    beside = viewer.laid_beside(FILM.id, laid(FILM.id))
    assert beside is not None and beside[0] == "Film 1 laid over <film 2>"
    assert beside[1].startswith("data:image/png;base64,")


def test_scene_tells_what_is_drawn_where_and_escapes_what_tools_say() -> None:
    shown = Conversation(lambda: None)  # type: ignore[arg-type,return-value]
    shown.evidence["E3"] = record(overlays=[Overlay.box("b" * 16, (1, 1, 5, 5), "elsewhere")])
    told = json.loads(viewer.scene(shown, "secret"))
    assert told["token"] == "secret" and told["session"] == "" and told["films"] == []
    assert told["evidence"][0]["drawn"] == {} and "<b>" not in told["evidence"][0]["html"]

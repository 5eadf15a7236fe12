"""The remote vision model against a small server on this machine that keeps what it gets."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import MakeFilm
from PIL import Image, ImageDraw, ImageFont
from vision_service import Service, serving

from imaging.failures import BadArguments, Unavailable
from models.adapters.remote_vision import Endpoint, outgoing
from models.catalog import Catalog
from models.outputs import Task, Text
from models.pool import ModelPool
from models.request import Question

REMOTE = "remote-vision"
KEY = "HILUM_TEST_VISION_KEY"


@pytest.fixture(name="service")
def running_service() -> Iterator[Service]:
    with serving() as service:
        yield service


def pool_of(folder: Path, **told: object) -> ModelPool:
    (folder / "remote-vision.json").write_text(json.dumps(told))
    return ModelPool(Catalog([Catalog.read().get(REMOTE)]), device="cpu", model_dir=folder, profile="full")


def ask(pool: ModelPool, film: Any, **changes: Any) -> Text:
    asked = Question(**{"text": "Is there an effusion?", "max_new_tokens": 50, **changes})
    [said] = pool.predict(Task.ANSWER, [film], question=asked, model_id=REMOTE)
    assert isinstance(said.output, Text)
    return said.output


def test_what_leaves_is_the_question_and_a_bounded_picture_alone(
    service: Service, tmp_path: Path, make_film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, "secret")
    noise = make_film(1, (1500, 1000))
    film = replace(noise, pixels=noise.pixels * np.float32(0.6))  # nothing white that could be letters
    pool = pool_of(tmp_path, base_url=service.url, model="see", send_pixels=True, key_variable=KEY, longest_side=512)
    assert ask(pool, film) == Text("No.")
    [(path, headers, body)] = service.got
    assert path == "/v1/chat/completions" and headers["Authorization"] == "Bearer secret"
    assert set(body) == {"model", "messages", "max_tokens", "temperature"}
    assert (body["model"], body["max_tokens"]) == ("see", 50)
    text, image = body["messages"][0]["content"]
    assert text == {"type": "text", "text": "Is there an effusion?"} and film.id not in json.dumps(body)
    kind, coded = image["image_url"]["url"].split(",")
    assert kind == "data:image/png;base64"
    picture = Image.open(io.BytesIO(base64.b64decode(coded)))
    assert picture.mode == "L" and picture.size == (341, 512) and not picture.info
    small = Image.fromarray(np.rint(film.pixels * 255).astype(np.uint8)).resize((341, 512), Image.Resampling.BOX)
    assert np.corrcoef(np.asarray(picture).ravel(), np.asarray(small).ravel())[0, 1] > 0.98


def test_burned_in_text_is_painted_black(make_film: MakeFilm) -> None:
    """Truth: a name of known place drawn in white on a dark corner."""
    plain = Image.new("L", (800, 900), 60)
    ImageDraw.Draw(plain).text((30, 30), "DOE JANE 1950", fill=255, font=ImageFont.load_default(36))
    pixels = np.asarray(plain, dtype=np.float32) / 255
    film = replace(make_film(), id="named", pixels=pixels)
    sent = np.asarray(Image.open(io.BytesIO(outgoing(film, 1024))))
    assert sent.shape == (900, 800) and (pixels == 1).sum() > 500
    assert sent.max() < 100 and sent[500, 400] == 60


def test_an_answer_cut_short_says_so(service: Service, tmp_path: Path, make_film: MakeFilm) -> None:
    service.reply["choices"][0]["finish_reason"] = "length"
    assert ask(pool_of(tmp_path, base_url=service.url, model="see", send_pixels=True), make_film()).truncated


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"send_pixels": False}, "does not allow films to leave this machine"),
        ({}, "does not allow films to leave this machine"),
        ({"send_pixels": True, "base_url": "http://vision.example/v1"}, "would carry films in the clear"),
        ({"send_pixels": True, "base_url": "ftp://127.0.0.1/v1"}, "would carry films in the clear"),
        ({"send_pixels": True, "key_variable": "HILUM_TEST_NO_SUCH_KEY"}, "needs the key in HILUM_TEST_NO_SUCH_KEY"),
        ({"send_pixels": True, "longest_side": 9000}, "longest_side: Input should be less than or equal to 2048"),
        ({"send_pixels": "yes"}, "send_pixels: Input should be a valid boolean"),
        ({"send_pixels": True, "colour": 1}, "colour: Extra inputs are not permitted"),
    ],
)
def test_nothing_leaves_without_the_users_word_or_in_the_clear(
    told: dict[str, object], says: str, service: Service, tmp_path: Path, make_film: MakeFilm
) -> None:
    pool = pool_of(tmp_path, **{"base_url": service.url, "model": "see", **told})
    with pytest.raises(Unavailable, match=says):
        ask(pool, make_film())
    assert service.got == []


def test_it_is_never_chosen_by_itself(service: Service, tmp_path: Path, make_film: MakeFilm) -> None:
    pool = pool_of(tmp_path, base_url=service.url, model="see", send_pixels=True)
    with pytest.raises(Unavailable, match="No model of profile"):
        pool.predict(Task.ANSWER, [make_film()], question=Question("Is there an effusion?"))
    with pytest.raises(Unavailable, match=r"remote-vision\.json is not there"):
        ModelPool(pool.catalog, model_dir=tmp_path / "empty", profile="full").resolve(Task.ANSWER, REMOTE)
    with pytest.raises(BadArguments, match="There is no question"):
        ask(pool, make_film(), text=" ")
    assert service.got == []


@pytest.mark.parametrize(
    ("status", "reply", "says"),
    [(401, {}, "127.0.0.1 answered 401"), (200, {"choices": []}, "another form"), (200, [1], "another form"),
     (200, {"choices": [{"message": {"content": None}}]}, "another form")],
)  # fmt: skip
def test_a_service_that_fails_is_unavailable(
    status: int, reply: Any, says: str, service: Service, tmp_path: Path, make_film: MakeFilm
) -> None:
    service.status, service.reply = status, reply
    with pytest.raises(Unavailable, match=says):
        ask(pool_of(tmp_path, base_url=service.url, model="see", send_pixels=True), make_film())


def test_a_service_that_is_not_there_is_unavailable(tmp_path: Path, make_film: MakeFilm) -> None:
    pool = pool_of(tmp_path, base_url="http://127.0.0.1:9/v1", model="see", send_pixels=True)
    with pytest.raises(Unavailable, match="did not answer: ConnectError"):
        ask(pool, make_film())


def test_https_is_allowed_anywhere_and_the_default_is_not_to_send() -> None:
    from models.adapters.remote_vision import _private

    assert _private("https://vision.example/v1") and _private("http://[::1]:8000/v1") and not _private("https://")
    assert not Endpoint(base_url="https://vision.example/v1", model="see").send_pixels

"""suppress_bone and enhance: what they make of a film, how it is marked, and its saving."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.exposure import equalize_adapthist
from stub_pool import FILM_SIZE, as_view, context_of, phantom

from imaging import open_film
from imaging.radiograph import DerivedKind, View
from tools.contract.made import PICTURE_SIDE, encode_picture
from tools.contract.saving import save_films
from tools.enhance import CLIP_LIMIT, EnhanceData, enhance
from tools.suppress_bone import SuppressBoneData, suppress_bone


def test_film_without_bone_is_the_models_and_says_it_was_computed() -> None:
    """Expected: the phantom's exact bone-free film, which the stub model answers with."""
    film = phantom()
    context, image_id, _ = context_of(film)
    result = suppress_bone.run(context, {"image_id": image_id})
    assert isinstance(result.data, SuppressBoneData) and result.data.size == (FILM_SIZE, FILM_SIZE)
    made = context.films.get(result.data.film_id)
    assert np.array_equal(made.pixels, film.bone_free)
    assert made.derived is not None and made.derived.kind is DerivedKind.PROCESSED
    assert (made.derived.parent, made.derived.what) == (image_id, "bone suppressed")
    assert (made.spacing_mm, made.view, made.patient_key) == (
        film.radiograph.spacing_mm, film.radiograph.view, film.radiograph.patient_key,
    )  # fmt: skip
    assert result.image_ids == [image_id, made.id] and context.films.name(made.id) == "film 2"
    lungs = film.masks["left_lung"] | film.masks["right_lung"]
    taken = np.abs(film.radiograph.pixels - film.bone_free)[lungs].mean()
    assert abs(result.data.removed_in_lungs - taken) < 1e-4
    assert any("was computed" in caveat for caveat in result.caveats)
    assert result.findings == [] and [overlay.kind for overlay in result.overlays] == ["heatmap"]


def test_other_tools_say_first_that_the_film_was_processed() -> None:
    context, image_id, _ = context_of(phantom())
    made = suppress_bone.run(context, {"image_id": image_id}).image_ids[1]
    again = enhance.run(context, {"image_id": made, "method": "invert"})
    assert again.caveats[1].startswith("PROCESSED (bone suppressed") and image_id in again.caveats[1]
    child = context.films.get(again.image_ids[1])
    assert child.derived is not None and child.derived.parent == made


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"question": "Invert the film"}, "inverted"),
        ({"question": "show me a negative"}, "inverted"),
        ({"question": "more contrast please"}, "clahe"),
        ({"method": "clahe", "question": "invert"}, "clahe"),
        ({"question": "window the film"}, "window"),
    ],
)
def test_method_is_what_was_named_or_what_the_words_say(asked: dict[str, str], code: str) -> None:
    context, image_id, _ = context_of(phantom())
    result = enhance.run(context, {"image_id": image_id, **asked})
    assert isinstance(result.data, EnhanceData) and result.data.code == code


def test_clahe_is_scikit_images() -> None:
    film = phantom()
    context, image_id, _ = context_of(film)
    made = context.films.get(enhance.run(context, {"image_id": image_id, "method": "clahe"}).image_ids[1])
    expected = equalize_adapthist(film.radiograph.pixels.astype(np.float64), clip_limit=CLIP_LIMIT)
    assert np.abs(made.pixels - expected).max() < 1e-6


@pytest.mark.parametrize(
    "asked",
    [
        {"method": "window", "centre": 0.5, "width": 0.4},
        {"question": "set the window to centre 0.5 and width 0.4"},
        {"question": "Window level 50%, width = 40 %"},
    ],
)
def test_window_maps_its_limits_to_black_and_white(asked: dict[str, object]) -> None:
    """Expected: DICOM PS3.3 C.11.2.1.3.2 (LINEAR_EXACT): black at centre - width / 2, white at centre + width / 2."""
    film = phantom()
    context, image_id, _ = context_of(film)
    result = enhance.run(context, {"image_id": image_id, **asked})
    assert isinstance(result.data, EnhanceData) and (result.data.low, result.data.high) == (0.3, 0.7)
    made = context.films.get(result.data.film_id)
    assert np.abs(made.pixels - ((film.radiograph.pixels - 0.3) / 0.4).clip(0, 1)).max() < 1e-6


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"method": "window", "centre": 0.5}, "one of them is missing"),
        ({"question": "window centre 40 width 400"}, "outside the film's greys"),
        ({"method": "window", "centre": 0.5, "width": 1.0}, "changes nothing on film 1"),
    ],
)
def test_window_that_cannot_be_is_bad_arguments(asked: dict[str, object], words: str) -> None:
    context, image_id, _ = context_of(phantom())
    result = enhance.run(context, {"image_id": image_id, **asked})
    assert result.failure is not None and result.failure.kind == "bad_arguments" and words in result.failure.message


def test_contrast_of_a_lateral_film_can_be_changed() -> None:
    film = phantom()
    context, image_id, pool = context_of(film, radiograph=as_view(film, View.LATERAL))
    assert enhance.run(context, {"image_id": image_id}).ok and pool.calls == []


def test_picture_of_a_large_film_is_smaller_in_its_own_shape() -> None:
    encoded, size = encode_picture(np.zeros((3000, 1500), dtype=np.float32))
    assert size == (PICTURE_SIDE, PICTURE_SIDE // 2)
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        assert picture.size == (PICTURE_SIDE // 2, PICTURE_SIDE)


def test_saved_film_is_known_as_processed_when_it_is_opened_again(tmp_path: Path) -> None:
    context, image_id, _ = context_of(phantom())
    result = suppress_bone.run(context, {"image_id": image_id})
    [path] = save_films(result, context.films, tmp_path / "out", "film7")
    assert path == tmp_path / "out" / "film7.bone_suppressed.png"
    again = open_film(path)
    assert again.id == result.image_ids[1]
    assert again.derived is not None and (again.derived.kind, again.derived.parent) == ("processed", image_id)

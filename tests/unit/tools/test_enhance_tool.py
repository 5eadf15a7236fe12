"""enhance: the picture without bone, and its saving."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image
from stub_pool import FILM_SIZE, context_of, phantom

from tools.contract.saving import save_picture
from tools.enhance import PICTURE_SIDE, EnhanceData, encode_picture, enhance


def test_the_picture_is_the_models_and_says_it_was_computed() -> None:
    """Expected: the phantom's exact bone-free film, which the stub model answers with, to 8 bits."""
    film = phantom()
    context, image_id, _ = context_of(film)
    result = enhance.run(context, {"image_id": image_id})
    assert isinstance(result.data, EnhanceData) and result.data.size == (FILM_SIZE, FILM_SIZE)
    with Image.open(io.BytesIO(base64.b64decode(result.data.picture))) as picture:
        shown = np.asarray(picture, dtype=np.float32) / 255
    assert np.abs(shown - film.bone_free).max() <= 0.5 / 255 + 1e-6
    lungs = film.masks["left_lung"] | film.masks["right_lung"]
    taken = np.abs(film.radiograph.pixels - film.bone_free)[lungs].mean()
    assert abs(result.data.removed_in_lungs - taken) < 1e-4
    assert any("was computed" in caveat for caveat in result.caveats)
    assert result.findings == [] and [overlay.kind for overlay in result.overlays] == ["heatmap"]


def test_a_large_film_is_shown_smaller_in_its_own_shape() -> None:
    _, size = encode_picture(np.zeros((3000, 1500), dtype=np.float32))
    assert size == (PICTURE_SIDE, PICTURE_SIDE // 2)


def test_the_picture_is_saved_under_what_was_done(tmp_path: Path) -> None:
    context, image_id, _ = context_of(phantom())
    result = enhance.run(context, {"image_id": image_id})
    assert [path.name for path in save_picture(result, tmp_path / "out", "film7")] == ["film7.bone_suppressed.png"]
    with Image.open(tmp_path / "out" / "film7.bone_suppressed.png") as picture:
        assert picture.size == (FILM_SIZE, FILM_SIZE)

"""Squares can be undone, overlays survive JSON, drawings land where they should; the store keeps films once."""

from __future__ import annotations

import io
import threading

import films
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from imaging import ImageStore, Overlay, Radiograph, open_film
from imaging.failures import BadArguments, FilmRefused
from imaging.geometry import Letterbox, dice, extent
from imaging.inks import PALETTE, Ink, inks_of
from imaging.intensity import display
from imaging.overlays import Mask, decode_mask, encode_mask
from imaging.radiograph import Source, SpacingOrigin, canonical, film_id
from imaging.render import render, to_png
from imaging.sources import Content

SIDES = st.integers(40, 300)
QUICK = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize("shape", [(300, 200), (200, 300), (256, 256), (1023, 777)])
def test_disc_goes_to_a_square_and_back(shape: tuple[int, int]) -> None:
    rows, columns = np.indices(shape)
    disc = (rows - shape[0] / 2) ** 2 + (columns - shape[1] / 2) ** 2 < (min(shape) / 4) ** 2
    letterbox = Letterbox(shape, 256)
    placed = letterbox.apply(disc.astype(np.float32)) > 0.5
    top, left, bottom, right = extent(placed)
    assert bottom - top == pytest.approx(right - left, abs=1), "the aspect ratio is kept"
    assert (top + bottom, left + right) == (pytest.approx(256, abs=2), pytest.approx(256, abs=2)), "it is in the middle"
    assert (bottom - top) / (2 * (min(shape) / 4)) == pytest.approx(letterbox.scale[0], rel=0.03)
    assert dice(letterbox.mask_to_film(placed), disc) > 0.99


@QUICK
@given(SIDES, SIDES)
def test_full_mask_comes_back_as_the_whole_film(height: int, width: int) -> None:
    assert Letterbox((height, width), 64).mask_to_film(np.ones((64, 64))).all()


@QUICK
@given(st.integers(4, 40), st.integers(1, 4))
def test_enlarged_mask_comes_back_exactly(side: int, factor: int) -> None:
    mask = np.random.default_rng(side).random((side, side // 2)) > 0.5
    letterbox = Letterbox(mask.shape, side * factor)
    placed = np.zeros((side * factor, side * factor))
    placed[letterbox.window] = np.kron(mask, np.ones((factor, factor)))
    assert np.array_equal(letterbox.mask_to_film(placed), mask)


def test_array_of_another_shape_raises() -> None:
    letterbox = Letterbox((100, 80), 64)
    for call in (letterbox.apply, letterbox.mask_to_film):
        with pytest.raises(ValueError, match=r"\(7, 7\)"):
            call(np.zeros((7, 7), np.float32))


@QUICK
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_mask_survives_run_lengths_and_json(height: int, width: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    overlay = Overlay.mask("id", mask, "lung")
    again = Overlay.model_validate_json(overlay.model_dump_json())
    assert np.array_equal(again.as_mask(), mask) and again == overlay


def test_run_lengths_are_those_of_coco() -> None:
    assert encode_mask(np.array([[0, 1], [1, 1]])).counts == [1, 3]
    assert encode_mask(np.array([[1, 0], [1, 0]])).counts == [0, 2, 2]
    assert decode_mask(Mask(size=(2, 2), counts=[1, 3])).tolist() == [[False, True], [True, True]]


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "box", "data": [5, 5, 1, 1]},
        {"kind": "box", "data": [0, 0, 1, float("inf")]},
        {"kind": "line", "data": [0, 0, 1, 1]},
        {"kind": "mask", "data": {"size": [2, 2], "counts": [1, 1]}},
        {"kind": "mask", "data": {"size": [99999, 99999], "counts": [99999 * 99999]}},
        {"kind": "mask", "data": [0, 0, 1, 1]},
    ],
)
def test_overlay_that_contradicts_itself_raises(data: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Overlay.model_validate({"image_id": "id", "label": "x", **data})


def test_heat_map_keeps_its_values() -> None:
    values = np.linspace(0, 3.5, 64).reshape(8, 8)
    overlay = Overlay.heatmap("id", values, (64, 64), "heat")
    assert np.abs(overlay.as_heatmap() - values).max() <= 3.5 / 255


def film(side: int = 256, spacing: float | None = 1.5) -> Radiograph:
    pixels = canonical(np.full((side, side), 0.25))
    return Radiograph(
        id=film_id(pixels),
        pixels=pixels,
        source=Source("test", side, side, 8, "L"),
        spacing_mm=(spacing, spacing) if spacing else None,
        spacing_origin=SpacingOrigin.IMAGER if spacing else None,
    )


def test_drawing_marks_the_edge_strongly_and_the_inside_faintly() -> None:
    one = film()
    mask = np.zeros(one.shape, bool)
    mask[100:150, 100:150] = True
    picture = render(one, [Overlay.mask(one.id, mask, "heart")], legend=False, scale_bar=False)
    assert picture.shape == (256, 256, 3) and picture.dtype == np.uint8
    assert tuple(picture[100, 120]) == PALETTE["vermillion"]
    assert tuple(picture[99, 120]) == (64, 64, 64)
    assert 64 < picture[125, 125, 0] < 120


@pytest.mark.parametrize("side", [256, 1000])
def test_legend_and_scale_bar_are_drawn_when_there_is_something_to_say(side: int) -> None:
    one = film(side, spacing=400 / side)
    box = Overlay.box(one.id, (10, 10, 60, 60), "nodule")
    plain = render(one, [], scale_bar=False)
    assert np.array_equal(plain[..., 0], display(one.pixels)) and np.array_equal(render(film(side, None)), plain)
    half = side // 2
    assert (render(one, [box])[half:, :half] != plain[half:, :half]).any()
    bar = render(one)[half:, half:]
    white = (bar == 255).all(axis=-1).sum(axis=1).max()
    assert white == pytest.approx(100 / (400 / side), abs=2)


def test_drawing_of_another_film_or_size_or_colour_raises() -> None:
    one = film()
    for overlay, words in (
        (Overlay.box("other", (0, 0, 5, 5), "x"), "belongs to film"),
        (Overlay.mask(one.id, np.ones((9, 9)), "x"), "9 x 9"),
        (Overlay.box(one.id, (0, 0, 5, 5), "x", color="mauve"), "mauve"),
    ):
        with pytest.raises(BadArguments, match=words):
            render(one, [overlay])


def test_every_kind_is_drawn_off_the_edges_too() -> None:
    one = film(64)
    overlays = [
        Overlay.box(one.id, (-10, -10, 90, 90), "a very long label that does not fit on so small a film"),
        Overlay.line(one.id, (5, 5), (5, 5), "point", text="0 mm"),
        Overlay.line(one.id, (60, -20), (60, 90), "line", text="110 mm"),
        Overlay.heatmap(one.id, np.zeros((4, 4)), one.shape, "cold"),
        Overlay.heatmap(one.id, np.eye(4), one.shape, "hot"),
        Overlay.mask(one.id, np.zeros(one.shape), "empty"),
    ]
    with Image.open(io.BytesIO(to_png(render(one, overlays)))) as picture:
        assert picture.size == (64, 64) and picture.mode == "RGB"


def test_labels_without_a_role_get_colours_of_their_own() -> None:
    overlays = [Overlay.box("id", (0, 0, 1, 1), label) for label in ("heart", "a", "b", "a")]
    inks = inks_of(overlays)
    assert len(set(inks)) == 3 and inks[1] == inks[3] and inks[0] == Ink(PALETTE["vermillion"])


def test_more_labels_than_colours_are_told_apart_by_dashes() -> None:
    square = np.zeros((200, 200), np.bool_)
    square[50:150, 50:150] = True
    one = film(200)
    overlays = [Overlay.mask(one.id, square, f"structure {number}") for number in range(len(PALETTE) + 1)]
    inks = inks_of(overlays)
    assert len(set(inks)) == len(inks) and [ink.dashed for ink in inks] == [False] * len(PALETTE) + [True]
    assert (render(one, overlays[:1], legend=False)[50, 50:150] == PALETTE["sky"]).all()
    drawn = (render(one, overlays, legend=False) == inks[-1].colour).all(axis=-1)
    for side in (drawn[50, 50:150], drawn[149, 50:150], drawn[50:150, 50], drawn[50:150, 149]):
        assert 30 < side.sum() < 70, "about half of an edge is dash"


def test_display_windows_and_inverts() -> None:
    pixels = np.array([[0, 0.25, 0.5, 0.75, 1]], np.float32)
    assert display(pixels).tolist() == [[0, 64, 128, 191, 255]]
    assert display(pixels, 0.5, 0.5).tolist() == [[0, 0, 128, 255, 255]]
    assert display(pixels, invert=True).tolist() == [[255, 191, 128, 64, 0]]
    with pytest.raises(ValueError, match="width 0"):
        display(pixels, 0.5, 0)


def test_store_keeps_a_film_once_under_its_name() -> None:
    store = ImageStore()
    data = films.part10(films.dataset())
    first = store.add(data)
    second = store.add(films.picture(films.ramp(8).astype(np.uint8)))
    assert store.add(films.dataset()) is first and store.add(open_film(data)) is first
    assert store.ids() == (first.id, second.id) and len(store) == 2 and first.id in store
    assert store.get(second.id) is second and store.get("film 2") is second and store.name(second.id) == "film 2"
    store.remove(first.id)
    assert store.name(second.id) == "film 2" and store.used_bytes == second.pixels.nbytes


def test_store_knows_a_file_again_while_it_holds_its_film() -> None:
    """Two files with the same pixels are one film, but what each says of its patient is read from each."""
    store = ImageStore()
    mine, other = (Content("f", films.part10(films.dataset(PatientID=name))) for name in ("a", "b"))
    film = store.add(store.opened(mine))
    assert store.opened(mine) is film
    assert store.opened(other).id == film.id and store.opened(other).patient_key != film.patient_key
    with pytest.raises(FilmRefused, match="nothing in it"):
        store.opened(Content("f"))


def test_store_names_the_nearest_id_for_an_unknown_one() -> None:
    store = ImageStore()
    with pytest.raises(BadArguments, match="add a film first"):
        store.get("x")
    one = store.add(films.part10(films.dataset()))
    with pytest.raises(BadArguments, match=f"Did you mean {one.id}"):
        store.get(one.id[:-1] + "z")


def test_store_that_is_full_refuses_and_keeps_what_it_has() -> None:
    store = ImageStore(max_bytes=20_000)
    one = store.add(films.part10(films.dataset()))
    with pytest.raises(FilmRefused, match="limit") as caught:
        store.add(films.picture(films.ramp(8).astype(np.uint8)))
    assert caught.value.kind == "store_full" and store.ids() == (one.id,) and store.add(one) is one


def test_store_is_safe_between_threads() -> None:
    store = ImageStore()
    files = [films.picture(np.full((64, 64), grey, np.uint8)) for grey in range(8)]
    threads = [threading.Thread(target=lambda: [store.add(data) for data in files]) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store) == 8 and {store.name(key) for key in store.ids()} == {f"film {k}" for k in range(1, 9)}

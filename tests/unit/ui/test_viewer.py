"""The film viewer: what an evidence lays beside a film is shown there, with words that say which is which."""

from __future__ import annotations

import base64

from agent.answer import Evidence, EvidenceStatus
from imaging.phantom import PhantomSpec, make_phantom
from imaging.render import to_png
from ui.chat import viewer

FILM = make_phantom(PhantomSpec(seed=1, size=64)).radiograph


def record(image_id: str) -> Evidence:
    laid = {
        "image_id": image_id, "of": "b" * 16, "caption": "film 1, 7 days earlier, laid over <film 2>",
        "picture": base64.b64encode(to_png((FILM.pixels * 255).astype("uint8"))).decode("ascii"),
    }  # fmt: skip
    return Evidence(
        id="E3", tool="compare", title="Compare", image_ids=[FILM.id], args={}, status=EvidenceStatus.OK,
        summary="Said.", data={"beside": [laid]},
    )  # fmt: skip


def test_aligned_prior_stands_beside_its_film_alone() -> None:
    assert viewer.laid_beside(FILM, None) is None and viewer.laid_beside(FILM, record("b" * 16)) is None
    beside = viewer.laid_beside(FILM, record(FILM.id))
    assert beside is not None and beside[1].startswith("data:image/png;base64,")
    page = viewer.viewer(FILM, "Film 2", "data:,", record(FILM.id), [], {}, beside)
    assert "Left: Film 1, 7 days earlier, laid over &lt;film 2&gt;. Right: Film 2." in page
    assert page.count("<img") == 2 and "<film 2>" not in page

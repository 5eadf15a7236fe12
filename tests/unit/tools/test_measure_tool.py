"""measure: the cardiothoracic ratio against the phantom's truth, its chain, and when it is refused.

The other measurements are in test_measurements.py."""

from __future__ import annotations

import numpy as np
import pytest
from stub_pool import FILM_SIZE, as_view, context_of, masks_of, phantom

from imaging.radiograph import View
from tools.contract import Result, Status
from tools.measure import HEART, MeasureData, measure
from tools.measurements import Measurement, StepKind
from tools.measurements.heart import judge_ratio


def data_of(result: Result) -> MeasureData:
    assert isinstance(result.data, MeasureData), result.failure
    return result.data


def heart_of(result: Result) -> Measurement:
    made = data_of(result).get(HEART)
    assert made is not None
    return made


def ask(image_id: str) -> dict[str, object]:
    return {"image_id": image_id, "tasks": [HEART]}


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("findings", [(), ("cardiomegaly:0.62",)])
def test_ratio_is_the_phantoms(seed: int, findings: tuple[str, ...]) -> None:
    film = phantom(seed, *findings)
    context, image_id, _ = context_of(film)
    result = measure.run(context, ask(image_id))
    assert abs(data_of(result).cardiothoracic_ratio - film.measures["cardiothoracic_ratio"]) <= 0.01
    if findings:
        assert result.findings[0].status is Status.PRESENT
        assert "the heart is enlarged" in result.summary


def test_chain_leads_from_region_to_conclusion_and_lines_are_drawn() -> None:
    film = phantom()
    context, image_id, _ = context_of(film)
    result = measure.run(context, ask(image_id))
    kinds = list(dict.fromkeys(step.kind for step in heart_of(result).chain))
    assert kinds == list(StepKind)
    lengths = {o.label: o.data[1][1] - o.data[0][1] for o in result.overlays if o.kind == "line"}  # type: ignore[index]
    made = heart_of(result)
    assert lengths["chest, inner width"] == pytest.approx(made.value("thorax_width_px"))
    drawn = lengths["heart, right of midline"] + lengths["heart, left of midline"]
    assert drawn == pytest.approx(made.value("heart_width_px"))
    low, high = film.boxes["heart"][1], film.boxes["heart"][3]
    assert made.value("heart_width_px") == pytest.approx(high - low)


def test_millimetres_only_with_spacing_and_with_their_plane() -> None:
    film = phantom()
    context, image_id, _ = context_of(film)
    assert heart_of(measure.run(context, ask(image_id))).value("heart_width_mm") is not None
    bare = as_view(film, View.PA, spacing_mm=None, spacing_origin=None)
    context, image_id, _ = context_of(film, radiograph=bare)
    result = measure.run(context, ask(image_id))
    assert heart_of(result).value("heart_width_mm") is None and " mm" not in result.summary


@pytest.mark.parametrize(
    ("view", "ratio", "status"),
    [(View.PA, 0.46, Status.ABSENT), (View.PA, 0.505, Status.UNCERTAIN), (View.PA, 0.53, Status.PRESENT),
     (View.AP, 0.46, Status.ABSENT), (View.AP, 0.53, Status.UNCERTAIN), (View.AP, 0.58, Status.PRESENT),
     (View.UNKNOWN, 0.53, Status.UNCERTAIN), (View.UNKNOWN, 0.58, Status.PRESENT)],
)  # fmt: skip
def test_conclusion_depends_on_the_view(view: View, ratio: float, status: Status) -> None:
    assert judge_ratio(ratio, as_view(phantom(), view))[0] is status


def test_childs_ratio_is_measured_but_not_judged() -> None:
    assert judge_ratio(0.56, as_view(phantom(), View.PA, age_years=2.0))[0] is Status.NOT_ASSESSED


def test_ap_film_says_why_it_magnifies() -> None:
    film = phantom()
    context, image_id, _ = context_of(film, radiograph=as_view(film, View.AP))
    assert any("further from the detector" in caveat for caveat in measure.run(context, ask(image_id)).caveats)


def test_ratio_is_refused_where_fluid_hides_the_border_of_the_heart() -> None:
    """The heart's outline is the phantom's, run on into the fluid at the left base, which is no lung."""
    film = phantom(3)
    lung, heart = film.masks["left_lung"].copy(), film.masks["heart"].copy()
    base = np.flatnonzero(heart.any(axis=1))[len(np.flatnonzero(heart.any(axis=1))) // 3]
    heart[base:] |= lung[base:]
    lung[base:] = False
    context, image_id, _ = context_of(film, masks=masks_of(film, left_lung=lung, heart=heart))
    result = measure.run(context, ask(image_id))
    assert result.failure is not None
    assert "left border does not lie against lung" in result.failure.message


def shifted(mask: np.ndarray, columns: int) -> np.ndarray:
    moved = np.zeros_like(mask)
    moved[:, columns:] = mask[:, : FILM_SIZE - columns]
    return moved


def test_implausible_outlines_are_refused_with_the_reason() -> None:
    film = phantom()
    nothing = np.zeros_like(film.masks["heart"])
    to_edge = film.masks["left_lung"].copy()
    row = int(np.flatnonzero(to_edge.any(axis=1)).mean())
    to_edge[row, row:] = True
    cases = {
        "found no heart": masks_of(film, heart=nothing),
        "uncertain (quality 0.40": masks_of(film, quality=0.4),
        "cuts it off": masks_of(film, left_lung=to_edge),
        "side by side": masks_of(film, left_lung=film.masks["right_lung"], right_lung=film.masks["left_lung"]),
        "covers": masks_of(film, heart=np.ones_like(nothing)),
    }
    for reason, masks in cases.items():
        context, image_id, _ = context_of(film, masks=masks)
        failure = measure.run(context, ask(image_id)).failure
        assert failure is not None and failure.kind == "not_applicable"
        assert reason in failure.message

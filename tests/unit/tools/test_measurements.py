"""What measure measures beside the heart: numbers on exact outlines against the phantom's own measures and against
drawn shapes of known size; verdicts at their limits; what is refused and why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from stub_pool import FILM_SIZE, as_view, card, context_of, phantom

from evals.measurements import EXACT, RENAMED
from imaging.phantom import PhantomFilm, PhantomSpec, make_phantom
from imaging.radiograph import View
from models.outputs import Masks, Task
from tools.anatomy import Outlines
from tools.anatomy.airway import carina, fork
from tools.anatomy.aorta import bend, beyond, knob
from tools.anatomy.bones import medial_end, spine_line
from tools.anatomy.pleura import collapse, costophrenic
from tools.anatomy.tips import tip_distance, tip_of
from tools.contract import Status
from tools.knowledge import findings, measurement, measurements
from tools.knowledge.measured import asked_of
from tools.measure import MeasureData, measure
from tools.measurements import TASKS, Measurement, Sheet, StepKind, measured
from tools.measurements.airway import judge_angle, judge_deviation
from tools.measurements.aorta import judge_ascending, judge_width
from tools.measurements.devices import judge_tip
from tools.measurements.lungs import judge_areas, judge_domes, judge_recess
from tools.measurements.mediastinum import judge_mediastinum
from tools.measurements.technique import judge_rotation

NOT_HERE = {"inspiration", "pneumothorax_size", "effusion_height", "lesion_diameter", "tube_tip"}
"""What exact outlines of the phantom's structures alone cannot carry."""


def exact(film: PhantomFilm, **changed: Any) -> Masks:
    stack = np.stack([changed.get(code, film.masks[RENAMED.get(code, code)]) for code in EXACT])
    return Masks(EXACT, stack, np.ones(len(EXACT), dtype=np.float32))


def sheet_of(film: PhantomFilm, masks: Masks | None = None, **more: Any) -> Sheet:
    return Sheet(film.radiograph, Outlines(masks or exact(film), card(Task.SEGMENT), "exact", "1"), **more)


def one(film: PhantomFilm, code: str, **changed: Any) -> Measurement:
    [done] = measured(sheet_of(film, exact(film, **changed)), [code])
    return done


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_numbers_on_exact_outlines_are_the_phantoms(seed: int) -> None:
    """Expected: imaging.phantom.measures, computed from the patient's geometry and the same masks."""
    film = phantom(seed)
    done = {item.code: item for item in measured(sheet_of(film)) if item.measured}
    assert set(done) == set(TASKS) - NOT_HERE
    within = {"mm": 1.5, "deg": 4.0, "mm²": 1.0, "": 0.005, "px": 1.5}
    checked = 0
    for item in done.values():
        for quantity in item.quantities:
            if quantity.code in film.measures:
                truth = film.measures[quantity.code]
                assert quantity.value == pytest.approx(truth, abs=within[quantity.unit]), quantity.code
                checked += 1
    assert checked >= 12


@pytest.mark.parametrize("code", sorted(set(TASKS) - NOT_HERE))
def test_chain_leads_from_region_to_conclusion_and_is_drawn(code: str) -> None:
    film = phantom()
    made = one(film, code)
    kinds = [step.kind for step in made.chain]
    order = [list(StepKind).index(kind) for kind in kinds]
    assert kinds[0] is StepKind.REGION and kinds[-1] is StepKind.CONCLUSION and StepKind.INDEX in kinds
    assert StepKind.THRESHOLD in kinds and StepKind.MEASUREMENT in kinds
    assert max(order) == order[-1]
    for overlay in made.overlays(film.radiograph.id):
        places = overlay.as_line() if overlay.kind == "line" else (overlay.as_point(),)
        for row, column in places:
            assert -1 <= row <= FILM_SIZE + 1 and -1 <= column <= FILM_SIZE + 1
    if code not in ("lung_areas", "projection"):
        assert made.overlays(film.radiograph.id)


def test_every_task_is_known_described_and_sourced() -> None:
    assert set(TASKS) == set(measurements())
    for concept in measurements().values():
        assert concept.definition.endswith(".") and concept.sources and concept.basis and concept.asked
        assert not concept.finding or concept.finding in findings()
    phrases = [phrase for concept in measurements().values() for phrase in concept.asked]
    assert len(phrases) == len(set(phrases))


@pytest.mark.parametrize("code", [code for code, concept in measurements().items() if concept.finding])
def test_sentences_are_borne_out_by_their_own_finding(code: str) -> None:
    """The answer's check of claims reads the sentences: none may seem to say the opposite of the finding."""
    from agent.answer import Verdict
    from agent.claims import check
    from agent.ledger import EvidenceLedger

    context, image_id, _ = context_of(phantom(), masks=exact(phantom()))
    result = measure.run(context, {"image_id": image_id, "tasks": [code]})
    ledger = EvidenceLedger()
    evidence = ledger.reserve("call", "measure", {})
    ledger.record(evidence, measure, {}, result)
    text = " ".join(f"{piece.rstrip('.')} [{evidence}]." for piece in result.summary.replace(". ", ".\n").splitlines())
    verdicts = {claim.text: claim.verdict for claim in check(text, ledger, scripted=True).claims}
    assert Verdict.CONFLICTING not in verdicts.values(), verdicts


def disc(row: float, column: float, radius: float, size: int = 200) -> np.ndarray:
    rows, columns = np.indices((size, size))
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def tube(start: tuple[float, float], end: tuple[float, float], radius: float, size: int = 300) -> np.ndarray:
    rows, columns = np.indices((size, size))
    along = np.array(end, dtype=float) - start
    share = ((rows - start[0]) * along[0] + (columns - start[1]) * along[1]) / (along @ along)
    share = np.clip(share, 0, 1)
    return np.hypot(rows - start[0] - share * along[0], columns - start[1] - share * along[1]) <= radius


@pytest.mark.parametrize(("right_deg", "left_deg"), [(25, 45), (30, 30), (40, 60)])
def test_carina_angle_of_drawn_bronchi(right_deg: float, left_deg: float) -> None:
    """Expected: the angles the tubes were drawn at; the carina where their inner walls meet on paper."""
    ends = []
    for sign, angle in ((-1, right_deg), (1, left_deg)):
        ends.append((100 + 90 * math.cos(math.radians(angle)), 150 + sign * 90 * math.sin(math.radians(angle))))
    air = tube((10, 150), (100, 150), 9) | tube((100, 150), ends[0], 6) | tube((100, 150), ends[1], 6)
    found = fork(air, 18.0)
    assert found.angle_deg == pytest.approx(right_deg + left_deg, abs=2)
    assert found.right_deg == pytest.approx(right_deg, abs=2)
    half, tilt = math.radians(right_deg + left_deg) / 2, math.radians(left_deg - right_deg) / 2
    assert carina(air)[0] == pytest.approx(100 + 6 / math.sin(half) * math.cos(tilt), abs=2)


def test_angle_is_of_the_picture_not_of_stretched_pixels() -> None:
    ends = [(100 + 90, 150 - 45), (100 + 90, 150 + 45)]
    air = tube((10, 150), (100, 150), 9) | tube((100, 150), ends[0], 6) | tube((100, 150), ends[1], 6)
    assert fork(air, 18.0, aspect=0.5).angle_deg == pytest.approx(90, abs=3)


def test_trachea_without_bronchi_has_no_carina() -> None:
    with pytest.raises(ValueError, match="does not show where it parts"):
        carina(tube((10, 150), (200, 150), 9))


def test_costophrenic_angle_of_a_drawn_wedge() -> None:
    """Expected: the wedge's own angle. The patient's left lung lies at the right of the picture."""
    for angle in (30, 60, 90):
        rows, columns = np.indices((400, 400))
        down, inwards = 350 - rows, 350 - columns
        wedge = (inwards >= 0) & (down >= 0) & (inwards <= down * math.tan(math.radians(angle)) + 1e-9)
        if angle == 90:
            wedge = (inwards >= 0) & (down >= 0)
        assert costophrenic(wedge, True, 600).angle_deg == pytest.approx(angle, abs=3)
        assert costophrenic(wedge[:, ::-1], False, 600).angle_deg == pytest.approx(angle, abs=3)


def test_size_of_a_drawn_pneumothorax() -> None:
    """Expected: a lung of 300 x 100 with a rim of air of 20 columns at its side and 30 rows above."""
    whole = np.zeros((400, 400), dtype=bool)
    whole[50:350, 250:350] = True
    inner = np.zeros_like(whole)
    inner[80:350, 250:330] = True
    size = collapse(whole & ~inner, inner, True)
    assert size.apex_px == 30 and size.lateral_px == 20
    assert size.share == pytest.approx(1 - 270 * 80 / (300 * 100))
    assert collapse(whole & ~inner, whole, True) == size


def test_bend_of_a_circle_is_its_curvature_and_of_a_line_nothing() -> None:
    """Expected: 1 / radius, within what six points and differences of differences allow; 0 for a straight border."""
    angles = np.linspace(-0.5, 0.5, 6)
    arc = [(200 + 150 * math.sin(a), 100 + 150 * math.cos(a)) for a in angles]
    assert bend(arc) == pytest.approx(1 / 150, rel=0.25)
    assert bend([(float(r), 100.0 + 0.3 * r) for r in range(0, 60, 10)]) == pytest.approx(0, abs=1e-9)


def test_share_beyond_the_line_from_heart_to_trachea() -> None:
    ascending = np.zeros((200, 200), dtype=bool)
    ascending[50:100, 90:110] = True
    assert beyond(ascending, (150.0, 100.0), (20.0, 100.0)) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="above and medial"):
        beyond(ascending, (20.0, 100.0), (150.0, 90.0))


def test_knob_is_looked_for_above_the_carina_only() -> None:
    aorta = disc(60, 100, 20) | disc(140, 110, 25)
    found = knob(aorta, 110.0, 18.0)
    assert abs(found.row - 60) <= 1 and found.column == 120
    with pytest.raises(ValueError, match="above the carina"):
        knob(disc(150, 100, 20), 110.0, 18.0)


def test_tip_and_its_distance() -> None:
    device = np.zeros((200, 200), dtype=bool)
    device[:120, 98:103] = True
    tip = tip_of(device)
    assert tip == (119.0, 100.0)
    assert tip_distance(tip, (170.0, 101.0)).above_px == 51 and tip_distance(tip, (170.0, 101.0)).above_mm is None
    measured_mm = tip_distance(tip, (170.0, 101.0), (0.7, 0.6))
    assert measured_mm.above_mm == pytest.approx(51 * 0.7) and measured_mm.unit == "mm"


def test_tip_of_the_phantoms_tube_is_as_far_from_the_carina_as_its_truth_says() -> None:
    film = phantom(3, "ett:40mm", view=View.AP)
    sheet = sheet_of(film, tips={"ett": tip_of(film.masks["ett"])})
    [done] = measured(sheet, ["tube_tip"])
    assert done.value("tip_above_carina_mm") == pytest.approx(film.measures["ett_tip_to_carina_mm"], abs=3)
    assert "endotracheal tube" in done.sentences[0]


def test_pneumothorax_is_measured_on_an_outline_and_refused_without_one() -> None:
    film = phantom(3, "pneumothorax:left:40%")
    sheet = sheet_of(film, air={"left": film.masks["pneumothorax_left"]})
    [done] = measured(sheet, ["pneumothorax_size"])
    assert (
        done.measured
        and done.side == "left"
        and done.value("pneumothorax_share")
        == pytest.approx(
            film.masks["pneumothorax_left"].sum() / (film.masks["left_lung"] | film.masks["pneumothorax_left"]).sum(),
            abs=0.01,
        )
    )
    [refused] = measured(sheet_of(film), ["pneumothorax_size"])
    assert not refused.measured and "No tool here outlines the free air" in refused.reason


@pytest.mark.parametrize("rotation_deg", [-8.0, 8.0])
def test_rotated_patient_is_told_by_the_clavicles(rotation_deg: float) -> None:
    film = make_phantom(PhantomSpec(seed=3, size=FILM_SIZE, rotation_deg=rotation_deg))
    made = one(film, "rotation")
    assert made.status is Status.PRESENT, made.sentences
    straight = make_phantom(PhantomSpec(seed=3, size=FILM_SIZE, rotation_deg=0.0))
    assert one(straight, "rotation").status is Status.ABSENT


def test_shifted_trachea_is_told_with_its_side() -> None:
    film = phantom(3, "pneumothorax:left:70%:tension:shift=30mm")
    made = one(film, "tracheal_deviation")
    offset = made.value("tracheal_offset_mm")
    straight = one(phantom(3), "tracheal_deviation").value("tracheal_offset_mm")
    assert offset is not None and straight is not None and offset < straight - 2, "pushed to the patient's right"


def test_lung_cut_off_at_a_side_has_no_width_and_no_area() -> None:
    film = make_phantom(PhantomSpec(seed=3, size=FILM_SIZE, clip=("left", 0.2)))
    refused = {item.code: item.reason for item in measured(sheet_of(film)) if not item.measured}
    assert "cuts it off" in refused["lung_areas"] and "cut" in refused["cardiothoracic_ratio"]
    included = one(film, "inclusion")
    assert included.status is Status.PRESENT and "left lung" in included.sentences[0]
    assert one(phantom(3), "inclusion").status is Status.ABSENT


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (judge_angle(60)[0], Status.ABSENT), (judge_angle(82)[0], Status.UNCERTAIN),
        (judge_angle(95)[0], Status.PRESENT), (judge_angle(30)[0], Status.PRESENT),
        (judge_deviation(0.3, "left")[0], Status.ABSENT),
        (judge_deviation(1.1, "left")[0], Status.UNCERTAIN), (judge_deviation(1.6, "left")[0], Status.PRESENT),
        (judge_mediastinum(0.2)[0], Status.ABSENT), (judge_mediastinum(0.3)[0], Status.UNCERTAIN),
        (judge_mediastinum(0.4)[0], Status.PRESENT), (judge_width(1.8, "aortic_knob", "aortic knob")[0], Status.ABSENT),
        (judge_width(2.6, "aortic_knob", "aortic knob")[0], Status.UNCERTAIN),
        (judge_width(3.1, "aortic_knob", "aortic knob")[0], Status.PRESENT), (judge_ascending(0.0)[0], Status.ABSENT),
        (judge_ascending(0.2)[0], Status.PRESENT), (judge_ascending(0.5)[0], Status.UNCERTAIN),
        (judge_rotation(0.9)[0], Status.ABSENT), (judge_rotation(0.1)[0], Status.PRESENT),
        (judge_areas(0.8)[0], Status.ABSENT), (judge_areas(0.4)[0], Status.PRESENT), (judge_recess(45), Status.ABSENT),
        (judge_recess(80), Status.UNCERTAIN), (judge_recess(100), Status.PRESENT),
        (judge_tip("ett", 50)[0], Status.ABSENT),
        (judge_tip("ett", 10)[0], Status.PRESENT), (judge_tip("ett", None)[0], Status.NOT_ASSESSED),
        (judge_tip("central_line", 50)[0], Status.NOT_ASSESSED),
    ],
)  # fmt: skip
def test_verdicts_at_their_limits(verdict: Status, status: Status) -> None:
    assert verdict is status


def test_all_that_can_be_measured_comes_with_why_the_rest_cannot() -> None:
    film = phantom()
    context, image_id, _ = context_of(film, masks=exact(film))
    result = measure.run(context, {"image_id": image_id})
    assert isinstance(result.data, MeasureData)
    assert [item.code for item in result.data.measurements] == list(TASKS)
    assert all(item.measured or item.reason for item in result.data.measurements)
    assert {item.code for item in result.data.measurements if not item.measured} == NOT_HERE
    assert "Not measured: inspiration" in result.summary or "More is in" in result.summary
    codes = [row.code for row in result.findings]
    assert codes == [
        "cardiomegaly",
        "enlarged_cardiomediastinum",
        "aortic_enlargement",
        "mediastinal_shift",
        "hemidiaphragm_elevation",
    ]


@pytest.mark.parametrize(
    ("ratio", "status", "side"),
    [(0.06, Status.ABSENT, None), (-0.05, Status.PRESENT, "left"), (0.2, Status.PRESENT, "right"),
     (0.0, Status.UNCERTAIN, None)],
)  # fmt: skip
def test_levels_of_the_domes_are_judged(ratio: float, status: Status, side: str | None) -> None:
    """The limits are the range of JSRT; by reading."""
    assert judge_domes(ratio)[:2] == (status, side)


def test_no_levels_where_fluid_hides_a_dome() -> None:
    film = phantom()
    none = np.zeros_like(film.masks["left_lung"])
    refused = one(film, "diaphragm_levels", left_diaphragm=none)
    assert not refused.measured and refused.reason


def test_one_task_is_answered_first_and_in_full() -> None:
    film = phantom()
    context, image_id, _ = context_of(film, masks=exact(film))
    said = measure.run(context, {"image_id": image_id, "tasks": ["tracheal_deviation"]}).summary
    assert said.startswith("The trachea is not deviated.") and "measurement error" in said


def test_without_spacing_there_are_no_millimetres() -> None:
    film = phantom()
    bare = as_view(film, View.PA, spacing_mm=None, spacing_origin=None)
    context, image_id, _ = context_of(film, radiograph=bare, masks=exact(film))
    result = measure.run(context, {"image_id": image_id})
    assert isinstance(result.data, MeasureData)
    units = {quantity.unit for item in result.data.measurements for quantity in item.quantities}
    assert not units & {"mm", "mm²"} and " mm" not in result.summary
    assert "no size in mm is claimed" in result.data.spacing


def test_unknown_task_is_bad_arguments_with_the_nearest() -> None:
    context, image_id, pool = context_of(phantom())
    failure = measure.run(context, {"image_id": image_id, "tasks": ["carina_angel"]}).failure
    assert failure is not None and failure.kind == "bad_arguments" and "'carina_angle'" in failure.hint
    assert pool.calls == []


def test_uncertain_or_missing_outline_is_refused_with_its_name() -> None:
    film = phantom()
    uncertain = replace(exact(film), quality=np.full(len(EXACT), 0.3, dtype=np.float32))
    [done] = measured(sheet_of(film, uncertain), ["carina_angle"])
    assert not done.measured and "uncertain" in done.reason
    missing = one(film, "tracheal_deviation", spine=np.zeros_like(film.masks["spine"]))
    assert missing.reason == "The spine was not found on this film."


def test_landmarks_of_bones() -> None:
    spine = tube((0, 100), (299, 130), 10)
    line = spine_line(spine, 20, 250)
    assert line.slope == pytest.approx(0.1, abs=0.01) and line.column(150) == pytest.approx(115, abs=1)
    clavicle = tube((50, 20), (70, 80), 4)
    assert medial_end(clavicle, False) == (pytest.approx(71, abs=2), pytest.approx(84, abs=1))
    assert medial_end(clavicle, True)[1] == pytest.approx(16, abs=1)


QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "measure the carina angle": ("carina_angle",), "is the trachea deviated": ("tracheal_deviation",),
    "is the patient rotated": ("rotation",), "how wide is the mediastinum": ("mediastinal_width",),
    "is the aortic knob enlarged": ("aortic_knob",), "is the patient straight": ("rotation",),
    "is the descending aorta tortuous": ("descending_aorta_tortuosity",),
    "how large is the pleural effusion": ("effusion_height",),
    "what is the diameter of the lung nodule": ("lesion_diameter",),
    "is there an effusion": (), "are the costophrenic angles sharp": ("costophrenic_angles",),
}  # fmt: skip


@pytest.mark.parametrize("words", QUESTIONS)
def test_words_name_their_measurement(words: str) -> None:
    assert asked_of(words) == QUESTIONS[words]


def test_limits_are_read_from_the_table() -> None:
    assert measurement("cardiothoracic_ratio").limits["pa"] == 0.5
    assert measurement("carina_angle").limits == {"low": 40.0, "high": 80.0}

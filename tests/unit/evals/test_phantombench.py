"""PhantomBench: one true option per question, the same ones every time, alike in every track but for the film."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from evals.phantombench import bench
from evals.phantombench.balance import Balance
from evals.phantombench.categories import CATEGORIES
from evals.phantombench.categories.parts import class_of
from evals.phantombench.drafts import Draft, lettered, matched
from evals.phantombench.films import Shown, show
from evals.phantombench.patients import PERTURBED, Patient, draw_patient, scenarios, twin_of
from evals.progress import Silent
from evals.questions import Questions
from imaging.failures import BadArguments
from imaging.phantom import PhantomSpec, parse_finding


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("phantombench")


@pytest.fixture(autouse=True, scope="module")
def small_films() -> object:
    """128 pixels are enough for truth, and quick to make."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evals.phantombench.patients.FILM_PIXELS", 128)
        yield


def load(track: str, n: int, logs: Path, seed: int = 0) -> Questions:
    return bench.load(track, n, seed, logs, Silent())


def options(text: str) -> dict[str, str]:
    return dict(line.split(") ", 1) for line in text.splitlines()[1:])


def test_questions_are_spread_evenly_and_share_films(logs: Path) -> None:
    questions = load("standard", 14, logs)
    counts = Counter(question.categories[0] for question in questions.items)
    assert set(counts) == set(CATEGORIES) and set(counts.values()) == {2}
    assert len({question.id for question in questions.items}) == 14
    films = {film for question in questions.items for film in question.films}
    assert len(films) < 14 and all(film.is_file() for film in films)
    for question in questions.items:
        assert question.target in question.letters == "".join(options(question.text))
        assert len(question.films) == (2 if question.categories == ("comparison",) else 1)
        assert question.groups["sex"] in {"M", "F"} and question.groups["age"]
    again = load("standard", 14, logs)
    assert again == questions
    assert load("standard", 22, logs, seed=1).sha256 != questions.sha256


def test_perturbed_tracks_ask_the_same_of_other_films(logs: Path) -> None:
    plain = {(q.id, q.text): q.films for q in load("standard", 7, logs).items}
    noisy = {(q.id, q.text): q.films for q in load("noise", 7, logs).items}
    assert plain.keys() == noisy.keys(), "dose changes no truth"
    assert not set(plain.values()) & set(noisy.values())


@pytest.mark.parametrize("track", sorted(PERTURBED))
def test_perturbed_patients_differ_only_in_what_the_track_does(track: str) -> None:
    plain, other = draw_patient(0, 4, "standard").spec, draw_patient(0, 4, track).spec
    changed = {name for name in plain.__dataclass_fields__ if getattr(plain, name) != getattr(other, name)}
    assert changed == set(PERTURBED[track])


def test_pairs_have_the_same_words_and_different_answers(logs: Path) -> None:
    questions = load("paired", 14, logs).items
    assert len(questions) == 14 and len({question.categories for question in questions}) == 7
    for one, other in zip(questions[::2], questions[1::2], strict=True):
        assert one.pair == other.pair and one.case_id == other.case_id
        assert one.text == other.text and one.target != other.target and one.films != other.films


def _shown(folder: Path, *findings: str) -> Shown:
    spec = PhantomSpec(seed=5, size=128, position="erect", findings=tuple(map(parse_finding, findings)))
    return show([Patient("p", "x", spec)], folder)[0]


def test_truth_of_a_known_patient(logs: Path) -> None:
    """A patient with a mass at the left top and fluid on the right: what each category must say of it."""
    shown = _shown(logs, "mass:left:upper:35mm", "effusion:right:1200ml")
    asked = ("localization", "relationship", "characterization", "detection")
    drafts = {d.stem: d for name in asked for d in CATEGORIES[name](shown, Random(0))}
    assert drafts["Where is the lung mass?"].right == "left upper zone"
    assert drafts["On which side is the pleural effusion?"].right == "on the right only"
    between = drafts["How do the pleural effusion and the lung mass lie to each other?"]
    assert between.right == "the pleural effusion is on the right, the lung mass on the left"
    assert drafts["How large is the pleural effusion?"].right == "over 950 ml"
    assert drafts["What is the diameter of the lung mass?"].right == "3 to 4 cm"
    assert drafts["Which costophrenic angle is blunted?"].right == "the right one"
    assert drafts["On which side is the pneumothorax?"].right == "nowhere: there is none"
    assert drafts["How does the mediastinum lie to the pneumothorax?"].right == "there is no pneumothorax"
    assert drafts["Where does the tip of the endotracheal tube lie?"].right == "there is no such tube"
    assert drafts["Which device does the film show?"].right == "no device"
    assert not [stem for stem in drafts if "domes" in stem], "one lies hidden in fluid"


def test_no_wrong_option_is_true(logs: Path) -> None:
    shown = _shown(logs, "effusion:bilateral:400ml", "cardiomegaly:0.62", "edema:0.9")
    present = {"pleural effusion", "cardiomegaly", "pulmonary edema"}
    for attempt in range(30):
        for draft in CATEGORIES["detection"](shown, Random(attempt)):
            claimed = {name for name in present for option in draft.wrong if option in (name, f"There is {name}.")}
            assert not claimed, draft


def test_what_became_of_a_finding(logs: Path) -> None:
    drawn = (draw_patient(0, number, "standard") for number in range(0, 300, 2))
    patient = next(patient for patient in drawn if patient.change == ("effusion", "larger"))
    (shown,) = show([patient], logs)
    code, _ = patient.change or ("", "")
    before, after = (sum(f["area_mm2"] for f in facts["findings"] if f["code"] == code) for facts in shown.facts)
    assert after > before > 0
    stems = {draft.right for draft in CATEGORIES["comparison"](shown, Random(0))}
    assert {"larger on film 2", "absent on both films", "none of these"} <= stems
    twin = twin_of(patient, 0, 0)
    assert twin.change == (code, "smaller") and twin.spec.findings == patient.prior


def test_no_option_is_right_more_often_than_a_guess() -> None:
    """Of 400 patients, eight in ten have one truth: a guess of it would be right in 80 %."""
    told, options, balance = Random(4), ("left", "right", "both"), Balance()
    asked = []
    for number in range(400):
        right = told.choices(options, weights=(8, 1, 1))[0]
        draft = Draft(f"On film {number}: which side?", right, tuple(o for o in options if o != right))
        asked += [each.right for each in balance.choose("side", [draft, draft], most=2)]
    counts = Counter(asked)
    assert len(asked) > 100 and set(counts) == set(options)
    assert max(counts.values()) / len(asked) < 0.5, counts  # 5/4 of a third, and what the bound grew by


def test_a_truth_without_alternative_is_asked_rarely_but_asked() -> None:
    """Films are not made for ever where only one truth is to be had: the bound grows by half in six patients."""
    balance, draft = Balance(), Draft("Which?", "a", ("b",))
    asked = [bool(balance.choose("c", [draft], most=2)) for _ in range(60)]
    assert asked[0] and 5 <= sum(asked) <= 12, asked


def test_scenarios_and_sides_go_round() -> None:
    pool = len(scenarios()["scenario"])
    rounds = [[draw_patient(1, turn * pool + place, "standard") for place in range(pool)] for turn in range(4)]
    assert all(len({patient.diagnosis for patient in patients}) == pool for patients in rounds)
    cancer = [p.spec.findings for patients in rounds for p in patients if p.diagnosis.startswith("lung cancer")]
    assert len({(mass.side, fluid.side) for mass, fluid, *_ in cancer}) == 4


def test_scenarios_name_what_the_phantom_can_show() -> None:
    patients = [draw_patient(3, number, "standard") for number in range(200)]
    assert {p.diagnosis for p in patients} == {entry["diagnosis"] for entry in scenarios()["scenario"]}
    assert {p.change[1] for p in patients if p.change} == {"new", "larger", "smaller", "unchanged", "resolved"}


def test_a_draft_has_one_true_option() -> None:
    with pytest.raises(ValueError, match="no single true option"):
        Draft("Which?", "a", ("a", "b"))
    text, letters, target = lettered(Draft("Which?", "a", tuple("bcdefgh")), Random(0))
    assert letters == "ABCDEF" and options(text)[target] == "a"
    assert matched(Draft("Which?", "a", ("b",)), Draft("Which?", "c", ("d",))) is None
    pair = matched(Draft("Which?", "a", ("b", "c")), Draft("Which?", "b", ("a", "c")))
    assert pair is not None and pair[0].wrong == ("b", "c") and pair[1].wrong == ("a", "c")


@pytest.mark.parametrize(("value", "number"), [(1.0, 0), (2.04, None), (3.0, 1), (9.0, 2)])
def test_too_close_to_a_bound_is_not_asked(value: float, number: int | None) -> None:
    assert class_of(value, (2.0, 5.0), 0.1) == number


def test_bad_counts_are_refused(logs: Path) -> None:
    with pytest.raises(BadArguments, match="--n is 0"):
        load("standard", 0, logs)
    with pytest.raises(BadArguments, match="at least 2"):
        load("paired", 1, logs)


def test_letters_are_near_uniform() -> None:
    """Who always says A must not profit: of 600 drafts with six options 100; 30 more is over 3 deviations."""
    draft = Draft("Which?", "a", tuple("bcdef"))
    counts = Counter(lettered(draft, Random(seed))[2] for seed in range(600))
    assert all(70 <= counts[letter] <= 130 for letter in "ABCDEF"), json.dumps(counts)

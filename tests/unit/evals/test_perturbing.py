"""Changes that should not matter: what each does to film and words, and that only it is changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.answer import Answer
from agent.settings import Settings
from evals.comparing import compare_runs
from evals.perturbing import FOLDER, PIXELS, TITLES, misinformed, perturbed, reworded
from evals.progress import Silent
from evals.questions import Question, Questions, options_of
from evals.records import read_run
from evals.tasks import run_task
from imaging import open_film
from imaging.failures import BadArguments
from imaging.phantom import PhantomFilm, PhantomSpec, make_phantom

TEXT = "Which of these is new?\nA) effusion\nB) edema\nC) none"
QUESTION = Question("q1", "c1", TEXT, "ABC", "B", (), ("detection",), regions=((1, 2, 3, 4),))


@pytest.fixture(scope="module")
def phantom() -> PhantomFilm:
    return make_phantom(PhantomSpec(seed=3, size=256))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(profile="embedded", state_dir=tmp_path / "state", device="cpu")


def asked(*films: Path, **more: object) -> Questions:
    return Questions((replace(QUESTION, films=films, **more),), "sha", ("as made",))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", PIXELS)
def test_film_is_changed_and_its_header_stays(
    name: str, phantom: PhantomFilm, tmp_path: Path, settings: Settings
) -> None:
    phantom.write_dicom(tmp_path / "a.dcm")
    before = open_film(tmp_path / "a.dcm")
    made = perturbed(name, asked(tmp_path / "a.dcm"), 0, tmp_path, settings)
    [file] = made.items[0].films
    after = open_film(file)
    assert after.id != before.id and after.view == before.view and after.spacing_mm == before.spacing_mm
    assert (after.patient_key, after.acquired, after.sex) == (before.patient_key, before.acquired, before.sex)
    assert made.sha256 != "sha" and made.notes[0] == "as made" and TITLES[name] in made.notes[-1]
    assert made.items[0].regions == (() if name in ("rotation", "crop") else QUESTION.regions)
    assert perturbed(name, asked(tmp_path / "a.dcm"), 0, tmp_path, settings).items[0].films == (file,), "made once"
    if name == "crop":
        assert after.shape == (256 - 2 * 13, 256 - 2 * 13)
        assert np.allclose(after.pixels, before.pixels[13:-13, 13:-13], atol=2e-3)
    elif name == "brightness":
        assert np.allclose(after.pixels, np.minimum(before.pixels + 0.15, 1), atol=2e-3)
    else:
        difference = float(np.abs(after.pixels - before.pixels).mean())
        assert 1e-3 < difference < 0.1


def test_noise_is_as_strong_as_it_says(phantom: PhantomFilm, tmp_path: Path, settings: Settings) -> None:
    """On mid grey, where nothing is cut off, the deviation is 3 % of the range; another seed is other noise."""
    Image.fromarray(np.full((200, 200), 120, np.uint8)).save(tmp_path / "grey.png")
    deviation = []
    for seed in (0, 1):
        [file] = perturbed("noise", asked(tmp_path / "grey.png"), seed, tmp_path, settings).items[0].films
        deviation.append(np.asarray(Image.open(file)).std() / 65535)
    assert deviation == pytest.approx([0.03, 0.03], rel=0.03) and deviation[0] != deviation[1]


def test_masked_lungs_hold_no_lung(phantom: PhantomFilm, tmp_path: Path, settings: Settings) -> None:
    phantom.write_dicom(tmp_path / "a.dcm")
    [file] = perturbed("without-lungs", asked(tmp_path / "a.dcm"), 0, tmp_path, settings).items[0].films
    lungs = phantom.masks["left_lung"] | phantom.masks["right_lung"]
    spread = [np.ptp(np.percentile(p[lungs], [5, 95])) for p in (open_film(file).pixels, phantom.radiograph.pixels)]
    assert spread[0] < 0.01 < spread[1], "one grey where the lungs were"
    Image.fromarray(np.zeros((128, 128), np.uint8)).save(tmp_path / "black.png")
    told = perturbed("without-lungs", asked(tmp_path / "black.png"), 0, tmp_path, settings)
    assert told.items[0].films == (tmp_path / "black.png",) and told.notes[-1].startswith("1 of 1 questions could not")


def test_colleague_is_wrong() -> None:
    said = {misinformed(QUESTION, seed).text.split('"')[1] for seed in range(20)}
    assert said == {"effusion", "none"}, "never the true answer, edema"
    told = misinformed(QUESTION, 0)
    assert (
        told.text.endswith(TEXT) and replace(told, text=TEXT) == QUESTION and options_of(told) == options_of(QUESTION)
    )
    closed = replace(QUESTION, letters="", target="Yes", text="Is there an effusion?")
    assert 'the answer is "no"' in misinformed(closed, 0).text
    opened = replace(closed, target="left lung")
    assert misinformed(opened, 0) == opened


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("Which of these is new?", "What out of these is new?"),
        ("On which side is the pleural effusion?", "What side is the pleural effusion on?"),
        ("How large is the pneumothorax?", "What is the size of the pneumothorax?"),
        ("Is there an effusion in the image?", "Does one see an effusion in the picture?"),
    ],
)
def test_question_is_reworded_and_its_options_are_not(stem: str, expected: str) -> None:
    question = replace(QUESTION, text=TEXT.replace("Which of these is new?", stem))
    texts = {reworded(question, seed).text for seed in range(30)}
    assert all(text.endswith(f"{expected}{TEXT.partition('?')[2]}") for text in texts) and len(texts) == 5


class Obedient:
    """Says what the colleague says, else B."""

    planner_name = "obedient"

    def session(self) -> Obedient:
        return self

    def ask(self, question: str, films: object = ()) -> Answer:
        said = question.split('"')[1] if "colleague" in question else "edema"
        letter = next(letter for letter, words in options_of(replace(QUESTION, text=question)).items() if words == said)
        return Answer(question=question, text=f"ANSWER: {letter}", claims=[], findings=[], evidence=[], images=[],
                      planner="obedient")  # fmt: skip


def test_runs_with_and_without_are_compared(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that believes everything: right without the colleague, wrong with him, and no answer the same."""
    items = tuple(replace(QUESTION, id=f"q{n}", case_id=f"c{n}") for n in range(4))
    benchmark = type("Made", (), {"makes": True, "load": lambda self, wanted: Questions(items, "sha")})()
    monkeypatch.setattr("evals.tasks.benchmark_named", lambda name: benchmark)
    common = {"settings": settings, "agent": Obedient(), "progress": Silent(), "log_dir": tmp_path}
    plain = run_task("made", **common)  # type: ignore[arg-type]
    changed = run_task("made", perturb="misinformation", **common)  # type: ignore[arg-type]
    assert (plain.overall.value, changed.overall.value) == (1, 0) and plain.folder != changed.folder
    runs = read_run(plain.folder), read_run(changed.folder)
    assert runs[1].title == "made · obedient · misinformation"
    told = compare_runs(*runs)["overall"]
    assert (told["difference"], told["same_answer"], told["only_a"]) == (-1, 0, 4)
    assert compare_runs(runs[0], runs[0])["overall"]["same_answer"] == 1


def test_unknown_change_is_refused(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(BadArguments, match="no change 'fog'"):
        perturbed("fog", asked(), 0, tmp_path, settings)
    assert perturbed("", asked(), 0, tmp_path, settings) == asked() and not (tmp_path / FOLDER).exists()

"""The audit: its AUROC against scikit-learn, its groups against drawn truth, and its report as the tool tells it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from rich.console import Console
from sklearn.metrics import roc_auc_score

from evals.audit.cohort import UNKNOWN, Cohort, Film, usable, with_scores
from evals.audit.looking import Looking
from evals.audit.masking import variants
from evals.audit.ranking import Resamples, auroc, enough, figure
from evals.audit.running import Asked, run_audit
from evals.audit.showing import show_audit
from evals.progress import Silent
from imaging.failures import BadArguments
from imaging.phantom import PhantomSpec, make_phantom
from imaging.radiograph import View
from imaging.store import ImageStore
from models.outputs import Masks, Task
from models.pool import ModelPool
from tools.audit import AuditData, audit
from tools.audits import Audit, audit_of
from tools.audits.tables import markdown
from tools.cases.entries import Given, read_table
from tools.contract import ToolContext

RNG = np.random.default_rng(0)


def test_auroc_is_scikit_learns_with_ties_and_weights() -> None:
    truth = RNG.random(300) < 0.3
    scores = np.round(truth + RNG.normal(size=300), 1)
    weights = RNG.integers(0, 4, size=(5, 300)).astype(float)
    expected = [roc_auc_score(truth, scores, sample_weight=row) for row in weights]
    assert np.allclose(auroc(truth, scores, weights), expected)
    assert np.isnan(auroc(np.zeros(300, dtype=bool), scores, weights)).all()


def test_films_of_one_patient_come_and_go_together() -> None:
    patients = np.array(["a", "b", "a", "c"])
    weights = Resamples(patients, 50).weights
    assert (weights[0] == 1).all() and (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_interval_holds_the_truth_of_a_known_separation() -> None:
    """Truth: two normal distributions one deviation apart have an AUROC of 0.7602 (Phi(1 / sqrt 2))."""
    truth = np.arange(1200) % 3 == 0
    scores = np.random.default_rng(5).normal(size=1200) + truth
    weights = Resamples(np.arange(1200).astype(str), 200).weights
    found = figure(auroc(truth, scores, weights), truth)
    assert found.low < 0.7602 < found.high and found.high - found.low < 0.1
    assert (found.positives, found.negatives) == (400, 800)


def film(number: int, sex: str, age: float, there: bool, score: float, **labels: bool) -> Film:
    given = Given(
        patient_key=f"p{number}", sex=sex, age_years=age, view=View.PA, labels={"pneumothorax": there, **labels}
    )
    return Film(f"{number}.png", f"p{number}", given, {"whole": {"pneumothorax": score, "mass": 0.5}})


def cohort() -> Cohort:
    """Women's scores say nothing, men's are right; drained pneumothoraces score high, others as their absence."""
    rng = np.random.default_rng(1)
    films = []
    for number in range(400):
        sex, there = ("F", "M")[number % 2], number % 4 < 2
        drain = there and number % 8 < 2
        score = rng.random() if sex == "F" else there + 0.2 * rng.random()
        films.append(film(number, sex, 30 + number % 50, there, score, chest_drain=drain, mass=number % 5 == 0))
    return Cohort(films)


def test_worst_group_is_found_with_its_gap() -> None:
    sexes = next(each for each in Looking(cohort(), ["pneumothorax"]).attributes() if each.name == "sex")
    assert (sexes.worst, sexes.best) == ("women", "men")
    assert sexes.gap is not None and sexes.gap.low > 0.3
    men = next(row for row in sexes.groups if row.group == "men")
    assert men.mean is not None and men.mean.value == 1.0 and men.films == 200
    assert men.findings["pneumothorax"].positives == 100


def test_attributes_are_parted_and_intersect() -> None:
    names = [each.name for each in Looking(cohort()).attributes()]
    assert names == ["age", "sex", "age and sex"]
    groups = next(each for each in Looking(cohort()).attributes() if each.name == "age and sex").groups
    assert len(groups) == 6 and sum(row.films for row in groups) == 400


def test_group_with_too_few_films_has_no_figure() -> None:
    films = [film(n, "F" if n else "M", 30, n % 2 == 0, 0.5) for n in range(60)]
    sexes = next(each for each in Looking(Cohort(films)).attributes() if each.name == "sex")
    lone = next(row for row in sexes.groups if row.group == "men")
    assert lone.mean is None and not lone.findings and sexes.gap is None
    assert not enough(np.array([True] * 5 + [False] * 50))


def test_device_gap_is_that_of_films_with_and_without_it() -> None:
    rng = np.random.default_rng(2)
    films = []
    for number in range(300):
        there = number % 3 == 0
        drain = there and number % 2 == 0
        films.append(film(number, "F", 50, there, 2.0 if drain else rng.random(), chest_drain=drain))
    [found] = Looking(Cohort(films)).shortcuts()
    assert found.device == "chest_drain" and found.with_device is not None and found.without_device is not None
    assert found.with_device.value == 1.0 and found.with_device.positives == 50
    assert abs(found.without_device.value - 0.5) < 0.12 and found.gap is not None and found.gap.low > 0.3


def test_masked_variants_hide_what_they_say() -> None:
    """Truth: the phantom's lungs."""
    phantom = make_phantom(PhantomSpec(seed=2, size=256))
    lungs = phantom.masks["left_lung"] | phantom.masks["right_lung"]
    masks = Masks(("left_lung", "right_lung"), np.stack([phantom.masks["left_lung"], phantom.masks["right_lung"]]),
                  np.ones(2, dtype=np.float32))  # fmt: skip
    made = variants(phantom.radiograph, masks)
    pixels = phantom.radiograph.pixels
    assert made["whole"] is phantom.radiograph
    assert np.ptp(made["without_lungs"].pixels[lungs]) == 0 and np.ptp(made["without_chest"].pixels[lungs]) == 0
    assert np.array_equal(made["lungs_alone"].pixels[lungs], pixels[lungs])
    corner = (slice(0, 10), slice(0, 10))
    assert np.array_equal(made["without_chest"].pixels[corner], pixels[corner])
    assert np.ptp(made["lungs_alone"].pixels[corner]) == 0
    empty = Masks(("left_lung", "right_lung"), np.zeros((2, 256, 256), dtype=bool), np.zeros(2, dtype=np.float32))
    assert list(variants(phantom.radiograph, empty)) == ["whole"]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A table of labels, and scores with masked variants, of 80 films."""
    labels, scores = tmp_path / "labels.csv", tmp_path / "scores.csv"
    rng = np.random.default_rng(3)
    with labels.open("w", newline="") as one, scores.open("w", newline="") as other:
        label, score = csv.writer(one), csv.writer(other)
        label.writerow(["file", "patient", "age", "sex", "view", "Effusion"])
        score.writerow(["file", "effusion", "effusion:without_lungs", "effusion:without_chest", "effusion:lungs_alone"])
        for number in range(80):
            there = number % 2
            label.writerow([f"{number}.png", number, 20 + number % 60, "FM"[number % 3 == 0], "PA", there])
            noise = rng.random(3)
            score.writerow([f"a/{number}.png", there + noise[0], noise[1], noise[2], there + noise[0]])
    return labels, scores


def context(home: Path) -> ToolContext:
    return ToolContext(films=ImageStore(), models=ModelPool(device="cpu", profile="embedded"), home=home)


def run(files: tuple[Path, Path], **more: Any) -> Audit:
    labels, scores = files
    return run_audit(Asked(None, labels, "embedded-classifier", scores, **more), context(Path()).models, Silent())


def test_audit_of_given_scores_is_told_by_the_tool(files: tuple[Path, Path], tmp_path: Path) -> None:
    made = run(files, said="made up")
    assert made.films == made.patients == 80 and made.overall.findings["effusion"].value == 1.0
    [masked] = made.masking
    assert masked.whole.value == 1.0 and masked.without_lungs.low < 0.5 < masked.without_lungs.high
    assert any("chest drains" in reason for reason in made.missing)
    made.write(tmp_path / "audits" / "embedded-classifier.json")
    assert audit_of("embedded-classifier", tmp_path) == made
    result = audit.run(context(tmp_path), {})
    assert result.ok and isinstance(result.data, AuditData) and result.data.audit == made
    assert result.summary.startswith("Audited on 80 films of 80 patients (made up): mean AUROC 1.000")
    assert "With the lungs masked no finding is told better than by chance." in result.summary
    assert "| effusion | 1.000" in markdown(made)
    with (console := Console(width=160)).capture() as told:
        show_audit(made, console)
    assert told.get().startswith(made.title) and "effusion" in told.get()


def test_no_audit_is_unavailable_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.audits.report.SHIPPED", "tools")
    result = audit.run(context(tmp_path), {})
    assert result.failure is not None and result.failure.kind == "unavailable"
    assert "hilum eval audit" in result.failure.hint


def test_table_without_labels_of_the_model_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("file,scoliosis\n1.png,1\n")
    with pytest.raises(BadArguments, match="No film has a label"):
        usable(with_scores(read_table(tmp_path / "other.csv"), files[1]))


def test_unknown_attribute_is_not_a_group() -> None:
    films = [film(n, "F" if n % 2 else "", 30, n % 4 < 2, 0.5) for n in range(80)]
    assert "sex" not in Cohort(films).attributes()
    assert UNKNOWN not in str(Looking(Cohort(films)).attributes())


def test_folder_is_scored_once_and_goes_on_after_a_break(tmp_path: Path) -> None:
    """Two phantoms of 96 pixels, scored by the embedded classifier."""
    folder = tmp_path / "films"
    folder.mkdir()
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "Effusion"])
        for number in range(2):
            make_phantom(PhantomSpec(seed=number, size=96)).write_png(folder / f"{number}.png")
            table.writerow([f"{number}.png", number % 2])
    asked = Asked(folder, tmp_path / "labels.csv", "embedded-classifier", log_dir=tmp_path / "logs")
    models = ModelPool(device="cpu", profile="embedded")
    first = run_audit(asked, models, Silent())
    assert first.films == 2 and first.overall.mean is None
    [kept] = (tmp_path / "logs").glob("audit-embedded-classifier-*.csv")
    assert len(kept.read_text().splitlines()) == 3

    class Broken:
        """Knows the models and runs none."""

        def __getattr__(self, name: str) -> Any:
            assert name in ("resolve", "card", "serves"), "a film was scored again"
            return getattr(models, name)

    again = run_audit(asked, cast(ModelPool, Broken()), Silent())
    assert again.overall == first.overall
    assert models.serves(Task.CLASSIFY)

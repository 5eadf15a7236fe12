"""`python -m evals.measurements`: its errors against ones worked out by hand, and what counts as truth."""

from __future__ import annotations

import json
import math
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from evals import measurements
from evals.measurements import Row, compared, exact_outlines, markdown, numbers_of, plain_film, table
from imaging.phantom import PhantomFilm, PhantomSpec, make_phantom
from models.card import ModelCard
from models.outputs import Masks, ScoreKind, Task
from models.recipes import anatomy
from tools.anatomy import Outlines

CARD = ModelCard(
    id="exact", title="Exact outlines", task=Task.SEGMENT, revision="r1", licence="Apache-2.0", source="tests",
    training_data="none", limits=["They are drawn."], score_kind=ScoreKind.SIMILARITY, score_meaning="none",
)  # fmt: skip


@cache
def phantom() -> PhantomFilm:
    return make_phantom(PhantomSpec(seed=2, size=256))


def with_heart_moved(outlines: Outlines, columns: int) -> Outlines:
    """The heart's outline shifted to the film's right, as a segmenter that errs."""
    masks = outlines.masks
    stack = masks.masks.copy()
    heart = masks.codes.index("heart")
    stack[heart] = np.roll(stack[heart], columns, axis=1)
    return Outlines(Masks(masks.codes, stack, masks.quality), outlines.card, "moved", "1")


def test_errors_of_a_number_are_those_worked_out_by_hand() -> None:
    """Errors of 0.1, -0.2 and 0.3, one film unmeasured: median 0.2, mean 0.2/3, 90 % at 0.2 + 0.8 x 0.1 (linear)."""
    rows = [Row("ctr", 0.4, 0.5), Row("ctr", 0.6, 0.4), Row("ctr", 0.5, 0.8), Row("ctr", 0.5, math.nan)]
    [told] = table(rows)
    assert told == {
        "code": "ctr", "films": 4, "measured": 3, "truth_median": 0.5,
        "median_error": 0.2, "error_90": 0.28, "bias": 0.0667,
    }  # fmt: skip


def test_a_number_that_was_never_measured_has_no_error_and_stays_in_the_table() -> None:
    assert table([Row("angle", 60.0, math.nan)]) == [{"code": "angle", "films": 1, "measured": 0}]
    assert markdown(table([Row("angle", 60.0, math.nan)])).splitlines()[-1] == "| `angle` | 1 | 0 | – | – | – | – |"


def test_exact_outlines_have_no_error_and_a_moved_heart_has() -> None:
    film = phantom()
    exact = exact_outlines(film, CARD)
    rows, _ = compared(film.radiograph, exact, exact, {})
    assert len(rows) > 10 and all(row.found == row.truth for row in rows)
    moved, _ = compared(film.radiograph, with_heart_moved(exact, 20), exact, {})
    wrong = {row.code for row in moved if row.found != row.truth}
    assert wrong and all(row.truth == same.truth for row, same in zip(moved, rows, strict=True))
    assert "mediastinal_width_mm" in {row.code for row in moved} - wrong, "the heart is no part of it"


def test_the_phantoms_own_measure_is_the_truth_where_it_has_one() -> None:
    film = phantom()
    exact = exact_outlines(film, CARD)
    values, _ = numbers_of(film.radiograph, exact)
    code, other = list(values)[:2]
    rows, _ = compared(film.radiograph, exact, exact, {code: 123.0, other: math.nan, "of another tool": 1.0})
    truth = {row.code: row.truth for row in rows}
    assert truth[code] == 123 and "of another tool" not in truth
    assert other not in truth, "where the phantom says that there is no such number, none is compared"


def test_what_could_not_be_measured_is_counted_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A phantom whose own outlines stand in for the segmenter's, twice; the second time no heart was found."""
    seeds: list[int] = []
    monkeypatch.setattr(anatomy, "draw_spec", seeds.append)
    monkeypatch.setattr(measurements, "make_phantom", lambda spec: phantom())
    monkeypatch.setattr(measurements, "ModelPool", lambda **given: None)

    def outlined(film: object, models: object) -> Outlines:
        masks = exact_outlines(phantom(), CARD).masks
        stack = masks.masks.copy()
        stack[masks.codes.index("heart")] &= len(seeds) == 1
        return Outlines(Masks(masks.codes, stack, masks.quality), CARD, "stub", "1")

    monkeypatch.setattr(measurements, "_outlined", outlined)
    out = tmp_path / "found.json"
    monkeypatch.setattr(sys, "argv", ["measurements", "--films", "2", "--first-seed", "2", "--json", str(out)])
    measurements.main()
    assert seeds == [2, 3]
    kept = json.loads(out.read_text(encoding="utf-8"))
    by_code = {row["code"]: row for row in kept["phantoms"]}
    assert (by_code["cardiothoracic_ratio"]["films"], by_code["cardiothoracic_ratio"]["measured"]) == (2, 1)
    assert by_code["mediastinal_width_mm"]["measured"] == 2 and by_code["mediastinal_width_mm"]["median_error"] < 2
    assert [
        sum(reasons.values()) for code, reasons in kept["not_measured"].items() if code == "cardiothoracic_ratio"
    ] == [1]
    told = capsys.readouterr().out
    assert (
        "| `cardiothoracic_ratio` | 2 | 1 |" in told
        and "cardiothoracic_ratio: 1 x The segmenter found no heart" in told
    )


def test_label_figures_part_the_films_by_their_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ratios as drawn: 0.6 and 0.5 with the label, 0.4 and 0.55 without: 3 of 4 pairs are in order."""
    rows = [
        "file,view,age,Cardiomegaly", "a.png,PA,50,1", "b.png,PA,60,1", "c.png,PA,40,0", "d.png,PA,70,0",
        "e.png,AP,50,1", "f.png,PA,9,1", "g.png,PA,30,0",
    ]  # fmt: skip
    (tmp_path / "nih.csv").write_text("\n".join(rows), encoding="utf-8")
    ratios = {"a.png": 0.6, "b.png": 0.5, "c.png": 0.4, "d.png": 0.55}
    monkeypatch.setattr("models.recipes.data.read_grey", lambda path: path.name)
    monkeypatch.setattr(measurements, "plain_film", lambda name: name)
    monkeypatch.setattr(measurements, "_outlined", lambda film, models: film)
    monkeypatch.setattr(measurements, "numbers_of", lambda film, outlines: ({"cardiothoracic_ratio": ratios[film]}, {}))
    told = measurements.label_figures(tmp_path, None, 4)  # type: ignore[arg-type]
    assert told == {
        "films": 4, "measured": 4, "with_label": 2, "auroc": 0.75, "median_with": 0.55, "median_without": 0.475,
    }  # fmt: skip


def test_a_film_without_spacing_gets_no_millimetres() -> None:
    film = plain_film(phantom().radiograph.pixels)
    assert film.spacing_mm is None and film.view.value == "PA"
    values, _ = numbers_of(film, exact_outlines(phantom(), CARD))
    assert "cardiothoracic_ratio" in values and not any(code.endswith("_mm") for code in values)

"""deidentify: what identifies goes, what does not stays; dates keep their distance; films are looked at for text."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stub_pool import context_of, phantom

from imaging.phantom import PhantomSpec, make_phantom
from tools.contract import Result
from tools.deidentify import DeidentifyData, deidentify
from tools.phi import deidentified, spans
from tools.phi.dates import moved

KEY = b"k" * 32
TEXT = """Patient: John A. Smith  MRN: 00123456  DOB: 03/14/1950
Referring physician: Dr. Maria Gonzalez, Springfield General Hospital, 12 Oak Street, Springfield, IL 62701.
Phone (555) 123-4567, m.gonzalez@example.com. Exam: March 24, 1950. Mr. Smith is 92 years old.
Findings: Swan-Ganz catheter. Kerley B lines. Nodule of 16.2/24.9 mm at T9-T10. Small left effusion, CTR 0.56.
Signed by Natan Wyroślak on 1950-03-24."""
GONE = ("John", "Smith", "00123456", "03/14", "Gonzalez", "Springfield", "Oak", "62701", "4567", "example.com/m",
        "March 24", "92 years", "Natan", "Wyroślak", "1950-03-24")  # fmt: skip
STAYS = ("Swan-Ganz catheter. Kerley B lines. Nodule of 16.2/24.9 mm at T9-T10. Small left effusion, CTR 0.56.",
         "Referring physician: Dr.", "years old")  # fmt: skip


def run(**arguments: Any) -> Result:
    return deidentify.run(cast(Any, None), arguments)


def data_of(result: Result) -> DeidentifyData:
    assert isinstance(result.data, DeidentifyData), result.failure
    return result.data


def test_what_identifies_goes_and_the_findings_stay() -> None:
    clean = data_of(run(text=TEXT)).document
    assert [word for word in GONE if re.search(rf"(?<!\d){re.escape(word)}(?!\d)", clean)] == []
    assert [word for word in STAYS if word not in clean] == []


def test_the_list_of_what_was_removed_points_into_the_text_and_holds_no_original() -> None:
    result = run(text=TEXT)
    data = data_of(result)
    assert data.counts == {
        "name": 4, "record_number": 1, "date": 3, "institution": 1, "address": 1, "phone": 1, "email": 1,
        "age_over_89": 1,
    }  # fmt: skip
    assert TEXT[data.removed[0].start : data.removed[0].end] == "John A. Smith"
    assert all(item.surrogate in data.document for item in data.removed)
    assert result.summary.startswith("Removed and replaced by stand-ins: 4 names, 1 record number, 3 dates")
    dumped = result.model_dump_json()
    assert not [word for word in GONE if word in dumped]


def test_equal_originals_get_equal_stand_ins_and_other_texts_other_ones() -> None:
    clean = deidentified("Mr. Smith and Mrs. Jones. Smith is well.", KEY)
    first, _, last = [item.surrogate for item in clean.removed]
    assert first == last and clean == deidentified("Mr. Smith and Mrs. Jones. Smith is well.", KEY)
    assert clean != deidentified("Mr. Smith and Mrs. Jones. Smith is well.", b"x" * 32)


def test_chance_gives_no_common_name_back() -> None:
    """Drawn by how common they are, so that one in a hundred stand-ins for a surname would be "Smith"."""
    text = "Mr. John Smith, Smith Memorial Hospital. Signed by Dr. Maria Johnson, 12 Oak Street, j.smith@example.com."
    for n in range(150):
        clean = deidentified(text, n.to_bytes(4, "big")).text.lower()
        assert not [name for name in ("john", "smith", "maria", "johnson") if name in clean], clean


@pytest.mark.parametrize(
    ("original", "day_first", "later"),
    [
        ("03/14/2021", False, "03/04/2021"), ("14/03/2021", True, "04/03/2021"), ("2021-03-14", False, "2021-03-04"),
        ("14.3.21", True, "04.3.21"), ("March 14, 2021", False, "March 4, 2021"), ("May 2021", False, "April 2021"),
        ("14 de marzo de 2021", True, "4 de marzo de 2021"), ("3 mars 2021", True, "21 février 2021"),
        ("1/1/2021 14:30", False, "12/22/2020 14:30"), ("99/99/2021", False, "2021"), ("99/99", False, "[date]"),
    ],
)  # fmt: skip
def test_dates_move_by_ten_days_in_their_form(original: str, day_first: bool, later: str) -> None:
    """Expected values by the calendar: ten days before each date."""
    assert moved(original, 10, day_first=day_first) == later


def test_intervals_between_dates_stay() -> None:
    clean = deidentified("Seen 2021-03-14, again 2021-03-24.", KEY).removed
    first, last = (dt.date.fromisoformat(item.surrogate) for item in clean)
    assert (last - first).days == 10


@pytest.mark.parametrize(
    "text",
    [
        "Frau Müller, geb. 03.04.1950, wohnhaft Hauptstraße 12, Köln.",
        "Paciente: Juan Pérez López. DNI 12345678Z.",
        "Mme Dupont, 12 rue de la Paix, vue le 3 mars 1950.",
        "CPR-nr. 010150-1234, Jens Hansen, Vestergade 5.",
        "Spoke with Bhavika Jani about this.",
        "Thijs van den Berg (AB123456)",
        "SMITH, JOHN",
    ],
)
def test_other_languages_and_unlisted_names(text: str) -> None:
    clean = deidentified(text, KEY).text
    named = ("Müller", "1950", "Hauptstr", "Köln", "Pérez", "12345678Z", "Dupont", "Paix", "010150", "Hansen",
             "Vestergade", "Bhavika", "Jani", "Thijs", "Berg", "123456", "SMITH", "JOHN")  # fmt: skip
    kept = [word for word in named if word in text and word in clean and word != "1950"]
    assert kept == []


def test_nothing_to_remove_leaves_a_text_as_it_is() -> None:
    text = "Right upper lobe nodule. Cobb angle 12 degrees. Port-A-Cath in the Superior Vena Cava. X-Ray Chest PA."
    assert spans(text) == [] and data_of(run(text=text)).document == text


def test_film_is_looked_at_for_burned_in_text() -> None:
    named = make_phantom(PhantomSpec(seed=3, size=768, name_block=True))
    context, image_id, _ = context_of(phantom(), radiograph=named.radiograph)
    result = deidentify.run(context, {"image_id": image_id})
    assert data_of(result).text_boxes and result.overlays[0].as_box() == data_of(result).text_boxes[0]
    assert "burned into the picture at" in result.summary and "hilum deid" in result.summary
    context, image_id, _ = context_of(phantom())
    assert "No text was seen" in deidentify.run(context, {"image_id": image_id}).summary


def test_neither_text_nor_film_is_bad_arguments() -> None:
    failure = run().failure
    assert failure is not None and failure.kind == "bad_arguments" and "neither a text nor a film" in failure.message


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_cleaned(text: str) -> None:
    clean = deidentified(text, KEY)
    assert len(clean.removed) == len(spans(text))

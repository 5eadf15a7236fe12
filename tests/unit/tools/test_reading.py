# ruff: noqa: E501 - a table reads best one row a line
"""Reports read by rules: what stands in the text, by a table of sentences whose meaning a reader can check."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.reading import Stated, language_of, read
from tools.reading.labels import Value, labels_of, own_labels, value_of
from tools.reading.lexicon import Lexicon, lexicon
from tools.reading.words import sentences, stems_of, tokens

PRESENT, ABSENT, UNCERTAIN, UNSTATED = Stated.PRESENT, Stated.ABSENT, Stated.UNCERTAIN, Stated.UNSTATED


def said(text: str, language: str = "en") -> dict[str, Stated]:
    """Finding -> what the last sentence that names it says."""
    return {statement.code: statement.stated for statement in read(text, language).statements}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("There is a pleural effusion.", {"effusion": PRESENT}),
        ("No effusion, pneumothorax or mass is seen.", {"effusion": ABSENT, "pneumothorax": ABSENT, "mass": ABSENT}),
        ("No effusion or pneumothorax, mild edema.", {"effusion": ABSENT, "pneumothorax": ABSENT, "edema": PRESENT}),
        ("No pneumothorax and small left effusion.", {"pneumothorax": ABSENT, "effusion": PRESENT}),
        ("No consolidation but a right mass.", {"consolidation": ABSENT, "mass": PRESENT}),
        ("Effusion without pneumothorax.", {"effusion": PRESENT, "pneumothorax": ABSENT}),
        ("The lungs are clear of focal consolidation, pneumothorax, or pleural effusion.", {"consolidation": ABSENT, "pneumothorax": ABSENT, "effusion": ABSENT}),
        ("Pneumothorax is not seen.", {"pneumothorax": ABSENT}),
        ("Effusion and pneumothorax have resolved.", {"effusion": ABSENT, "pneumothorax": ABSENT}),
        ("No change in the left effusion.", {"effusion": PRESENT}),
        ("Pneumonia cannot be excluded.", {"pneumonia": UNCERTAIN}),
        ("Cannot exclude pneumonia.", {"pneumonia": UNCERTAIN}),
        ("Possible nodule; no mass.", {"nodule": UNCERTAIN, "mass": ABSENT}),
        ("Opacity, which may represent pneumonia.", {"lung_opacity": PRESENT, "pneumonia": UNCERTAIN}),
        ("Atelectasis versus pneumonia.", {"atelectasis": UNCERTAIN, "pneumonia": UNCERTAIN}),
        ("Small effusions and questionable edema.", {"effusion": PRESENT, "edema": UNCERTAIN}),
        ("Opacity, probably atelectasis.", {"lung_opacity": PRESENT, "atelectasis": PRESENT}),
        ("History of tuberculosis.", {"tuberculosis": UNSTATED}),
        ("Recommend CT to evaluate for lung cancer.", {"lung_cancer": UNSTATED}),
        ("Unlikely to represent pneumonia.", {"pneumonia": ABSENT}),
        ("The heart is enlarged.", {"cardiomegaly": PRESENT}),
        ("The heart is not enlarged.", {"cardiomegaly": ABSENT}),
        ("Heart size and mediastinal contours are normal.", {"cardiomegaly": ABSENT, "enlarged_cardiomediastinum": ABSENT, "mediastinal_shift": ABSENT}),
        ("Moderate enlargement of the cardiac silhouette.", {"cardiomegaly": PRESENT}),
        ("Normal heart size.", {"cardiomegaly": ABSENT}),
        ("The aorta is tortuous and calcified.", {"aortic_tortuosity": PRESENT, "aortic_calcification": PRESENT}),
        ("Blunting of the right costophrenic angle.", {"costophrenic_blunting": PRESENT}),
        ("Cystic fibrosis.", {}),
        ("Anterior cervical fusion.", {"postoperative_change": PRESENT}),
        ("Lungs are hyperinflated, suggesting emphysema.", {"hyperinflation": PRESENT, "emphysema": UNCERTAIN}),
        ("COPD.", {"copd": PRESENT}),
        ("Is there a nodule?", {"nodule": UNSTATED}),
        ("Devices and foreign bodies: None.", {"support_devices": ABSENT, "retained_object": ABSENT}),
        ("Pneumothorax: absent", {"pneumothorax": ABSENT}),
        ("Fractures: none seen. Pleural effusion: yes", {"fracture": ABSENT, "effusion": PRESENT}),
        ("Masses: Not identified\nNodules: nil", {"mass": ABSENT, "nodule": ABSENT}),
        ("Pleural effusion: small on the left", {"effusion": PRESENT}),
        ("Foreign bodies: sternal wires", {"retained_object": UNSTATED, "sternal_wires": PRESENT}),
        ("There are two findings: effusion and mass", {"effusion": PRESENT, "mass": PRESENT}),
        ("Bihilar prominence.", {"hilar_enlargement": PRESENT}),
        ("Left base opacity ?pneumonia", {"lung_opacity": PRESENT, "pneumonia": UNCERTAIN}),
    ],
)  # fmt: skip
def test_what_a_sentence_says(text: str, meant: dict[str, Stated]) -> None:
    assert said(text) == meant


@pytest.mark.parametrize(
    ("text", "code", "side", "places", "severity", "change", "sizes_mm"),
    [
        ("Small left pleural effusion, unchanged.", "effusion", "left", [], "mild", "unchanged", ()),
        ("Interval increase in the large right pneumothorax.", "pneumothorax", "right", [], "severe", "worsened", ()),
        ("1.2 x 3 cm nodule in the right upper lobe.", "nodule", "right", ["upper_lobe"], None, None, (12.0, 30.0)),
        ("Nodule measuring 8 mm in the lingula.", "nodule", None, ["lingula"], None, None, (8.0,)),
        ("New consolidation in the left lower lobe.", "consolidation", "left", ["lower_lobe"], None, "new", ()),
        ("Bilateral effusions have decreased.", "effusion", "bilateral", [], None, "improved", ()),
        ("The left effusion has resolved.", "effusion", "left", [], None, "resolved", ()),
        ("Bibasilar atelectasis.", "atelectasis", "bilateral", [], None, None, ()),
        ("Heart size remains slightly large.", "cardiomegaly", None, ["heart"], "mild", "unchanged", ()),
        ("Cardiomegaly and a bilateral effusion.", "cardiomegaly", None, [], None, None, ()),
        ("Mild to moderate cardiomegaly, stable.", "cardiomegaly", None, [], "moderate", "unchanged", ()),
    ],
)  # fmt: skip
def test_side_place_severity_change_and_size(
    text: str, code: str, side: str | None, places: list[str], severity: str | None, change: str | None,
    sizes_mm: tuple[float, ...],
) -> None:  # fmt: skip
    [statement] = [s for s in read(text, "en").statements if s.code == code]
    assert (statement.side, [place.code for place in statement.places]) == (side, places)
    assert (statement.severity, statement.change, statement.sizes_mm) == (severity, change, sizes_mm)
    assert text[statement.start : statement.end]


@pytest.mark.parametrize(
    ("language", "text", "meant"),
    [
        ("es", "Derrame pleural izquierdo. No se observa neumotórax. Probable neumonía.", {"effusion": PRESENT, "pneumothorax": ABSENT, "pneumonia": PRESENT}),
        ("es", "No se puede descartar neumonía. Silueta cardíaca aumentada de tamaño.", {"pneumonia": UNCERTAIN, "cardiomegaly": PRESENT}),
        ("fr", "Épanchement pleural droit. Pas de pneumothorax. Le cœur est de taille normale.", {"effusion": PRESENT, "pneumothorax": ABSENT, "cardiomegaly": ABSENT}),
        ("fr", "Absence d'opacité. Aspect évocateur de pneumopathie.", {"lung_opacity": ABSENT, "pneumonia": UNCERTAIN}),
        ("de", "Kleiner Pleuraerguss links. Kein Nachweis eines Pneumothorax. Herz nicht vergrößert.", {"effusion": PRESENT, "pneumothorax": ABSENT, "cardiomegaly": ABSENT}),
        ("de", "Pleuraerguss: keiner", {"effusion": ABSENT}),
        ("es", "Derrame pleural: no se observa", {"effusion": ABSENT}),
        ("fr", "Pneumothorax : aucun. Le cœur est de taille normale.", {"pneumothorax": ABSENT, "cardiomegaly": ABSENT}),
        ("de", "Kein Unterlappeninfiltrat. Pneumonie nicht auszuschließen.", {"infiltration": ABSENT, "pneumonia": UNCERTAIN}),
        ("da", "Pleuraansamling på venstre side. Ingen pneumothorax. Hjertet er let forstørret.", {"effusion": PRESENT, "pneumothorax": ABSENT, "cardiomegaly": PRESENT}),
        ("da", "Mulig pneumoni eller atelektase. Hverken pneumothorax eller stase.", {"pneumonia": UNCERTAIN, "atelectasis": UNCERTAIN, "pneumothorax": ABSENT, "vascular_congestion": ABSENT}),
        ("da", "Pneumoni kan ikke udelukkes. Uændret stase.", {"pneumonia": UNCERTAIN, "vascular_congestion": PRESENT}),
    ],
)  # fmt: skip
def test_other_languages_are_told_and_read(language: str, text: str, meant: dict[str, Stated]) -> None:
    assert language_of(text) == language
    assert said(text, language) == meant


REPORT = """INDICATION: 65 M, evaluate for pneumonia.
COMPARISON: None.
FINDINGS:
1. There is a right lower lobe opacity consistent with pneumonia.
2. No pneumothorax.
IMPRESSION: Right lower lobe pneumonia. Pacemaker."""


def test_sections_are_told_and_the_indication_states_nothing() -> None:
    reading = read(REPORT, "en")
    assert [section.kind for section in reading.sections] == ["indication", "comparison", "findings", "impression"]
    assert [s.section for s in reading.statements if s.code == "pneumonia"] == ["indication", "findings", "impression"]
    labels = labels_of(reading, "chexpert14")
    present = [label for label, value in labels.items() if value is Value.PRESENT]
    assert present == ["Lung Opacity", "Pneumonia", "Support Devices"]
    assert labels["No Finding"] is labels["Pneumothorax"] is Value.ABSENT
    assert labels["Edema"] is Value.NOT_MENTIONED


def test_opacity_suggests_pneumonia() -> None:
    statements = read(REPORT, "en").statements
    [suggested] = [s for s in statements if s.suggested_by is not None]
    assert suggested.code == "pneumonia" and statements[suggested.suggested_by or 0].code == "lung_opacity"


def test_label_sets_differ_on_alternatives_and_normal() -> None:
    reading = read("Atelectasis versus pneumonia.", "en")
    assert labels_of(reading, "chexpert14")["Atelectasis"] is Value.UNCERTAIN
    assert labels_of(reading, "nih14")["Atelectasis"] is Value.PRESENT
    assert labels_of(read("The lungs are clear.", "en"), "nih14")["Normal"] is Value.PRESENT
    assert value_of([]) is Value.NOT_MENTIONED


def test_own_labels_may_be_any_words() -> None:
    labels = ("pleural fluid", "granular texture", "Mass")
    reading = read("A granular texture. No effusion.", "en", ("granular texture",))
    values = own_labels(reading, labels)
    assert list(values.values()) == [Value.ABSENT, Value.PRESENT, Value.NOT_MENTIONED]


def test_words_fold_accents_and_skip_what_was_blanked_out() -> None:
    assert tokens("L'épanchement, Ødem XXXX isn't") == ["epanchement", ",", "odem", "isnt"]
    text = "Dr. X saw 1.5 cm.\nNo change. 2. End"
    assert [text[start:end] for start, end in sentences(text)] == ["Dr. X saw 1.5 cm.", "No change.", "2. End"]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    for statement in read(text).statements:
        assert 0 <= statement.start < statement.end <= len(text)


def test_many_threads_may_read_at_once() -> None:
    """Expected: what one thread reads alone; a stemmer that two threads share mixes their words up or breaks."""
    texts = ["derrame pleural izquierdo sin neumotórax", "grosse kardiomegalie und pleuraerguss", "épanchement pleural"]
    alone = {(text, code): lexicon(code).find(text.split()) for text in texts for code in ("es", "de", "fr", "da")}
    with ThreadPoolExecutor(8) as threads:
        jobs = [(key, threads.submit(lexicon(key[1]).find, key[0].split())) for key in alone for _ in range(60)]
        assert all(job.result() == alone[key] for key, job in jobs)


def test_many_threads_may_stem_at_once_while_lexicons_are_made() -> None:
    """Expected: what one thread stems alone. Fifty chats that began at once broke on a shared stemmer."""
    words = ["neumotórax", "derrames", "consolidaciones", "kardiomegalie", "pleuraerguss", "effusions", "opacities"]
    languages = ("spanish", "german", "porter")
    alone = {language: stems_of(words, language) for language in languages}
    with ThreadPoolExecutor(8) as threads:
        jobs = [(each, threads.submit(stems_of, words, each)) for each in languages for _ in range(150)]
        made = [threads.submit(Lexicon, "es", asking=asking) for asking in (True, False) * 4]
        assert all(job.result() == alone[each] for each, job in jobs)
        assert len({lexicon.result().words for lexicon in made[::2]}) == 1

"""The findings ontology and the structures."""

from __future__ import annotations

from collections import Counter

import pytest

from imaging.failures import BadArguments
from models.networks import FINDINGS, STRUCTURES
from tools.knowledge import LANGUAGES, Language, finding, findings, phrases, places, structure, structures

NAMED_FOR_LATER = ("cavity", "subcutaneous_emphysema", "hilar_enlargement", "aortic_enlargement", "scoliosis",
                   "calcification", "pneumoperitoneum", "covid19", "sarcoidosis", "bronchiectasis",
                   "granuloma")  # fmt: skip


def test_every_code_of_the_models_is_known() -> None:
    assert set(FINDINGS) <= set(findings())
    assert set(STRUCTURES) <= set(structures())
    assert {"lung_opacity", "lung_lesion", "enlarged_cardiomediastinum", "fracture"} <= set(findings())


def test_findings_that_no_model_knows_are_known_by_name() -> None:
    assert set(NAMED_FOR_LATER) <= set(findings())


def test_a_phrase_belongs_to_one_finding_only() -> None:
    counts = Counter(word for concept in findings().values() for word in concept.words())
    assert [word for word, count in counts.items() if count > 1] == []
    counts = Counter(word for concept in structures().values() for word in concept.words())
    assert [word for word, count in counts.items() if count > 1] == []


def test_an_identifier_belongs_to_one_finding_only() -> None:
    for kind in ("radlex", "snomed"):
        ids = [value for concept in findings().values() if (value := getattr(concept, kind))]
        assert len(ids) == len(set(ids))


VERHOEFF_PRODUCT = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 4, 0, 6, 7, 8, 9, 5], [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
                    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7], [4, 0, 1, 2, 3, 9, 5, 6, 7, 8], [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
                    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2], [7, 6, 5, 9, 8, 2, 1, 0, 4, 3], [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
                    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]]  # fmt: skip
VERHOEFF_FIRST = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]


@pytest.mark.parametrize(
    "snomed", sorted({concept.snomed for concept in (*findings().values(), *structures().values()) if concept.snomed})
)
def test_snomed_ids_have_a_valid_check_digit(snomed: str) -> None:
    """SNOMED CT Technical Implementation Guide, SCTID: the last digit is Verhoeff's check digit."""
    check, permuted = 0, list(range(10))
    for digit in reversed(snomed):
        check = VERHOEFF_PRODUCT[check][permuted[int(digit)]]
        permuted = [permuted[n] for n in VERHOEFF_FIRST]
    assert check == 0


def test_parents_exist_and_make_no_circle() -> None:
    for concept in findings().values():
        seen, above = {concept.code}, concept.parent
        while above is not None:
            assert above not in seen
            seen.add(above)
            above = finding(above).parent


def test_signs_exist_and_are_not_their_own_findings() -> None:
    for concept in findings().values():
        assert concept.code not in concept.shown_by and set(concept.shown_by) <= set(findings())


def test_every_finding_and_structure_has_a_name_in_every_language() -> None:
    for language in LANGUAGES:
        missing = [code for code, concept in (*findings().items(), *structures().items())
                   if language != "en" and not concept.translations.get(language)]  # fmt: skip
        assert missing == [], language
        assert [code for code, place in places().items() if not place.words(language)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_word_belongs_to_one_finding_only_in_each_language(language: Language) -> None:
    counts = Counter(word for concept in findings().values() for word in concept.words(language))
    assert [word for word, count in counts.items() if count > 1] == []


def test_names_in_other_languages() -> None:
    """Checked against the terms that radiologists of those countries use, e.g. RadLex's German edition."""
    said = {"es": "derrame pleural", "fr": "épanchement pleural", "de": "Pleuraerguss", "da": "pleuraeffusion"}
    assert {language: finding("effusion").name_in(language) for language in said} == said  # type: ignore[arg-type]
    assert finding("effusion").name_in("en") == "pleural effusion"


def test_definitions_are_one_sentence() -> None:
    for concept in findings().values():
        assert concept.definition.endswith(".") and concept.location and concept.definition[0].isupper()


@pytest.mark.parametrize(
    ("said", "code"),
    [("water on the lung", "effusion"), ("PTX".lower(), "pneumothorax"), ("copd", "copd"), ("oedema", "edema"),
     ("chf", "heart_failure"), ("big heart", "cardiomegaly"), ("ground glass opacity", "ground_glass"),
     ("heart size", "cardiomegaly"), ("tb", "tuberculosis")],
)  # fmt: skip
def test_clinicians_words_are_known(said: str, code: str) -> None:
    assert phrases()[said] == code


def test_unknown_code_raises_with_the_nearest() -> None:
    with pytest.raises(BadArguments, match="Did you mean 'effusion'"):
        finding("pleural_efusion")
    with pytest.raises(BadArguments, match="Did you mean 'heart'"):
        structure("haert")

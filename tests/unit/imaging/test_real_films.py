"""Every real file beside the checkout opens or is refused by kind, within 5 s, and chest films open."""

from __future__ import annotations

import csv
import time
from collections import Counter
from pathlib import Path

import pytest
from real_films_table import PAGE, tables

from imaging import open_film
from imaging.failures import FilmRefused
from imaging.refusals import REFUSALS

LIMIT_S = 5
SAMPLE = 25
"""Every 25th film of the large sets: enough to meet each source's ways, in a few seconds."""


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.films
def test_every_dicom_file_opens_or_is_refused(real_films: Path) -> None:
    outcomes: Counter[str] = Counter()
    refused_chests = []
    for row in rows(real_films / "dicom.csv"):
        begin = time.process_time()  # of this process: a busy machine must not count
        try:
            open_film(real_films / row["file"])
            outcome = "opened"
        except FilmRefused as refused:
            assert refused.kind in REFUSALS
            outcome = refused.kind
        assert time.process_time() - begin < LIMIT_S, row["file"]
        outcomes[outcome] += 1
        chest = row["modality"] in {"CR", "DX"} and row["body"] in {"CHEST", "RIBCAGE"}
        if chest and row["reference_decode"] == "ok" and outcome != "opened":
            refused_chests.append((row["file"], outcome))
        if row["modality"] in {"CT", "MR", "US", "NM", "XA", "RTDOSE", "SEG"}:
            assert outcome not in {"opened"}, row["file"]
    print(dict(outcomes))
    assert not refused_chests and outcomes["opened"] > 0


@pytest.mark.films
@pytest.mark.parametrize("folder", ["nih", "jsrt", "tb", "kermany", "hannover", "covid_permissive"])
def test_sampled_films_open(real_films: Path, folder: str) -> None:
    paths = sorted(path for path in (real_films / folder).glob("*.[jp][pn]g") if "_mask" not in path.name)
    for path in paths[::SAMPLE]:
        film = open_film(path)
        assert min(film.shape) >= 100 and film.pixels.max() > film.pixels.min(), path.name


@pytest.mark.films
def test_page_says_what_becomes_of_the_real_files(real_films: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert tables(real_films) in page, "run python tests/unit/imaging/real_films_table.py --write"

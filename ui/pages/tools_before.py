"""What must be there before a tool can show something, made as a user would: an index of cases, a finished audit."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

from imaging.phantom import PhantomSpec, make_phantom, parse_finding
from models.pool import ModelPool
from tools.cases.building import build_index
from tools.cases.entries import folder_entries

ROOT = Path(__file__).resolve().parents[2]

KINDS = ("effusion:left:500ml", "effusion:right:400ml", "cardiomegaly:0.62", "pneumothorax:right:30%", "")
EACH = 4
"""Past films of each kind; the last is of no finding."""
PAST_SIZE = 384
PAST_SEED = 900

AUDITED = 64
AUDITED_SIZE = 256
AUDITED_SEED = 2_000
AGES_YEARS = (30, 50, 70)
"""One of each band that an audit tells apart."""
SMALL_EFFUSION = "effusion:left:75ml"
"""Small enough that the classifier is not always right."""
AUDIT_LIMIT_S = 900


def index_of_cases(home: Path, pool: ModelPool) -> None:
    """Past films of every kind, indexed under `home`."""
    films = home / "past"
    films.mkdir()
    for number, kind in enumerate(KINDS * EACH):
        findings = (parse_finding(kind),) if kind else ()
        make_phantom(PhantomSpec(seed=PAST_SEED + number, size=PAST_SIZE, findings=findings)).write_dicom(
            films / f"{number:02}.dcm"
        )
    for _ in build_index(folder_entries([films]), pool, home):
        pass


def finished_audit(home: Path, pool: ModelPool) -> None:
    """`hilum eval audit` on films of women and men of three ages, half with a small effusion, half of these with a
    chest drain; its report is kept under `home`.

    Raises:
        subprocess.CalledProcessError: the command failed.
    """
    del pool  # the command has its own
    films, labels = home / "audited", home / "labels.csv"
    films.mkdir()
    with labels.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file", "age", "sex", "patient", "effusion", "chest_drain"])
        for number in range(AUDITED):
            ill, drained = number % 2, number % 4 == 1
            age, sex = AGES_YEARS[number % len(AGES_YEARS)], "FM"[number // 4 % 2]
            words = [*([SMALL_EFFUSION] if ill else []), *(["chest_drain:left"] if drained else [])]
            spec = PhantomSpec(
                seed=AUDITED_SEED + number, size=AUDITED_SIZE, age_years=age, sex=sex,
                findings=tuple(map(parse_finding, words)),
            )  # fmt: skip
            make_phantom(spec).write_dicom(films / f"{number:02}.dcm")
            table.writerow([f"{number:02}.dcm", age, sex, number, ill, int(drained)])
    command = [sys.executable, str(ROOT / "app.py"), "eval", "audit", "--data", str(films), "--labels", str(labels)]
    kept = {"HILUM_STATE_DIR": str(home), "HILUM_PROFILE": "embedded"}
    subprocess.run(
        [*command, "--log-dir", str(home / "logs")], check=True, capture_output=True, timeout=AUDIT_LIMIT_S,
        env=os.environ | kept,
    )  # fmt: skip

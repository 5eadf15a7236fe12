"""Blocks of hand-written pages that are made from records and cards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.catalog import Catalog
from models.pool import ModelPool
from ui.pages.benched import NONE_YET, bench_table
from ui.pages.data import data_table
from ui.pages.worth import worth_table
from ui.pages.written import with_blocks


def test_bench_table_has_ratio_day_and_machine(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    assert bench_table(path) == NONE_YET
    side = {"what": "first ask", "median_s": 2.0, "count": 1}
    memory = {"what": "after all", "median_mb": 954.2, "count": 3}
    machine = {"cores": 2, "cpu": "EPYC", "gpu": None, "load_average": [12.6, 1, 1]}
    record = {"ratio": 2.345, "baseline": side, "candidate": memory, "machine": machine}
    path.write_text(json.dumps({"ask": {**record, "date": "2026-11-29", "arguments": "--films 5"}}), encoding="utf-8")
    row = bench_table(path).splitlines()[-1]
    assert row == (
        "| `ask --films 5` | 2.35 | first ask: 2 s (n 1) | after all: 954 MB (n 3) | 2026-11-29 "
        "| 2 cores, EPYC; load 13 |"
    )


def test_worth_table_says_what_the_cards_say() -> None:
    pool = ModelPool(device="cpu", profile="embedded")
    table = worth_table(pool.card)
    [effusion] = [item for item in pool.card("embedded-classifier").findings if item.code == "effusion"]
    assert effusion.auroc is not None
    told = f"{effusion.auroc.value:.2f} ({effusion.auroc.low:.2f}–{effusion.auroc.high:.2f})"
    assert told in next(line for line in table.splitlines() if "AUROC, effusion" in line)
    assert all(line.rstrip(" |").endswith("`") for line in table.splitlines()[2:]), "each row has its command"


def test_data_sheet_has_every_weight_file_once() -> None:
    pool = ModelPool(device="cpu", profile="embedded")
    sheet = data_table(pool, Catalog.read())
    files = list((Path(__file__).resolve().parents[3] / "models" / "embedded").glob("*.safetensors"))
    assert sheet.count("### ") == len(files)
    assert all(f"### {path.stem}\n" in sheet for path in files)


def test_unknown_block_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        with_blocks("<!-- begin:nothing -->\n<!-- end:nothing -->", tmp_path)

"""The table of speed in docs/performance.md, from the records that `make bench` keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NONE_YET = "No bench has been run by `make bench` yet."


def bench_table(records: Path) -> str:
    """Markdown: each bench with its ratio, both sides, the day, and the machine with its load.

    Args:
        records: the JSON file that `python -m evals.speed suite` writes.
    """
    kept: dict[str, Any] = json.loads(records.read_text(encoding="utf-8")) if records.is_file() else {}
    if not kept:
        return NONE_YET
    lines = ["| bench | ratio | baseline | candidate | day | machine, load |", "|---|---|---|---|---|---|"]
    lines += [_row(name, record) for name, record in kept.items()]
    return "\n".join(lines)


def _row(name: str, record: dict[str, Any]) -> str:
    machine = record["machine"]
    on = f"{machine['cores']} cores, {machine.get('gpu') or machine['cpu']}; load {machine['load_average'][0]:.0f}"
    bench = " ".join(filter(None, (name, record["arguments"])))
    sides = " | ".join(_side(record[side]) for side in ("baseline", "candidate"))
    return f"| `{bench}` | {record['ratio']:.2f} | {sides} | {record['date']} | {on} |"


def _side(side: dict[str, Any]) -> str:
    figure = f"{side['median_mb']:.0f} MB" if "median_mb" in side else f"{side['median_s']:.3g} s"
    return f"{side['what']}: {figure} (n {side['count']})"

"""What `make audit` tells of the packages: licences that ask something, known weaknesses, what was not looked up."""

from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).resolve().parents[2] / "deploy/packages.py"
SPEC = spec_from_file_location("packages", PATH)
assert SPEC and SPEC.loader
packages = module_from_spec(SPEC)
SPEC.loader.exec_module(packages)

GOOD = {"name": "numpy", "licenses": [{"license": {"id": "BSD-3-Clause"}}]}
KNOWN = {"name": "fpdf2", "licenses": [{"license": {"id": "LGPL-3.0-only"}}]}
SILENT = {"name": "ray", "licenses": []}
NEW = {"name": "strict", "licenses": [{"expression": "MIT AND AGPL-3.0-only"}]}
FINE = {"name": "numpy", "version": "2.0", "vulns": []}
WEAK = {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1", "2.0"]}]}
SKIPPED = {"name": "absl-py", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("components", "dependencies", "status", "told"),
    [
        ([GOOD, KNOWN, SILENT], [FINE], 0, ["fpdf2: LGPL-3.0, imported", "1 say none", "1 of 1 packages looked up"]),
        ([GOOD, NEW], [FINE], 1, ["1 with a licence that nobody", "strict: MIT AND AGPL-3.0-only: NOBODY"]),
        ([GOOD], [FINE, WEAK], 1, ["old 1.0: PYSEC-1, mended in 1.1, 2.0", "2 of 2 packages looked up; 1 have"]),
        ([GOOD], [FINE, SKIPPED], 3, ["1 of 2 packages looked up", "NOT DONE for 1 packages", "not found"]),
        ([GOOD], [WEAK, SKIPPED], 1, ["PYSEC-1", "NOT DONE for 1 packages"]),
        ([GOOD], None, 3, ["NOT DONE for any of the packages"]),
    ],
)
def test_what_is_known_and_what_is_not(
    components: list[dict[str, Any]],
    dependencies: list[dict[str, Any]] | None,
    status: int,
    told: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sbom, advisories = tmp_path / "sbom.json", tmp_path / "advisories.json"
    sbom.write_text(json.dumps({"components": components}))
    if dependencies is not None:
        advisories.write_text(json.dumps({"dependencies": dependencies}))
    assert packages.main(sbom, advisories) == status
    said = capsys.readouterr().out
    assert all(words in said for words in told), said

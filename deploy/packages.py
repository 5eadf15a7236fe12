"""What is known of the packages that are installed: their licences, and the weaknesses that were reported of them.

    python deploy/packages.py SBOM.json ADVISORIES.json

The first file is cyclonedx-py's, the second pip-audit's (--format json, without --strict: packages it cannot look up
are in it with the reason). Run by `make audit`. Exit status 1 where a package has a known weakness or a licence that
nobody here has looked at, 3 where weaknesses could not be looked up, be it that pip-audit wrote no file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

COPYLEFT = ("GPL", "SSPL", "EUPL", "CC-BY-NC", "CC-BY-SA")
"""In the licence of a package that asks something of whoever passes it on; LGPL is among them."""
LOOKED_AT = {
    "fpdf2": "LGPL-3.0, imported unchanged",
    "psycopg": "LGPL-3.0, imported unchanged, of the extra `postgres`",
    "psycopg-binary": "LGPL-3.0, imported unchanged, of the extra `postgres`",
    "psycopg-pool": "LGPL-3.0, imported unchanged, of the extra `postgres`",
    "pylibjpeg-libjpeg": "GPL-3.0, loaded by pydicom for JPEG in DICOM; not part of this repository. Whoever passes on "
    "an image that holds it has the GPL's duties for it",
}
"""Packages under such a licence, and what it means here."""
SHOWN = 3
"""Reasons told of packages that could not be looked up."""


def licences_of(component: dict[str, Any]) -> str:
    """What a package says its licence is, "" for nothing."""
    told = []
    for each in component.get("licenses") or []:
        licence = each.get("license", {})
        told.append(each.get("expression") or licence.get("id") or licence.get("name") or "")
    return " | ".join(filter(None, told))


def licences(components: list[dict[str, Any]]) -> tuple[list[str], int]:
    """(lines to tell, packages under a licence that nobody has looked at)."""
    told = {component["name"]: licences_of(component) for component in components}
    asking = sorted(name for name, text in told.items() if any(word in text.upper() for word in COPYLEFT))
    lines = [f"  {name}: {LOOKED_AT.get(name, f'{told[name]}: NOBODY HAS LOOKED AT IT')}" for name in asking]
    silent = sorted(name for name, text in told.items() if not text)
    if silent:
        lines.append(f"  {len(silent)} say none in their metadata (read them by hand): {', '.join(silent)}")
    return lines, len(set(asking) - set(LOOKED_AT))


def weaknesses(dependencies: list[dict[str, Any]]) -> tuple[list[str], int, list[str]]:
    """(lines to tell, packages with a known weakness, reasons why others could not be looked up)."""
    weak = [each for each in dependencies if each.get("vulns")]
    lines = [
        f"  {each['name']} {each['version']}: {vuln['id']}, mended in {', '.join(vuln['fix_versions']) or 'no version'}"
        for each in weak
        for vuln in each["vulns"]
    ]
    return lines, len(weak), [each["skip_reason"] for each in dependencies if "skip_reason" in each]


def main(sbom: Path, advisories: Path) -> int:
    """Print both parts; the exit status."""
    components = json.loads(sbom.read_text(encoding="utf-8"))["components"]
    found = json.loads(advisories.read_text(encoding="utf-8")) if advisories.is_file() else {"dependencies": []}
    dependencies = found["dependencies"]
    lines, unseen = licences(components)
    tell(f"licences: {len(components)} packages; {unseen} with a licence that nobody has looked at.", *lines)
    lines, weak, skipped = weaknesses(dependencies)
    looked_up = len(dependencies) - len(skipped)
    tell(f"advisories: {looked_up} of {len(dependencies)} packages looked up; {weak} have a known weakness.", *lines)
    if skipped or not dependencies:
        tell(
            f"advisories: NOT DONE for {len(skipped) or 'any of the'} packages: no index with advisories is reached "
            "from here.",
            "  Run `make audit` once where the public index can be reached; until then weaknesses are not known.",
            *(f"  {reason}" for reason in skipped[:SHOWN]),
        )
    return 1 if unseen or weak else 3 if skipped or not dependencies else 0


def tell(*lines: str) -> None:
    """Lines to stdout."""
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    raise SystemExit(main(*map(Path, sys.argv[1:])))

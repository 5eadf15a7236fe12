"""How much of what identifies a person is found in report text: made-up reports with known identifiers.

python -m evals.phi [--reports N] [--seed S] [--json]

The texts are templates (evals/phi.toml) filled by the library faker. Half of the names come from the languages whose
lists the detector knows, half from languages that it does not (Poland, India, Italy, the Netherlands), where only what
stands around a name can give it away. Made-up texts are easier than real ones: read the figures as upper bounds.
"""

import argparse
import json
import random
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

from faker import Faker
from rich.console import Console
from rich.table import Table

from evals.stats import share_json
from tools.phi import spans

HOLE = re.compile(r"\{(\w+)\}")
LISTED = {"en": "en_US", "es": "es_ES", "fr": "fr_FR", "de": "de_DE", "da": "da_DK"}
PARTS = ("looked_at", "held_out")
UNLISTED = ("pl_PL", "en_IN", "it_IT", "nl_NL")
INSTITUTIONS = {
    "en": "{city} General Hospital", "es": "Hospital Universitario {city}", "fr": "Hôpital {city}",
    "de": "Klinikum {city}", "da": "{city} Sygehus",
}  # fmt: skip
MONTHS = {
    "en": "%B %d, %Y", "es": "%d de marzo de %Y", "fr": "%d mars %Y", "de": "%d. März %Y", "da": "%d. marts %Y",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One text: language, whether its names are of the known lists, and (kind, start, end) of what identifies."""

    language: str
    listed: bool
    text: str
    truth: tuple[tuple[str, int, int], ...]


def cases(count: int, seed: int, part: str) -> Iterator[Case]:
    """Texts drawn from the templates of a part of phi.toml, in turn."""
    read = tomllib.loads((resources.files("evals") / "phi.toml").read_text(encoding="utf-8"))[part]
    templates = [(language, template) for language, listed in read.items() for template in listed]
    draw = random.Random(seed)
    for number in range(count):
        language, template = templates[number % len(templates)]
        listed = (number // len(templates)) % 2 == 0
        own, people = Faker(LISTED[language]), Faker(LISTED[language] if listed else draw.choice(UNLISTED))
        own.seed_instance(seed * 100_003 + number)
        people.seed_instance(seed * 100_003 + number)
        yield _filled(language, listed, template, _values(language, own, people, draw))


def _values(language: str, own: Faker, people: Faker, draw: random.Random) -> Any:
    """Kind -> a new value each time it is asked for."""

    def value(kind: str) -> str:
        made = {
            "name": lambda: f"{people.first_name()} {people.last_name()}",
            "first": people.first_name,
            "last": people.last_name,
            "date": lambda: own.date("%m/%d/%Y" if language == "en" else "%d.%m.%Y"),
            "worded_date": lambda: own.date_object().strftime(MONTHS[language]),
            "record_number": lambda: own.bothify(draw.choice(["#######", "??######", "##-#####"])).upper(),
            "national_id": lambda: own.numerify("0101##-####"),
            "ssn": lambda: own.numerify("###-##-####"),
            "phone": lambda: own.numerify("(###) ###-####" if language == "en" else "+## ## ## ## ##"),
            "email": own.email,
            "address": lambda: f"{own.building_number()} {own.last_name()} Street, {own.city()}",
            "institution": lambda: INSTITUTIONS[language].format(city=own.last_name().split()[0]),
            "age": lambda: str(draw.randint(90, 99)),
        }
        return str(made[kind]())

    return value


def _filled(language: str, listed: bool, template: str, value: Any) -> Case:
    text, truth, done = "", [], 0
    for hole in HOLE.finditer(template):
        text += template[done : hole.start()]
        said = value(hole[1])
        truth.append((hole[1], len(text), len(text) + len(said)))
        text += said
        done = hole.end()
    return Case(language, listed, text + template[done:], tuple(truth))


def measure(count: int, seed: int, part: str) -> dict[str, Any]:
    """Recall per kind and per list, whole identifiers removed, and the share of removed characters that identify."""
    found: dict[str, list[bool]] = defaultdict(list)
    removed = right = 0
    clean = []
    for case in cases(count, seed, part):
        hit = {n for span in spans(case.text) for n in range(span.start, span.end)}
        identifying = {n for _, start, end in case.truth for n in range(start, end)}
        removed += len(hit)
        right += len(hit & identifying)
        whole = []
        for kind, start, end in case.truth:
            needed = {n for n in range(start, end) if case.text[n].isalnum()}
            whole.append(needed <= hit)
            found[kind].append(whole[-1])
            if kind in {"name", "first", "last"}:
                found["names of the lists" if case.listed else "names not of the lists"].append(whole[-1])
        clean.append(all(whole))
    rows = {kind: share_json(values) for kind, values in sorted(found.items())}
    return {
        "reports": count,
        "seed": seed,
        "recall": rows | {"all": share_json([v for k, vs in found.items() if not k.startswith("names") for v in vs])},
        "reports_without_a_miss": share_json(clean),
        "precision_by_character": round(right / removed, 4) if removed else None,
    }


def main() -> None:
    """Print the figures; the last line of stdout is them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="JSON on stdout and nothing else")
    given = parser.parse_args()
    figures = {part: measure(given.reports, given.seed, part) for part in PARTS}
    if not given.json:
        for part, told in figures.items():
            table = Table("identifier", "recall", "95 % interval", "n", title=f"templates {part}")
            for kind, row in told["recall"].items():
                table.add_row(kind, f"{row['value']:.3f}", f"{row['low']:.3f}–{row['high']:.3f}", str(row["n"]))
            Console(stderr=True).print(table)
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()

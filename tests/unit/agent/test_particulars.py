"""What a question says beside its finding, for tools that take it by argument name."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from agent.planner.particulars import particulars
from tools.cases.parts import ZONES
from tools.retrieve_cases import Zone

ROWS: list[tuple[str, dict[str, Any]]] = [
    ("Find similar cases (same left lower zone finding)", {"anatomy": "left_lower_zone"}),
    ("Show me 3 similar cases in women over 60", {"k": 3, "sex": "F", "age_from": 60}),
    ("ten nearest films, PA only, aged 40-60", {"k": 10, "view": "PA", "age_from": 40, "age_to": 60}),
    ("similar cases between 40 and 60 years since 2019", {"age_from": 40, "age_to": 60, "acquired_from": "2019-01-01"}),
    (
        "similar cases in 2021 in the lower zone of the right lung",
        {"acquired_from": "2021-01-01", "acquired_to": "2021-12-31", "anatomy": "right_lower_zone"},
    ),
    ("similar cases before 2020-05-01, younger than 30", {"acquired_to": "2020-04-30", "age_to": 30}),
    ("top 5 cases until 2020-02", {"k": 5, "acquired_to": "2020-02-29"}),
    ("similar lateral films of men", {"view": "LATERAL", "sex": "M"}),
    ("cases like this at the right apex", {"anatomy": "right_upper_zone"}),
    ("similar cases until 2020-13-40", {}),
    ("Is there an effusion?", {}),
    ("Find similar cases with left effusion", {}),
    ("Is there a 5 mm nodule in this 60 year old?", {}),
]


@pytest.mark.parametrize(("text", "said"), ROWS, ids=[text[:40] for text, _ in ROWS])
def test_particulars_are_what_the_words_say(text: str, said: dict[str, Any]) -> None:
    assert particulars(text) == said


def test_zones_of_the_tool_are_those_of_the_index() -> None:
    assert set(get_args(Zone)) == set(ZONES)

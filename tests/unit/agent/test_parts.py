"""Where one question of a message ends and the next begins."""

from __future__ import annotations

import pytest

from agent.planner.parts import parts_of


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ("Outline the lungs. Is there a pneumothorax?", ["Outline the lungs.", "Is there a pneumothorax?"]),
        ("Is there an effusion? Outline the heart.", ["Is there an effusion?", "Outline the heart."]),
        ("Measure the heart. Is it enlarged?", ["Measure the heart.", "Is it enlarged?"]),
        ("Post central line. Any pneumothorax?", ["Any pneumothorax?"]),
        ("Dr. Smith asks: is it normal?", ["Dr. Smith asks: is it normal?"]),
    ],
)
def test_orders_end_with_a_full_stop_and_what_is_told_asks_nothing(message: str, parts: list[str]) -> None:
    assert parts_of(message) == parts

"""Which of our own tools the embedded planner calls for which words, with which arguments."""

from __future__ import annotations

from typing import Any

import pytest
from agent_stubs import film

from agent.planner.facts import Facts
from agent.planner.offers import Offer, Offers
from agent.planner.plan import wanted
from agent.planner.question import Kind
from agent.planner.reading import read
from tools.contract.tool import installed

FILM = film(1).id
FILMS: list[dict[str, Any]] = [
    {"number": 1, "id": FILM, "view": "PA", "role": None, "patient": None, "derived": None, "warnings": []}
]

ROWS: list[tuple[str, str, dict[str, Any]]] = [
    ("Remove the ribs", "suppress_bone", {}),
    ("Show me the soft tissue image", "suppress_bone", {}),
    ("Can you take away the ribs please", "suppress_bone", {}),
    ("Show me the film without ribs", "suppress_bone", {}),
    ("Apply CLAHE", "enhance", {"question": "Apply CLAHE"}),
    ("invert the film", "enhance", {"question": "invert the film"}),
    ("Change the window to centre 0.5 width 0.4", "enhance", {"question": "Change the window to centre 0.5 width 0.4"}),
    ("Find similar cases", "retrieve_cases", {}),
    ("Show me 5 similar films", "retrieve_cases", {"k": 5}),
    (
        "Find 3 similar cases (same left lower zone finding)",
        "retrieve_cases",
        {"k": 3, "anatomy": "left_lower_zone"},
    ),
    ("Similar films without a pneumothorax", "retrieve_cases", {"without_finding": "pneumothorax"}),
    ("Only those with an effusion", "retrieve_cases", {"finding": "effusion"}),
    ("Similar cases with an effusion but without pneumothorax", "retrieve_cases",
     {"finding": "effusion", "without_finding": "pneumothorax"}),
    ("Similar films with pneumothorax in women over 60", "retrieve_cases",
     {"finding": "pneumothorax", "sex": "F", "age_from": 60}),
    (
        "Show an example of moderate left effusion in a 60-year-old woman",
        "generate",
        {"prompt": "Show an example of moderate left effusion in a 60-year-old woman", "sex": "F"},
    ),
    ("Generate a normal film of a 71-year-old man", "generate",
     {"prompt": "Generate a normal film of a 71-year-old man", "sex": "M"}),
    ("What is the model looking at for the effusion?", "explain", {"finding": "effusion"}),
    ("Show me the Grad-CAM", "explain", {"method": "grad_cam"}),
    ("saliency map for the mass by occlusion", "explain", {"finding": "mass", "method": "occlusion"}),
    ("Show the concept list for tuberculosis", "zero_shot", {"finding": "tuberculosis"}),
    ("Which concepts speak for tuberculosis?", "zero_shot", {"finding": "tuberculosis"}),
    ("Run the checklist for tuberculosis again without the cavity and the effusion", "zero_shot",
     {"finding": "tuberculosis", "without": ["cavity", "effusion"]}),
    ("Run the checklist for tuberculosis with my own concepts: cavity, upper lobe opacity", "zero_shot",
     {"finding": "tuberculosis", "concepts": ["cavity", "upper lobe opacity"]}),
    ("Checklist for heart failure, add Kerley lines", "zero_shot",
     {"finding": "heart_failure", "also": ["Kerley lines"]}),
    ("Is there a unicorn?", "zero_shot", {"phrase": "unicorn"}),
    ("Screen for TB", "tb_screen", {}),
    ("Is anything unusual on this film?", "anomaly", {}),
    ("How far from normal is this chest?", "anomaly", {}),
    ("Could this be tuberculosis?", "tb_screen", {}),
    ("How severe is the COVID pneumonia?", "covid_severity", {}),
    ("Is the endotracheal tube well placed?", "detect_objects", {"question": "Is the endotracheal tube well placed?"}),
    ("Is there a retained sponge?", "detect_objects", {"question": "Is there a retained sponge?"}),
    ("The count is wrong: a needle?", "detect_objects", {"question": "The count is wrong: a needle?"}),
    ("any tubes or lines?", "detect_objects", {"question": "any tubes or lines?"}),
    ("Where does the NG tube end?", "detect_objects", {"question": "Where does the NG tube end?"}),
    ("Has the model been audited?", "audit", {}),
    ("65-year-old man, fever, CRP 180. What is the differential?", "fuse",
     {"question": "65-year-old man, fever, CRP 180. What is the differential?"}),
    ("Give me a differential diagnosis", "fuse", {"question": "Give me a differential diagnosis"}),
    ("Which subgroup is it worst for?", "audit", {}),
    ("Show a synthetic lateral view", "generate", {"prompt": "Show a synthetic lateral view", "view": "LATERAL"}),
]  # fmt: skip


def offered() -> Offers:
    """Our tools as they are bound, but for the check of a film, which would come first."""
    made = {}
    for tool in installed():
        schema = tool.arguments.model_json_schema()
        names, required = frozenset(schema["properties"]), frozenset(schema.get("required", []))
        made[tool.name] = Offer(tool.name, names, required, tool.asked_by)
    return {name: offer for name, offer in made.items() if name != "quality"}


@pytest.mark.parametrize(("text", "tool", "arguments"), ROWS, ids=[text[:40] for text, _, _ in ROWS])
def test_words_call_the_tool_with_what_they_say(text: str, tool: str, arguments: dict[str, Any]) -> None:
    tools = offered()
    [question] = read(text, FILMS, [FILM], tools=tools)
    [call] = wanted(question, Facts([]), tools)
    takes_film = {"image_id": FILM} if "image_id" in tools[tool].arguments else {}
    assert (call.tool, call.args) == (tool, {**takes_film, **arguments})


def test_checklist_asked_for_next_is_of_the_phrase_before() -> None:
    tools = offered()
    [before] = read("Is there a scimitar vein?", FILMS, [FILM], tools=tools)
    [question] = read("What is the checklist behind that?", FILMS, [], before, tools)
    [call] = wanted(question, Facts([]), tools)
    assert (call.tool, call.args) == ("zero_shot", {"image_id": FILM, "phrase": "scimitar vein"})


def test_what_is_missing_is_asked_of_the_differential_before() -> None:
    tools = offered()
    told = "The patient is 70, has fever. What is the differential?"
    [before] = read(told, FILMS, [FILM], tools=tools)
    [question] = read("What is missing?", FILMS, [], before, tools)
    [call] = wanted(question, Facts([]), tools)
    assert call.tool == "fuse" and told in call.args["question"]


def test_spanish_report_is_read_when_spanish_asks_for_it() -> None:
    tools = offered()
    report = "Hallazgos: Derrame pleural izquierdo. No se observa neumotórax."
    [question] = read(f"Lea este informe: {report}", FILMS, [FILM], tools=tools)
    [call] = wanted(question, Facts([]), tools)
    assert (call.tool, call.args) == ("read_report", {"text": report})


def test_verb_read_alone_reads_the_film_that_it_names() -> None:
    """Where the synthetic film is named it is read, and no patient's in its place."""
    synthetic = {**FILMS[0], "number": 2, "id": "s" * 16, "derived": {"kind": "synthetic", "parent": None}}
    [question] = read("Read the synthetic film", [*FILMS, synthetic], [], None, offered())
    assert (question.kind, question.films) == (Kind.OVERVIEW, (synthetic["id"],))
    [question] = read("What would it look like in six months?", FILMS, [], None, offered())
    assert question.kind is Kind.FORECAST

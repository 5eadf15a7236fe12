"""`hilum demo`: two questions about a synthetic film whose truth is known, and what Hilum answered beside it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from agent import Agent
from agent.settings import Settings
from imaging.failures import writing
from imaging.phantom import PhantomSpec, make_phantom, parse_finding
from ui.terminal.answers import follow, print_answer, save_overlays

SEED = 1
FINDINGS = ("effusion:right:600ml", "cardiomegaly:0.60")
QUESTIONS = ("Is the heart enlarged, and is there a pleural effusion?", "Write the report.")


def run_demo(settings: Settings, folder: Path, console: Console) -> None:
    """Ask both questions about one phantom film and write film, overlays and the JSON answers under `folder`."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    phantom = make_phantom(PhantomSpec(seed=SEED, findings=tuple(parse_finding(text) for text in FINDINGS)))
    film = folder / "demo_film.dcm"
    phantom.write_dicom(film)
    console.rule("A synthetic film with known truth")
    console.print(f"Film: {film}", markup=False)
    session = Agent(settings).session()
    session.add(film)
    for number, question in enumerate(QUESTIONS, start=1):
        console.rule(f"Question {number}")
        console.print(question, style="bold", markup=False)
        answer = follow(session.stream(question), console)
        print_answer(answer, console)
        path = folder / f"demo_answer_{number}.json"
        path.write_text(answer.model_dump_json(indent=2), encoding="utf-8")
        console.print(f"JSON answer: {path}", markup=False)
        for overlay in save_overlays(answer, session.films, folder / f"demo_overlays_{number}"):
            console.print(f"Overlay: {overlay}", markup=False)
    console.rule("The film's truth, which no tool was told")
    console.print(
        f"{', '.join(FINDINGS)}; cardiothoracic ratio {phantom.measures['cardiothoracic_ratio']:.3f}", markup=False
    )

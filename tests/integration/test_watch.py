"""`hilum doctor --watch` reads what a running chat's pool counted; nobody beyond this machine may."""

from __future__ import annotations

import pytest
from rich.console import Console

from agent import Agent
from agent.settings import Settings
from imaging.failures import Unavailable
from imaging.phantom import PhantomSpec, make_phantom
from models.outputs import Task
from ui.chat import launch
from ui.chat.serve import METRICS_PATH
from ui.terminal.watch import read, table, watch


def test_a_running_chat_tells_its_models_work(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent(Settings(device="cpu", profile="embedded", planner="embedded"))
    film = make_phantom(PhantomSpec(seed=1, size=128)).radiograph
    page = launch(agent, agent.settings, port=0, block=False, quiet=True)
    try:
        for _ in range(2):
            agent.models.predict(Task.SEGMENT, [film])
        samples = read(page.local_url)
        assert samples[("hilum_predictions_total", "embedded-segmenter", "computed")] == 1
        assert samples[("hilum_predictions_total", "embedded-segmenter", "memory")] == 1
        console = Console(record=True, width=120)
        watch(page.local_url, console, rounds=1)
        assert "embedded-segmenter" in console.export_text() and table(samples).row_count == 1
        assert film.id not in agent.models.metrics.text(), "no film can be told from the metrics"
    finally:
        page.close()


def test_another_machine_is_told_nothing() -> None:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from ui.chat.serve import _metrics

    agent = Agent(Settings(device="cpu", profile="embedded", planner="embedded"))
    app = FastAPI()
    app.add_api_route(METRICS_PATH, _metrics(agent))
    assert TestClient(app, client=("192.0.2.7", 5000)).get(METRICS_PATH).status_code == 403
    here = TestClient(app, client=("127.0.0.1", 5000)).get(METRICS_PATH)
    assert here.status_code == 200 and "hilum_predictions" in here.text


def test_nobody_there_is_said_with_the_remedy() -> None:
    with pytest.raises(Unavailable, match=r"No Hilum answers at http://127\.0\.0\.1:9.*hilum chat"):
        read("http://127.0.0.1:9")

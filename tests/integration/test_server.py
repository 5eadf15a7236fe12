"""The HTTP API: what a program does with it, who may, and what it refuses."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from agent_stubs import StubTools, Truth, film, stub_agent
from PIL import Image
from starlette.testclient import TestClient

from agent.memory import Memory
from imaging.derived import to_png
from imaging.failures import BadArguments
from ui.server import application
from ui.server.application import create, serve
from ui.server.callers import read_tokens

TOKENS = "anna:anna-secret-token-1,ben:ben-secret-token-22"
ANNA = {"Authorization": "Bearer anna-secret-token-1"}
BEN = {"Authorization": "Bearer ben-secret-token-22"}
TRUTH = Truth(scores={"effusion": 0.81, "pneumothorax": 0.1}, sides={"effusion": "left"})


def made(
    tmp_path: Path, tokens: str = "", tools: StubTools | None = None, ask_before: tuple[str, ...] = (), **more: Any
) -> TestClient:
    agent = stub_agent(tools or StubTools(TRUTH), ask_before=ask_before)
    agent.memory = Memory(tmp_path / "sessions.db")
    agent.models.device = "cpu"  # type: ignore[misc]
    agent.models.metrics = type("Counts", (), {"text": lambda self: "hilum_loads_total 0\n"})()
    return TestClient(create(agent, tokens, **more), raise_server_exceptions=False)


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return made(tmp_path)


def upload(client: TestClient, session: str, number: int = 1, **more: Any) -> Any:
    files = [("files", ("a.png", to_png(film(number)), "image/png"))]
    return client.post(f"/v1/sessions/{session}/films", files=files, **more)


def test_a_program_asks_about_a_film_and_looks_at_the_evidence(client: TestClient) -> None:
    session = client.post("/v1/sessions").json()["id"]
    [given] = upload(client, session).json()["films"]
    assert given["id"] == film(1).id and given["name"] == "film 1"
    answer = client.post(f"/v1/sessions/{session}/ask", json={"question": "Is there a left effusion?"}).json()
    assert "Yes: pleural effusion is present on the left [E1, E2]" in answer["text"]
    record = client.get(f"/v1/sessions/{session}/evidence/E1").json()
    assert record["tool"] == "classify" and record["image_ids"] == [film(1).id]
    picture = client.get(f"/v1/sessions/{session}/evidence/E1/picture")
    assert Image.open(io.BytesIO(picture.content)).size[0] >= 32
    assert client.get(f"/v1/sessions/{session}/films/{film(1).id}").headers["content-type"] == "image/png"
    [turn] = client.get(f"/v1/sessions/{session}/turns").json()
    assert turn["question"] == "Is there a left effusion?" and turn["answer"]["text"] == answer["text"]
    assert [line["kind"] for line in client.get(f"/v1/sessions/{session}/transcript").json()] == ["opened", "turn"]
    [listed] = client.get("/v1/sessions").json()
    assert listed["id"] == session and listed["films"] == 1


def test_sessions_outlive_the_server(tmp_path: Path) -> None:
    first = made(tmp_path)
    session = first.post("/v1/sessions").json()["id"]
    upload(first, session)
    first.post(f"/v1/sessions/{session}/ask", json={"question": "Is there a left effusion?"})
    again = made(tmp_path).post(f"/v1/sessions/{session}/ask", json={"question": "And on the right?"}).json()
    assert "present on the left only" in again["text"]


def test_rename_and_delete(client: TestClient) -> None:
    session = client.post("/v1/sessions").json()["id"]
    assert client.patch(f"/v1/sessions/{session}", json={"title": "Monday"}).status_code == 204
    assert client.get("/v1/sessions").json()[0]["title"] == "Monday"
    assert client.delete(f"/v1/sessions/{session}").status_code == 204
    assert client.get("/v1/sessions").json() == []
    assert client.get(f"/v1/sessions/{session}/films").status_code == 422


def test_tools_are_told_and_run(client: TestClient) -> None:
    told = {item["name"]: item for item in client.get("/v1/tools").json()}
    assert told["classify"]["arguments"]["properties"]["image_id"]["type"] == "string"
    session = client.post("/v1/sessions").json()["id"]
    upload(client, session)
    ran = client.post(f"/v1/sessions/{session}/tools/classify", json={"arguments": {"image_id": film(1).id}}).json()
    assert ran["findings"][0]["code"] == "effusion"
    wrong = client.post(f"/v1/sessions/{session}/tools/clasify", json={"arguments": {}})
    assert wrong.status_code == 422 and "Did you mean 'classify'" in wrong.json()["hint"]


def test_without_a_good_token_nothing_is_answered(tmp_path: Path) -> None:
    client = made(tmp_path, TOKENS)
    for headers in ({}, {"Authorization": "Bearer wrong-token-wrong-token"}, {"Authorization": "Basic YTpi"}):
        for path in ("/v1/sessions", "/v1/tools"):
            assert client.get(path, headers=headers).status_code == 401
    assert client.get("/health").status_code == 200


def test_one_users_sessions_are_not_there_for_another(tmp_path: Path) -> None:
    client = made(tmp_path, TOKENS)
    session = client.post("/v1/sessions", headers=ANNA).json()["id"]
    upload(client, session, headers=ANNA)
    assert client.get("/v1/sessions", headers=BEN).json() == []
    unknown = client.get("/v1/sessions/feedfacefeedface/films", headers=BEN).json()
    for method, path in [
        ("GET", "films"), ("GET", f"films/{film(1).id}"), ("GET", "evidence/E1"), ("GET", "transcript"),
        ("GET", "turns"), ("POST", "stop"), ("DELETE", ""),
    ]:  # fmt: skip
        refused = client.request(method, f"/v1/sessions/{session}/{path}".rstrip("/"), headers=BEN)
        assert refused.status_code == 422
        assert refused.json()["message"].replace(session, "x") == unknown["message"].replace("feedfacefeedface", "x")
    asked = client.post(f"/v1/sessions/{session}/ask", json={"question": "x"}, headers=BEN)
    assert asked.status_code == 422 and len(client.get("/v1/sessions", headers=ANNA).json()) == 1


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
def test_pages_of_other_sites_cannot_use_it(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/v1/sessions", headers=headers).status_code == 403
    assert client.get("/v1/sessions").json() == []


def test_a_name_bound_to_this_machine_by_another_is_refused(client: TestClient) -> None:
    assert client.get("/v1/sessions", headers={"Host": "rebound.example"}).status_code == 400


def test_requests_beyond_the_limit_are_refused_for_that_caller_alone(tmp_path: Path) -> None:
    client = made(tmp_path, TOKENS, per_minute=5)
    codes = [client.get("/v1/tools", headers=ANNA).status_code for _ in range(8)]
    assert codes[:5] == [200] * 5 and codes[-1] == 429
    assert client.get("/v1/tools", headers=BEN).status_code == 200


def test_upload_that_is_too_large_is_refused_declared_or_not(client: TestClient, monkeypatch: Any) -> None:
    monkeypatch.setattr(application, "UPLOAD_MOST", 10_000)
    session = client.post("/v1/sessions").json()["id"]
    body = b"x" * 20_000
    assert client.post(f"/v1/sessions/{session}/films", content=body).status_code == 413
    undeclared = client.post(
        f"/v1/sessions/{session}/films",
        content=iter([body[:6000], body[:6000], body[:6000]]),
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert undeclared.status_code == 413


def test_file_that_is_no_film_is_refused_with_its_reason_and_the_others_kept(client: TestClient) -> None:
    session = client.post("/v1/sessions").json()["id"]
    files = [("files", ("a", b"not a film")), ("files", ("b.png", to_png(film(1))))]
    told = client.post(f"/v1/sessions/{session}/films", files=files).json()
    assert len(told["films"]) == 1 and told["refused"][0]["kind"] and told["refused"][0]["hint"]


@pytest.mark.parametrize("film_id", ["../../etc/passwd", "%2e%2e%2fetc%2fpasswd", "/etc/passwd"])
def test_paths_are_no_film_ids(client: TestClient, film_id: str) -> None:
    session = client.post("/v1/sessions").json()["id"]
    answered = client.get(f"/v1/sessions/{session}/films/{film_id}")
    assert answered.status_code in (404, 422) and b"root:" not in answered.content


def test_documentation_needs_no_other_machine(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "cdn" not in page and "https://" not in page
    assert client.get("/static/swagger-ui-bundle.js").status_code == 200
    assert client.get("/openapi.json").json()["info"]["title"] == "Hilum"


def test_beyond_this_machine_tokens_are_required() -> None:
    with pytest.raises(BadArguments, match="no tokens are set"):
        serve(stub_agent(), "0.0.0.0", 0)
    with pytest.raises(BadArguments, match="cannot be used"):
        read_tokens("anna:short")


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A real server on a free port."""
    agent = stub_agent(StubTools(Truth(scores=TRUTH.scores, sides=TRUTH.sides, delay_s={"classify": 0.5})))
    agent.memory = Memory(tmp_path / "sessions.db")
    server = uvicorn.Server(uvicorn.Config(create(agent), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        pass
    [socket] = server.servers[0].sockets
    yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_events_come_as_they_happen(address: str) -> None:
    with httpx.Client(base_url=address, timeout=30) as http:
        session = http.post("/v1/sessions").json()["id"]
        http.post(f"/v1/sessions/{session}/films", files={"files": ("a.png", to_png(film(1)))})
        names: list[str] = []
        with http.stream("POST", f"/v1/sessions/{session}/ask/stream", json={"question": "Effusion?"}) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            for line in stream.iter_lines():
                names += [line.removeprefix("event: ")] if line.startswith("event: ") else []
                last = line if line.startswith("data: ") else locals().get("last", "")
        assert names[:2] == ["plan", "tool_started"] and names[-1] == "answer"
        assert json.loads(last.removeprefix("data: "))["text"].startswith("Yes: pleural effusion")


def test_busy_session_says_so(address: str) -> None:
    with httpx.Client(base_url=address, timeout=30) as http:
        session = http.post("/v1/sessions").json()["id"]
        http.post(f"/v1/sessions/{session}/films", files={"files": ("a.png", to_png(film(1)))})
        ask = {"question": "Is there an effusion?"}
        with http.stream("POST", f"/v1/sessions/{session}/ask/stream", json=ask) as stream:
            lines = stream.iter_lines()
            next(lines)
            busy = http.post(f"/v1/sessions/{session}/ask", json=ask)
    assert busy.status_code == 409 and busy.json()["kind"] == "busy"


def test_hanging_up_stops_the_turn(address: str) -> None:
    with httpx.Client(base_url=address, timeout=30) as http:
        session = http.post("/v1/sessions").json()["id"]
        http.post(f"/v1/sessions/{session}/films", files={"files": ("a.png", to_png(film(1)))})
        with http.stream("POST", f"/v1/sessions/{session}/ask/stream", json={"question": "Effusion?"}) as stream:
            next(stream.iter_lines())
        answer = http.post(f"/v1/sessions/{session}/ask", json={"question": "How big is the heart?"})
        assert answer.status_code == 200 and "Cardiothoracic ratio" in answer.json()["text"]


@pytest.mark.parametrize("allow", [True, False])
def test_tool_that_needs_approval_waits_for_the_callers_word(tmp_path: Path, allow: bool) -> None:
    tools = StubTools(TRUTH)
    client = made(tmp_path, tools=tools, ask_before=("classify",))
    session = client.post("/v1/sessions").json()["id"]
    upload(client, session)
    answers: list[int] = []

    def approve() -> None:
        for _ in range(200):
            given = {"evidence": "E1", "allow": allow}
            answers.append(client.post(f"/v1/sessions/{session}/approve", json=given).status_code)
            if answers[-1] == 204:
                return
            time.sleep(0.05)

    person = threading.Thread(target=approve)
    person.start()
    told = client.post(f"/v1/sessions/{session}/ask/stream", json={"question": "Is there an effusion?"}).text
    person.join()
    assert "event: approval" in told and answers[-1] == 204 and set(answers[:-1]) <= {422}
    assert ("classify" in [name for name, _ in tools.runs]) is allow


def test_nobody_can_be_asked_where_the_answer_comes_whole(tmp_path: Path) -> None:
    tools = StubTools(TRUTH)
    client = made(tmp_path, tools=tools, ask_before=("classify",))
    session = client.post("/v1/sessions").json()["id"]
    upload(client, session)
    answer = client.post(f"/v1/sessions/{session}/ask", json={"question": "Is there an effusion?"}).json()
    assert tools.runs == [] and "nobody can be asked" in json.dumps(answer["not_assessed"])
    assert client.post(f"/v1/sessions/{session}/approve", json={"evidence": "E1", "allow": True}).status_code == 422

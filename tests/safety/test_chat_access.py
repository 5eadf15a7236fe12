"""The chat over HTTP, as one who writes requests by hand meets it: logins, cookies, paths, addresses, other sites."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat
from pathlib import Path

import httpx
import pytest
from agent_stubs import StubTools, stub_agent

from agent.memory import Memory
from ui.chat import launch

LOGIN = {"username": "anna", "password": "secret-word"}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    agent = stub_agent(StubTools())
    agent.memory = Memory(tmp_path_factory.mktemp("memory") / "sessions.db")
    login = (LOGIN["username"], LOGIN["password"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        page = launch(agent, agent.settings, port=0, auth=login, block=False, quiet=True)
        yield page.local_url.rstrip("/")
        page.close()


@pytest.fixture
def anna(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=60) as http:
        assert http.post("/login", data=LOGIN).status_code == 200
        yield http


@pytest.fixture
def neighbour() -> Iterator[tuple[str, list[str]]]:
    """Another server of this machine: an address on it, and what was asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/a.png", asked
    server.shutdown()


def test_without_a_login_nothing_is_shown(address: str) -> None:
    with httpx.Client(base_url=address, timeout=60) as http:
        assert http.post("/login", data={**LOGIN, "password": "guess"}).status_code == 400
        for path in ("/config", "/gradio_api/info", "/gradio_api/file=a.png"):
            assert http.get(path).status_code == 401
        assert http.post("/gradio_api/queue/join", json={"data": [], "fn_index": 0}).status_code == 401


def test_a_cookie_planted_before_the_login_is_worth_nothing_after_it(anna: httpx.Client, address: str) -> None:
    names = list(dict(anna.cookies))
    planted = dict.fromkeys(names, "planted")
    with httpx.Client(base_url=address, cookies=planted, timeout=60) as victim:
        given = victim.post("/login", data=LOGIN).headers.get_list("set-cookie")
        assert given and not any("planted" in cookie for cookie in given), "the login gives a token of its own"
        assert all("HttpOnly" in cookie for cookie in given)
    with httpx.Client(base_url=address, cookies=planted, timeout=60) as attacker:
        assert attacker.get("/config").status_code == 401
    before = dict(anna.cookies)
    anna.post("/login", data=LOGIN)
    assert all(before[name] != anna.cookies[name] for name in names), "every login has another"


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd", "/gradio_api/file=..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/static/..%2f..%2f..%2fetc%2fpasswd", "/assets/..%2f..%2f..%2f..%2fetc%2fpasswd",
    ],
)  # fmt: skip
def test_no_path_leads_to_a_file_of_the_machine(anna: httpx.Client, path: str) -> None:
    answered = anna.get(path)
    assert answered.status_code in (403, 404) and b"root:" not in answered.content


def opened(http: httpx.Client, path: str) -> str:
    """What the upload handler says to a file that the request itself names."""
    config = http.get("/config").json()
    buttons = {each["id"] for each in config["components"] if each["type"] == "uploadbutton"}
    handler = next(each["id"] for each in config["dependencies"] if buttons & set(each["inputs"]))
    file = {"path": path, "url": path, "orig_name": "a.png", "meta": {"_type": "gradio.FileData"}}
    asked = {"data": [[file]], "fn_index": handler, "session_hash": "by-hand"}
    assert http.post("/gradio_api/queue/join", json=asked).status_code == 200
    with http.stream("GET", "/gradio_api/queue/data", params={"session_hash": "by-hand"}) as stream:
        for line in stream.iter_lines():
            told = json.loads(line.removeprefix("data: ")) if line else {}
            if told.get("msg") == "process_completed":
                assert told["success"] is False
                return str(told["output"]["error"])
    raise AssertionError("nothing came")


def test_a_file_named_by_a_path_is_not_opened(anna: httpx.Client) -> None:
    assert "not uploaded" in opened(anna, "/etc/passwd")


def test_the_server_asks_no_address_that_a_request_names(anna: httpx.Client, neighbour: tuple[str, list[str]]) -> None:
    """192.0.2.1 is of the block for documentation (RFC 5737): public, and nobody's."""
    url, asked = neighbour
    for named in (url, "http://192.0.2.1/a.png", "http://example.invalid/a.png"):
        assert "fetches nothing" in opened(anna, named)
    assert anna.get(f"/gradio_api/proxy={url}").status_code in (400, 404)
    assert anna.get(f"/gradio_api/file={url}").status_code == 403
    assert asked == []


def test_a_page_of_another_site_may_not_read_or_send(anna: httpx.Client) -> None:
    """A browser lets a page read an answer, and send JSON at all, only where this header names the page's origin."""
    evil = {"Origin": "https://evil.example"}
    wanted = {**evil, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    for answered in (anna.get("/config", headers=evil), anna.options("/gradio_api/queue/join", headers=wanted)):
        assert answered.headers.get("access-control-allow-origin") not in ("*", evil["Origin"])


OTHER_SITES = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"},
)


@pytest.mark.parametrize("host", ["127.0.0.1", "hilum.example.org"])
@pytest.mark.parametrize("headers", OTHER_SITES)
def test_a_page_of_another_site_is_refused_under_any_name_of_the_server(
    anna: httpx.Client, host: str, headers: dict[str, str]
) -> None:
    """With the user's cookie; gradio itself lets it read where the server has a name that is not of this machine."""
    sent = {**headers, "Host": host}
    assert anna.get("/config", headers=sent).status_code == 403
    assert anna.post("/gradio_api/queue/join", json={"data": [], "fn_index": 0}, headers=sent).status_code == 403
    own = {"Host": host, "Origin": f"https://{host}", "Sec-Fetch-Site": "same-origin"}
    assert anna.get("/config", headers=own).status_code == 200


def test_another_site_may_link_to_the_workbench_but_not_send_a_form(anna: httpx.Client) -> None:
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert anna.get("/", headers=followed).status_code == 200
    assert anna.post("/login", data=LOGIN, headers=followed).status_code == 403


def test_no_link_picture_or_form_of_another_site_logs_a_user_out(anna: httpx.Client) -> None:
    """Logging out is a POST of the page's own; the GET that gradio has is gone."""
    picture = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
    for path in ("/logout", "/logout/"):
        for headers in ({}, picture, link):
            anna.get(path, headers=headers)
            anna.head(path, headers=headers)
        for headers in OTHER_SITES:
            anna.post(path, headers=headers)
    assert anna.get("/config").status_code == 200
    kept = dict(anna.cookies)
    assert anna.post("/logout").status_code == 302
    anna.cookies.update(kept)
    assert anna.get("/config").status_code == 401


def test_without_a_login_only_names_of_this_machine_are_answered(tmp_path: Path) -> None:
    """A page that binds its own name to 127.0.0.1 is of the same origin for a browser; only the name tells."""
    agent = stub_agent(StubTools())
    agent.memory = Memory(tmp_path / "sessions.db")
    page = launch(agent, agent.settings, port=0, block=False, quiet=True)
    try:
        rebound = {"Host": "rebound.example", "Origin": "http://rebound.example", "Sec-Fetch-Site": "same-origin"}
        assert httpx.get(f"{page.local_url}config", headers=rebound, timeout=60).status_code == 400
        assert httpx.get(f"{page.local_url}config", headers={"Host": "localhost:7860"}, timeout=60).status_code == 200
    finally:
        page.close()


def test_the_server_itself_refuses_a_file_of_200_mb(anna: httpx.Client) -> None:
    """Nothing of the page's script runs here; the bytes are made as they are sent and lie on no disk of ours."""
    head = b'--b\r\ncontent-disposition: form-data; name="files"; filename="large.dcm"\r\n\r\n'
    body = chain([head], repeat(bytes(1_000_000), 200), [b"\r\n--b--\r\n"])
    answered = anna.post(
        "/gradio_api/upload", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert answered.status_code == 413 and "maximum allowed size" in answered.text


def test_uploads_lie_in_a_folder_of_their_own(anna: httpx.Client, address: str) -> None:
    names = ["../../../../tmp/evil-canary.png", "/tmp/evil-canary.png"]
    for name in names:
        anna.post("/gradio_api/upload", files={"files": (name, b"not a film")})
    assert not Path("/tmp/evil-canary.png").exists()

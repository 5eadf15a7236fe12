"""What an attacker would plant: a session's id, a pickle in the memory, a picture that unpacks to gigabytes."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from agent_stubs import StubTools, stub_agent
from langgraph.checkpoint.serde.jsonplus import EXT_CONSTRUCTOR_SINGLE_ARG, JsonPlusSerializer
from starlette.testclient import TestClient

from agent.memory import Memory
from imaging import files, part10
from imaging.failures import FilmRefused
from imaging.phantom import PhantomSpec, make_phantom
from imaging.phantom.files import dataset
from ui.server import create

ANNA = {"Authorization": "Bearer anna-secret-token-1"}
BEN = {"Authorization": "Bearer ben-secret-token-22"}
DEFLATED = "1.2.840.10008.1.2.1.99"


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    agent = stub_agent(StubTools())
    agent.memory = Memory(tmp_path / "sessions.db")
    agent.models.device = "cpu"  # type: ignore[misc]
    return TestClient(create(agent, "anna:anna-secret-token-1,ben:ben-secret-token-22"))


def test_a_session_has_no_id_that_a_caller_chose(client: TestClient) -> None:
    chosen = "0" * 32
    made = [
        client.post("/v1/sessions", headers=ANNA, json={"id": chosen}, params={"id": chosen}).json()["id"] for _ in "ab"
    ]
    assert len({*made, chosen}) == 3 and all(len(bytes.fromhex(each)) == 16 for each in made), "128 random bits"
    assert client.get(f"/v1/sessions/{chosen}/films", headers=ANNA).status_code == 422, "asking for one makes none"


def test_a_session_that_somebody_else_began_cannot_be_taken_over(client: TestClient) -> None:
    planted = client.post("/v1/sessions", headers=BEN).json()["id"]
    for method, path in (("GET", "/films"), ("POST", "/ask"), ("POST", "/stop"), ("DELETE", "")):
        body: dict[str, Any] = {"json": {"question": "x"}} if path == "/ask" else {}
        assert client.request(method, f"/v1/sessions/{planted}{path}", headers=ANNA, **body).status_code == 422
    assert [each["id"] for each in client.get("/v1/sessions", headers=BEN).json()] == [planted]


class Shell:
    """Unpickled, it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_a_pickle_in_the_memory_is_not_loaded_raises(tmp_path: Path) -> None:
    """Whoever can write the database of sessions must not run code by it."""
    payload = pickle.dumps(Shell(tmp_path / "ran"))
    for memory in (Memory(tmp_path / "sessions.db"), Memory()):
        with pytest.raises(NotImplementedError):
            memory.checkpointer().serde.loads_typed(("pickle", payload))
    assert not (tmp_path / "ran").exists()


def test_a_function_named_in_the_memory_is_not_called(tmp_path: Path) -> None:
    """The form in which langgraph keeps objects: module, name, argument. Its own default calls what it finds there."""

    def named(folder: Path) -> tuple[str, bytes]:
        call = ormsgpack.packb(("os", "mkdir", str(folder)))
        return "msgpack", ormsgpack.packb(ormsgpack.Ext(EXT_CONSTRUCTOR_SINGLE_ARG, call))

    JsonPlusSerializer().loads_typed(named(tmp_path / "by default"))
    assert (tmp_path / "by default").exists(), "the attack is one"
    for memory in (Memory(tmp_path / "sessions.db"), Memory()):
        memory.checkpointer().serde.loads_typed(named(tmp_path / "ran"))
    assert not (tmp_path / "ran").exists()


def png(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds a few bytes (PNG 1.2, 11.2)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packed = zlib.compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def test_a_picture_that_unpacks_to_gigabytes_is_refused_by_its_header() -> None:
    with pytest.raises(FilmRefused) as refused:
        files.open_film(png(60_000, 60_000))
    assert refused.value.kind == "too_large"


def test_a_deflated_film_is_not_inflated_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    made = dataset(make_phantom(PhantomSpec(seed=1, size=64)))
    made.file_meta.TransferSyntaxUID = DEFLATED
    made.PatientComments = "0" * 10_000
    made.add_new(0x00211001, "OB", bytes(40_000_000))
    stream = io.BytesIO()
    made.save_as(stream, enforce_file_format=True)
    data = stream.getvalue()
    assert len(data) < 1_000_000, "40 MB of zeros took little room"
    monkeypatch.setattr(part10, "MAX_FILE_BYTES", 1 << 20)
    with pytest.raises(FilmRefused, match="inflates beyond 1 MiB") as refused:
        files.open_film(data)
    assert refused.value.kind == "too_large"

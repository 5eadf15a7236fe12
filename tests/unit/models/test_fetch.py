"""Pulling models from a server that throttles, breaks off and lies: the right bytes arrive, or nothing does."""

from __future__ import annotations

import hashlib
import io
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from catalog_entries import entry
from huggingface_hub.utils import close_session
from safetensors.torch import save
from unkind_server import Behaviour, serving

from imaging.failures import BadArguments, Unavailable
from models.catalog import CatalogEntry
from models.fetch.store import plan, pull, remove, verify
from models.fetch.transfer import Connection
from models.weights import locate, pulled

COMMIT = "ab" * 20


def weights(numbers: int = 400_000) -> bytes:
    """A torch file of random numbers, so that it does not compress."""
    buffer = io.BytesIO()
    torch.save({"a": torch.from_numpy(np.random.default_rng(0).random(numbers, np.float32))}, buffer)
    return buffer.getvalue()


CONTENT = weights()


@pytest.fixture
def behaviour(monkeypatch: pytest.MonkeyPatch) -> Behaviour:
    """A kind server, until the test says otherwise, and no token of the user's."""
    for name in ("HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("models.fetch.remote.get_token", lambda: None)
    return Behaviour(files={"/w/model.pt": CONTENT})


@pytest.fixture
def address(behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with serving(behaviour) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        yield url


def by_url(address: str, **source: object) -> CatalogEntry:
    facts = {"kind": "url", "url": f"{address}/w/model.pt", "revision": "v1", "note": "a test", **source}
    return entry("plain", source=facts, download_mb=1.6)


def by_hub() -> CatalogEntry:
    return entry("hubbed", source={"kind": "hub", "repo": "lab/model", "revision": "main", "note": "moves"})


def quickly(item: CatalogEntry, folder: Path) -> Path:
    return pull(item, folder, pause_s=0.01)


def test_a_file_arrives_whole_and_is_found_afterwards(address: str, tmp_path: Path) -> None:
    seen: list[int] = []
    path = pull(by_url(address), tmp_path, lambda name, done, total: seen.append(done))
    assert path.read_bytes() == CONTENT and seen[-1] == len(CONTENT)
    assert locate(by_url(address), tmp_path).present
    assert verify(by_url(address), tmp_path) == []
    assert not list(tmp_path.glob("*.part*"))


def test_a_connection_that_breaks_off_is_resumed_where_it_broke(
    address: str, behaviour: Behaviour, tmp_path: Path
) -> None:
    behaviour.break_after = [300_000, 200_000]
    assert quickly(by_url(address), tmp_path).read_bytes() == CONTENT
    ranges = [wanted for _, wanted in behaviour.asked]
    assert len(ranges) == 3 and ranges[0] == ""
    assert 0 < int(ranges[1][6:-1]) < int(ranges[2][6:-1]) < len(CONTENT)


def test_a_later_call_goes_on_where_the_first_gave_up(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.break_after = [300_000]
    behaviour.statuses = []
    with pytest.raises(Unavailable, match="does not answer"):
        behaviour_after_break(behaviour)
        quickly(by_url(address), tmp_path)
    behaviour.statuses = []
    behaviour.asked.clear()
    assert quickly(by_url(address), tmp_path).read_bytes() == CONTENT
    assert behaviour.asked[0][1].startswith("bytes="), "it went on"


def behaviour_after_break(behaviour: Behaviour) -> None:
    """First a broken-off file, then only refusals."""

    class Refusing(list[int]):
        def __bool__(self) -> bool:
            return bool(behaviour.asked[1:])

        def pop(self, index: int = -1) -> int:  # type: ignore[override]
            return 503

    behaviour.statuses = Refusing()


def test_a_server_that_does_not_resume_starts_again(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.break_after, behaviour.resumes = [300_000], False
    assert quickly(by_url(address), tmp_path).read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_not_patched_together(
    address: str, behaviour: Behaviour, tmp_path: Path
) -> None:
    behaviour.break_after = [300_000]
    behaviour_after_break(behaviour)
    with pytest.raises(Unavailable):
        quickly(by_url(address), tmp_path)
    other = weights(300_000)
    behaviour.statuses, behaviour.files["/w/model.pt"] = [], other
    assert quickly(by_url(address), tmp_path).read_bytes() == other


def test_a_busy_server_is_asked_again(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.statuses = [503, 429]
    assert quickly(by_url(address), tmp_path).read_bytes() == CONTENT


def test_a_web_page_is_refused(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.page = b"<html>404</html>"
    with pytest.raises(Unavailable, match="gave a web page"):
        quickly(by_url(address), tmp_path)
    behaviour.page = b""
    behaviour.files["/w/model.pt"] = b"<!DOCTYPE html>sent as octets"
    with pytest.raises(Unavailable, match="is a web page"):
        quickly(by_url(address), tmp_path)
    assert not list(tmp_path.glob("model*"))


def test_one_flipped_byte_is_refused(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    flipped = bytearray(CONTENT)
    flipped[1000] ^= 1
    behaviour.files["/w/model.pt"] = bytes(flipped)
    item = by_url(address, sha256=hashlib.sha256(CONTENT).hexdigest())
    with pytest.raises(Unavailable, match="its sha256 is"):
        quickly(item, tmp_path)
    assert not list(tmp_path.glob("model.pt*")), "a wrong file is not kept to be resumed"


def test_a_flipped_byte_is_refused_where_no_checksum_is_known(
    address: str, behaviour: Behaviour, tmp_path: Path
) -> None:
    """torch.save's archive has a CRC-32 of each member, as every zip archive (PKWARE's APPNOTE, 4.4.7)."""
    flipped = bytearray(CONTENT)
    flipped[len(CONTENT) // 2] ^= 1
    behaviour.files["/w/model.pt"] = bytes(flipped)
    with pytest.raises(
        Unavailable, match=r"is not model\.pt: its archive is damaged: the checksum of .*data/0 is wrong"
    ):
        quickly(by_url(address), tmp_path)
    assert not list(tmp_path.glob("model.pt*"))


def test_a_missing_file_is_said_at_once(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.files.clear()
    with pytest.raises(Unavailable, match=r"is not there \(HTTP 404\)"):
        quickly(by_url(address), tmp_path)
    assert len(behaviour.asked) == 1


def test_without_a_network_it_says_so_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setattr("models.fetch.remote.get_token", lambda: None)
    started = time.monotonic()
    for item in (by_url(address), by_hub()):
        with pytest.raises(Unavailable, match="does not answer"):
            pull(item, tmp_path)
    assert time.monotonic() - started < 15, "not the 60 s of a hanging hub"


def test_a_network_that_swallows_everything_is_given_up_after_one_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listener that accepts nobody and whose queue is full: connecting hangs, as behind a silent firewall."""
    quick = httpx.Timeout(5.0, connect=0.3)
    monkeypatch.setattr("models.fetch.remote.LISTING_TIMEOUT_S", 0.3)
    client = httpx.Client(timeout=quick)
    tried: list[str] = []
    monkeypatch.setattr("models.fetch.store.Connection", lambda **options: Connection(client=client, **options))
    monkeypatch.setattr("models.fetch.remote.get_token", lambda: None)
    with socket.socket() as silent, socket.socket() as first, socket.socket() as second:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        place = silent.getsockname()
        for filling in (first, second):
            filling.setblocking(False)
            filling.connect_ex(place)
        address = f"http://127.0.0.1:{place[1]}"
        monkeypatch.setenv("HF_ENDPOINT", address)
        stream = client.stream
        monkeypatch.setattr(client, "stream", lambda *words, **more: tried.append(words[1]) or stream(*words, **more))
        for item in (by_url(address), by_hub()):
            with pytest.raises(Unavailable, match="does not answer"):
                pull(item, tmp_path)
    assert len(tried) == 1


def test_offline_by_the_hubs_own_variable_is_said_without_asking(
    address: str, behaviour: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    close_session()
    with pytest.raises(Unavailable, match="does not answer"):
        quickly(by_hub(), tmp_path)
    close_session()
    assert not behaviour.asked


def test_a_hub_model_is_pulled_at_the_commit_it_has(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    files = {"config.json": b"{}", "model.safetensors": save({"a": torch.arange(90.0)}), "README.md": b"# words"}
    behaviour.repository("lab/model", COMMIT, files)
    folder = quickly(by_hub(), tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "pulled.json"]
    assert pulled(by_hub(), folder)["revision"] == COMMIT
    assert locate(by_hub(), tmp_path).path == folder and verify(by_hub(), tmp_path) == []
    (folder / "model.safetensors").write_bytes(save({"a": torch.arange(90.0) + 1}))
    assert verify(by_hub(), tmp_path) == ["model.safetensors has changed: its sha256 is not the one that was pulled"]
    assert remove(by_hub(), tmp_path) > 0 and not folder.exists()


def test_a_gated_model_says_what_to_accept_and_where_the_token_goes(
    address: str, behaviour: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    behaviour.repository("lab/model", COMMIT, {"config.json": b"{}", "m.safetensors": save({"a": torch.arange(9.0)})})
    behaviour.token = "secret"
    with pytest.raises(Unavailable, match=r"licence.*HF_TOKEN"):
        quickly(by_hub(), tmp_path)
    monkeypatch.setattr("models.fetch.remote.get_token", lambda: "secret")
    assert quickly(by_hub(), tmp_path).is_dir()


def test_a_gated_file_names_its_licence_and_where_the_token_goes(
    address: str, behaviour: Behaviour, tmp_path: Path
) -> None:
    """The listing is open and the files are not, as on the hub."""
    behaviour.token = "secret"
    item = entry("plain", source=by_url(address).source.model_dump(), licence="Health AI terms")
    with pytest.raises(
        Unavailable, match=r"HTTP 401\): its licence is to be accepted first \(Health AI terms\).*HF_TOKEN"
    ):
        quickly(item, tmp_path)


def test_a_repository_cannot_write_outside_its_folder(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.repository("lab/model", COMMIT, {"../../evil.json": b"{}"})
    with pytest.raises(Unavailable, match="outside its folder"):
        quickly(by_hub(), tmp_path / "models")
    assert not list(tmp_path.rglob("evil*"))


def test_several_files_come_at_the_same_time(address: str, behaviour: Behaviour, tmp_path: Path) -> None:
    behaviour.repository("lab/model", COMMIT, {f"{n}.safetensors": save({"a": torch.arange(9.0)}) for n in range(4)})
    behaviour.pause_s = 0.4
    started = time.monotonic()
    quickly(by_hub(), tmp_path)
    assert time.monotonic() - started < 4 * 0.4, "one after the other would take four pauses"


def test_a_full_disk_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    huge = entry("plain", source={"kind": "url", "url": "http://127.0.0.1:9/m.pt", "note": "n"}, download_mb=1e12)
    with pytest.raises(Unavailable, match=r"MB free; these models need 1,000,000,000,000 MB"):
        plan([huge], tmp_path, lambda item: False)


def test_a_plan_leaves_out_what_is_here_shipped_or_the_users(tmp_path: Path) -> None:
    items = [by_url("http://127.0.0.1:9"), by_hub(), entry("mine"), entry("here", source=by_hub().source.model_dump())]
    todo = plan(items, tmp_path / "not" / "yet", lambda item: item.id == "here")
    assert [item.id for item in todo.wanted] == ["plain", "hubbed"] and todo.here == ("here",)
    assert todo.left_out == {"mine": "supplied by you"}


def test_what_was_put_there_by_hand_is_neither_verified_nor_deleted(tmp_path: Path) -> None:
    (tmp_path / "mine.pt").write_bytes(CONTENT)
    with pytest.raises(BadArguments, match="nothing was deleted"):
        remove(entry("mine"), tmp_path)
    with pytest.raises(Unavailable, match="was not pulled"):
        verify(entry("mine"), tmp_path)
    assert (tmp_path / "mine.pt").exists()


def test_a_read_only_directory_is_told_with_the_remedy(address: str, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(Unavailable, match=r"cannot be written.*HILUM_MODEL_DIR"):
        quickly(by_url(address), blocked / "models")

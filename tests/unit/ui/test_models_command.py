"""`hilum models` as a user types it, against a server on loopback."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner
from unkind_server import Behaviour, serving

from models import catalog

TEXT = """
[[model]]
id = "small"
title = "a model of the test"
tasks = ["classify"]
adapter = "torchxrayvision"
profile = "standard"
licence = "CC0"
download_mb = 0.1
memory_mb = {{ float32 = 0.1 }}
input_size = 224
labels = ["Mass"]
training_data = "none"
reference = "the test"

[model.source]
kind = "url"
url = "{address}/w/small.pt"
revision = "v1"
note = "a test"
"""


def weights() -> bytes:
    buffer = io.BytesIO()
    torch.save({"a": torch.arange(9000.0)}, buffer)
    return buffer.getvalue()


@pytest.fixture
def behaviour(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Behaviour]:
    """A catalog of one model on a local server, and an empty model directory."""
    kind = Behaviour(files={"/w/small.pt": weights()})
    with serving(kind) as address:
        shipped = tmp_path / "catalog.toml"
        shipped.write_text(TEXT.format(address=address))
        monkeypatch.setattr(catalog.Catalog.read.__func__, "__defaults__", (shipped,))
        monkeypatch.setenv("HILUM_MODEL_DIR", str(tmp_path / "models"))
        yield kind


def hilum(*words: str) -> tuple[int, str]:
    from app import cli

    result = CliRunner().invoke(cli, ["models", *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_pull_list_verify_and_remove(behaviour: Behaviour, tmp_path: Path) -> None:
    assert json.loads(hilum("list", "--json")[1])[0]["present"] is False
    assert hilum("pull", "standard", "--dry-run") == (0, "") and not behaviour.asked
    code, out = hilum("pull", "standard")
    assert (code, out) == (0, f"small: {tmp_path / 'models' / 'small.pt'}\n")
    assert hilum("verify", "small") == (0, "small: as it should be\n")
    facts = json.loads(hilum("show", "small", "--json")[1])
    assert facts["present"] and facts["pulled_revision"] == "v1"
    assert "small" in hilum("list")[1] and "licence: CC0" in hilum("show", "small")[1]
    behaviour.asked.clear()
    assert hilum("pull", "small")[0] == 0 and not behaviour.asked, "what is here is not asked for again"
    assert hilum("rm", "small")[0] == 0 and not list((tmp_path / "models").iterdir())


def test_a_damaged_model_is_found_and_a_failed_pull_ends_with_4(behaviour: Behaviour, tmp_path: Path) -> None:
    assert hilum("verify", "small")[0] == 4, "nothing here yet"
    hilum("pull", "small")
    path = tmp_path / "models" / "small.pt"
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    code, out = hilum("verify", "small")
    assert code == 4 and "has changed" in out
    path.unlink()
    behaviour.files.clear()
    assert hilum("pull", "small")[0] == 4

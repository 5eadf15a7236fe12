"""What stands before a worker runs: the catalog's needs, its environment, and the user's word for remote code."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
from pathlib import Path

import pytest
from catalog_entries import entry
from pydantic import ValidationError

from agent.core import make_pool
from agent.settings import Settings
from imaging.failures import BadArguments, Unavailable
from models.catalog import Catalog, CatalogEntry
from models.outputs import Task
from models.pool import ModelPool
from models.weights import MANIFEST
from models.worker import environment
from models.worker.conditions import Conditions
from models.worker.process import RUNNERS
from ui.terminal import models as commands

SHIPPED = [item for item in Catalog.read() if item.worker]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CODE = {"configuration_x.py": b"CONFIG = 1\n", "modeling_x.py": b"print('hello')\n"}
FAKE_UV = """#!{python}
import os, sys
arguments = sys.argv[1:]
if arguments[0] == "venv":
    os.execv({python!r}, [{python!r}, "-m", "venv", "--without-pip", "--clear", arguments[-1]])
print("no matching distribution of", arguments[-1], file=sys.stderr)
sys.exit({code})
"""


def isolated(**worker: object) -> CatalogEntry:
    needs = {"runner": "worker_runner", "requirements": ["six==1.17.0"], "imports": ["json"], "remote_code": True}
    source = {"kind": "hub", "repo": "someone/x", "revision": "main", "note": "written by the test"}
    return entry("x-1", tasks=["answer"], adapter="worker", profile="full", source=source, worker={**needs, **worker})


@pytest.fixture
def fake_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A uv that makes real environments but installs nothing; with a code other than 0 it fails to install."""
    script = tmp_path / "bin" / "uv"
    script.parent.mkdir()
    script.write_text(FAKE_UV.format(python=sys.executable, code=0))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent), prepend=os.pathsep)
    return script


@pytest.fixture
def pulled_model(tmp_path: Path, fake_uv: Path) -> Path:
    """A model directory as pull leaves it: weights, two files of code, the manifest, the environment."""
    folder = tmp_path / "models"
    model = folder / "x-1"
    model.mkdir(parents=True)
    files = {**CODE, "model.safetensors": (2).to_bytes(8, "little") + b"{}"}
    for name, content in files.items():
        (model / name).write_bytes(content)
    record = {name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in files.items()}
    (model / MANIFEST).write_text(json.dumps({"id": "x-1", "revision": COMMIT, "files": record}))
    environment.make(isolated(), folder)
    return folder


def pool(folder: Path, trusted: str = "", item: CatalogEntry | None = None) -> ModelPool:
    return ModelPool(Catalog([item or isolated()]), device="cpu", model_dir=folder, profile="full",
                     trust_remote_code=trusted)  # fmt: skip


def test_code_that_was_not_allowed_does_not_run_and_the_refusal_says_which_and_how_raises(pulled_model: Path) -> None:
    """Expected digests: hashlib's own of what the test wrote."""
    with pytest.raises(Unavailable) as caught:
        pool(pulled_model).resolve(Task.ANSWER, "x-1")
    for name, content in CODE.items():
        assert f"{name} (sha256 {hashlib.sha256(content).hexdigest()})" in caught.value.message
    assert f"someone/x at revision {COMMIT}" in caught.value.message
    assert f'set HILUM_TRUST_REMOTE_CODE="x-1@{COMMIT}"' in caught.value.hint
    status = pool(pulled_model).status()[0]
    assert not status.present and "you have not allowed it" in status.reason


@pytest.mark.parametrize("other", [f"x-1@{'f' * 40}", f"x-2@{COMMIT}", "x-1@main", f"x-1@{COMMIT[:12]}"])
def test_only_that_id_at_that_revision_is_allowed(other: str, pulled_model: Path) -> None:
    assert not pool(pulled_model, other).serves(Task.ANSWER)
    assert pool(pulled_model, f"{other}, x-1@{COMMIT}").serves(Task.ANSWER)
    reason, remedy = Conditions(pulled_model, other).fault(isolated(), pulled_model / "x-1")
    assert reason and other in remedy and f"x-1@{COMMIT}" in remedy


def test_a_setting_of_the_user_reaches_the_pool(pulled_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_TRUST_REMOTE_CODE", f"x-1@{COMMIT}")
    monkeypatch.setattr(Catalog, "read", classmethod(lambda cls, *args, **options: Catalog([isolated()])))
    made = make_pool(Settings(model_dir=pulled_model, profile="full", device="cpu"))
    assert made.serves(Task.ANSWER)
    assert made.card("x-1").revision == COMMIT


@pytest.mark.parametrize("wrong", ["x-1", "*@main", "x-1@*", "@main", "x-1@", "x 1@main"])
def test_trust_without_a_revision_or_with_wildcards_raises(wrong: str) -> None:
    with pytest.raises(BadArguments, match="HILUM_TRUST_REMOTE_CODE names"):
        Conditions(None, wrong)


@pytest.mark.parametrize("name", ["modeling_x.py", "added_later.py"])
def test_code_changed_after_the_pull_is_refused_although_allowed(name: str, pulled_model: Path) -> None:
    (pulled_model / "x-1" / name).write_text("print('another')\n")
    reason, remedy = Conditions(pulled_model, f"x-1@{COMMIT}").fault(isolated(), pulled_model / "x-1")
    assert reason == f"{name} is not the code that was pulled" and "pull x-1" in remedy


def test_code_put_there_by_hand_is_named_by_its_own_digest(pulled_model: Path) -> None:
    """Expected: sha256 of the lines "name digest" in the order of names."""
    model = pulled_model / "x-1"
    (model / MANIFEST).unlink()
    lines = "".join(f"{name} {hashlib.sha256(content).hexdigest()}\n" for name, content in sorted(CODE.items()))
    revision = f"sha256-{hashlib.sha256(lines.encode()).hexdigest()}"
    assert Conditions(pulled_model, f"x-1@{revision}").fault(isolated(), model) == ("", "")
    (model / "modeling_x.py").write_text("print('another')\n")
    assert "you have not allowed it" in Conditions(pulled_model, f"x-1@{revision}").fault(isolated(), model)[0]


def test_a_model_without_code_of_its_own_needs_no_trust(pulled_model: Path) -> None:
    launch = Conditions(pulled_model).launch(isolated(remote_code=False), pulled_model / "x-1", "cpu", None)
    assert launch.trust_remote_code is False and launch.dtype == "float32"


def test_without_its_environment_or_with_another_it_is_not_here(pulled_model: Path) -> None:
    changed = isolated(requirements=["six==1.16.0"])
    reason, remedy = Conditions(pulled_model, f"x-1@{COMMIT}").fault(changed, pulled_model / "x-1")
    assert "was made for other packages" in reason and remedy == "Run: hilum models pull x-1"
    assert environment.remove(isolated(), pulled_model) > 0
    with pytest.raises(Unavailable, match=r"its environment .*envs/x-1 is not there"):
        pool(pulled_model, f"x-1@{COMMIT}").resolve(Task.ANSWER, "x-1")


@pytest.mark.parametrize(
    ("code", "imports", "complaint"),
    [(1, ["json"], "uv says: no matching distribution of six==1.17.0"), (0, ["no_such_module"], "no_such_module")],
)
def test_an_environment_that_cannot_be_made_leaves_nothing_raises(
    code: int, imports: list[str], complaint: str, tmp_path: Path, fake_uv: Path
) -> None:
    fake_uv.write_text(FAKE_UV.format(python=sys.executable, code=code))
    with pytest.raises(Unavailable, match=complaint) as caught:
        environment.make(isolated(imports=imports), tmp_path / "models")
    assert "hilum models pull x-1" in caught.value.hint
    assert list((tmp_path / "models" / "envs").iterdir()) == []


def test_pull_makes_what_lacks_and_rm_takes_it_away(
    pulled_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    item = isolated()
    environment.remove(item, pulled_model)
    shelf = commands.Shelf(Catalog([item]), pulled_model)
    assert commands.pull_all([item], shelf, dry_run=True) == 0
    assert environment.fault(item, pulled_model)
    assert commands.pull_all([item], shelf, dry_run=False) == 0
    assert str(environment.place_of(item, pulled_model)) in capsys.readouterr().out
    assert not environment.fault(item, pulled_model)
    assert "six==1.17.0" in (pulled_model / "envs" / "x-1" / environment.RECORD).read_text()
    commands.remove_all([item], shelf)
    assert not (pulled_model / "envs" / "x-1").exists() and not (pulled_model / "x-1").exists()


@pytest.mark.parametrize(
    ("worker", "complaint"),
    [
        ({"requirements": ["six"]}, "not pinned"),
        ({"requirements": ["six>=1"]}, "not pinned"),
        ({"requirements": ["--find-links=x"]}, "not pinned"),
        ({"requirements": ["x @ git+https://example.org/x"]}, "not pinned"),
        ({"imports": ["os; print()"]}, "no module's name"),
        ({"runner": "../x"}, "runner"),
    ],
)
def test_needs_that_are_not_pinned_packages_raise(worker: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        isolated(**worker)


@pytest.mark.parametrize("item", SHIPPED, ids=lambda item: item.id)
def test_shipped_workers_have_their_runner_and_say_explicitly_what_they_trust(item: CatalogEntry) -> None:
    """Every from_pretrained of a runner passes on the user's word; none decides for itself."""
    tree = ast.parse((RUNNERS / f"{item.worker.runner}.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    loads = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "from_pretrained"]
    given = [[key.value for key in call.keywords if key.arg == "trust_remote_code"] for call in loads]
    assert loads and all(len(values) == 1 and ast.unparse(values[0]) == "trust_remote_code" for values in given)
    assert ("*.py" in item.source.patterns) is item.worker.remote_code
    assert item.profile == "full" and not any(pattern.endswith(".bin") for pattern in item.source.patterns)

"""HILUM_MODEL_DIR as a mirror that nobody here may write: models answer from it, and a pull says what is wrong.

Root writes where modes forbid it, so the folder is mounted read-only in a mount namespace of a child process
(unshare(1), mount(8)); a plain user's namespace gives the same.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from catalog_entries import DENSENET
from unkind_server import Behaviour, serving

CHILD = """
import json, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from catalog_entries import DENSENET, entry
from agent.core import make_pool
from agent.settings import Settings
from imaging.failures import Unavailable
from imaging.phantom import PhantomSpec, make_phantom
from models.fetch import store
from models.outputs import Task
from models.weights import locate

mirror, address = Path(Settings().model_dir), sys.argv[1]
told = {}
try:
    (mirror / "probe").touch()
except OSError as error:
    told["write"] = error.strerror
source = {"kind": "url", "url": f"{address}/w/small.pt", "revision": "v1", "note": "a test"}
item = entry("small", source=source)
told["present"], told["verify"] = locate(item, mirror).present, store.verify(item, mirror)
for work in (store.pull, store.remove):
    try:
        work(item, mirror)
    except Unavailable as failure:
        told[work.__name__] = str(failure)
[said] = make_pool(Settings()).predict(Task.CLASSIFY, [make_phantom(PhantomSpec(seed=1, size=128)).radiograph])
told["answered"], told["findings"] = said.model_id, len(said.output.codes)
print(json.dumps(told))
"""


def read_only(folder: Path) -> list[str]:
    """A command's beginning that runs the rest where `folder` is mounted read-only; skips where none may mount."""
    unshare, mount = shutil.which("unshare"), shutil.which("mount")
    if unshare is None or mount is None:
        pytest.skip("this system has no unshare or no mount")
    script = f'{mount} --bind "{folder}" "{folder}" && {mount} -o remount,bind,ro "{folder}" && exec "$@"'
    for options in (["-m"], ["-rm"]):
        begin = [unshare, *options, "sh", "-c", script, "sh"]
        if subprocess.run([*begin, "true"], capture_output=True).returncode == 0:
            return begin
    pytest.skip("nobody may mount a folder read-only here")


def test_models_answer_from_a_folder_that_nobody_may_write(txrv_dir: Path, tmp_path: Path) -> None:
    from catalog_entries import entry
    from test_fetch import CONTENT

    from models.catalog import Catalog
    from models.fetch import store

    mirror = tmp_path / "mirror"
    mirror.mkdir()
    weights = Catalog.read().get(DENSENET).source.file
    os.link(txrv_dir / weights, mirror / weights)
    with serving(Behaviour(files={"/w/small.pt": CONTENT})) as address:
        source = {"kind": "url", "url": f"{address}/w/small.pt", "revision": "v1", "note": "a test"}
        store.pull(entry("small", source=source), mirror)
        before = sorted(path.name for path in mirror.iterdir())
        beside = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[3])]
        command = [*read_only(mirror), sys.executable, "-c", CHILD, address, *beside]
        settings = {"HILUM_MODEL_DIR": str(mirror), "HILUM_DEVICE": "cpu", "HILUM_STATE_DIR": str(tmp_path / "state")}
        done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["write"] == "Read-only file system"
    assert told["present"] is True and told["verify"] == []
    assert (
        "cannot be written (Read-only file system). Make room, or set HILUM_MODEL_DIR to a folder of yours"
        in told["pull"]
    )
    assert "cannot be written (Read-only file system)" in told["remove"], "and nothing was deleted"
    assert (told["answered"], told["findings"]) == (DENSENET, 18)
    assert sorted(path.name for path in mirror.iterdir()) == before

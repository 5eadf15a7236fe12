"""Disks that are full or read-only without being root: a limit on the size of files, and a small disk of one's own."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = ["unshare", "--map-root-user", "--mount"]


@contextmanager
def files_end_at(size_bytes: int) -> Iterator[None]:
    """No file of this process grows beyond a size: more is an OSError (EFBIG), as where a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def on_small_disk(script: Path, folder: Path, size: str) -> str:
    """stdout of `python SCRIPT FOLDER`, where FOLDER is a disk of its own of that size, gone with the process.

    Skips where the system lets nobody but root mount one.
    """
    if shutil.which("unshare") is None or subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode:
        pytest.skip("no mount namespace may be made here: the other tests of this file bound files instead")
    mount = f'mount -t tmpfs -o size={size} tmpfs "$1" && exec "$2" "$3" "$1"'
    command = [*NAMESPACE, "sh", "-c", mount, "sh", str(folder), sys.executable, str(script)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests")))}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout

"""Run by test_disk as `python on_small_disk.py FOLDER`, a disk of 1 MiB: commands on it while it is full and read-only.

Prints a JSON line per command: disk, command, exit code, and what was said.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import app
from imaging.phantom import PhantomSpec, write_phantom

COMMANDS = (
    ["ask", "{film}", "How big is the heart?", "--session", "new"],
    ["batch", "{films}", "--tasks", "quality", "--out", "{disk}/t.csv"],
    ["phantom", "--size", "64", "--out", "{disk}/p.png"],
    ["deid", "{film}", "{disk}/out"],
)


def said(arguments: list[str]) -> tuple[int, str]:
    """Exit code and stderr with stdout of `hilum ARGUMENTS`."""
    heard = io.StringIO()
    sys.argv = ["hilum", *arguments]
    with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard):
        try:
            app.main()
        except SystemExit as ended:
            return int(ended.code or 0), heard.getvalue()
    return 0, heard.getvalue()


def main(disk: Path) -> None:
    """Every command on both kinds of disk."""
    with tempfile.TemporaryDirectory() as name:
        films = Path(name)
        write_phantom(PhantomSpec(seed=1, size=256), films / "film.dcm")
        os.environ["HILUM_STATE_DIR"] = str(disk / "state")
        (disk / "ballast").write_bytes(bytes(1 << 19))
        with contextlib.suppress(OSError), (disk / "rest").open("wb", buffering=0) as rest:
            while rest.write(bytes(4096)):
                pass
        for kind in ("full", "read-only"):
            if kind == "read-only":
                subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            for command in COMMANDS:
                words = [word.format(film=films / "film.dcm", films=films, disk=disk) for word in command]
                code, words_said = said(words)
                print(json.dumps({"disk": kind, "command": command[0], "exit": code, "said": words_said}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

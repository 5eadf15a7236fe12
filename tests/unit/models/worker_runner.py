"""A runner for tests: does what the request's text says. Runs in the worker's environment; numpy alone."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np


def load(folder, device, dtype, trust_remote_code):
    print("noise of a library while it loads")
    os.write(1, b"and some past Python's own stdout\n")
    return {"folder": Path(folder), "device": device, "dtype": dtype, "trusted": trust_remote_code}


def answer(model, task, requests):
    print("noise while it answers")
    return [DEEDS[request["text"].split()[0]](model, task, request) for request in requests]


def echo(model, task, request):
    films = {name: request[name] for name in ("film", "lateral", "prior") if request[name] is not None}
    return {"kind": "Echo", "task": task, "pid": os.getpid(), **films}


def text(model, task, request):
    said = f"{task}: {request['text']} ({request['indication']}), mean {request['film'].mean():.3f}"
    return {"kind": "Text", "text": said, "boxes": [[1, 2, 30, 40]], "phrases": ["here"], "truncated": False}


def outside(model, task, request):
    return {"kind": "Text", "text": "far", "boxes": [[0, 0, 1e9, 5]], "phrases": ["there"], "truncated": False}


def around(model, task, request):
    names = sorted(os.environ)
    torch = importlib.util.find_spec("torch") is not None
    return {"kind": "Around", "names": names, "offline": os.environ.get("HF_HUB_OFFLINE"), "torch": torch,
            "home": os.environ["HOME"], "paths": sys.path, "trusted": model["trusted"]}  # fmt: skip


def die(model, task, request):
    print("last words")
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(model, task, request):
    mark = model["folder"] / "died"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return echo(model, task, request)


def sleep(model, task, request):
    time.sleep(60)


def eat(model, task, request):
    held = []
    while True:
        held.append(np.ones(8 << 20, np.uint8))
        time.sleep(0.01)


def fail(model, task, request):
    raise ValueError("the tokenizer has no such word")


def exhausted(model, task, request):
    raise MemoryError("CUDA out of memory, so to speak")


def objects(model, task, request):
    return {"kind": "Echo", "film": np.array([{"a": 1}], dtype=object)}


def offspring(model, task, request):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    return {"kind": "Offspring", "pid": child.pid}


DEEDS = {
    "echo": echo, "text": text, "outside": outside, "around": around, "die": die, "die_once": die_once,
    "sleep": sleep, "eat": eat, "fail": fail, "exhausted": exhausted, "objects": objects, "offspring": offspring,
}  # fmt: skip

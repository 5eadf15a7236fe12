"""Run by test_kills as `python killed.py ask|batch|pull FOLDER`: the same work, killed at one step after the other.

Each try is a child that kills itself (SIGKILL) at its n-th step, and a second child that goes on from what stands on
the disk. Forks of one interpreter, so that it is started once. Prints a JSON line per step: what the second one found.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent_stubs import StubTools, Truth, film, stub_agent
from catalog_entries import entry

from agent.events import Answered
from agent.memory import Memory
from agent.memory.database import Memory as Database
from models.fetch import store, transfer
from models.pool import ModelPool
from tools.batches import cohort
from tools.batches.cohort import Journal, run_cohort, write_table

QUESTION = "What do you see?"
TRUTH = Truth(scores={"effusion": 0.81, "pneumothorax": 0.1}, sides={"effusion": "left"}, ratio=0.56)


class Steps:
    """Counts steps and dies at one of them."""

    def __init__(self, fatal: int) -> None:
        self.count, self.fatal = 0, fatal

    def __call__(self) -> None:
        """One step more."""
        self.count += 1
        if self.count == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)


def child(work: Callable[[], Any]) -> Any:
    """What `work` returns in a child of this process; None where it was killed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        code = 1
        try:
            with os.fdopen(writing, "w") as told:
                json.dump(work(), told)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as heard:
        text = heard.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return None
    assert os.waitstatus_to_exitcode(status) == 0, "the child failed"
    return json.loads(text)


def ask(folder: Path, fatal: int) -> dict[str, Any]:
    """A question in a kept session; the end of every transaction of the memory is a step."""
    step, tools = Steps(fatal), StubTools(TRUTH)
    plain = Database._writing

    @contextmanager
    def counted(self: Database) -> Any:
        with plain(self) as connection:
            yield connection
        step()

    Database._writing = counted  # type: ignore[method-assign]
    agent = stub_agent(tools)
    agent.memory = Memory(folder / "sessions.db")
    kept = agent.memory.remembered("")
    session = agent.reopen(kept[0].id) if kept else agent.session()
    known = [record.tool for record in session.ledger.records()]
    answered = [turn.answer for turn in session.turns if turn.answer is not None]
    if session.interrupted:
        [*_, last] = session.resume()
        assert isinstance(last, Answered)
        answer = last.answer
    else:
        answer = answered[-1] if answered else session.ask(QUESTION, films=[film(1)])
    return {
        "steps": step.count, "text": answer.text, "known": known, "ran": [name for name, _ in tools.runs],
        "sessions": len(agent.memory.remembered("")), "answers": len([t for t in session.turns if t.answer]),
        "films": len(session.films.ids()),
    }  # fmt: skip


def batch(folder: Path, fatal: int) -> dict[str, Any]:
    """A table of films; every row, and the table before and after it has its name, is a step."""
    step, out = Steps(fatal), folder / "t.csv"
    add, replace, read = Journal.add, Path.replace, cohort.row_of
    ran: list[str] = []

    def counted(self: Journal, *row: Any) -> None:
        step()
        add(self, *row)
        step()

    def named(self: Path, target: Any) -> Path:
        step()
        moved = replace(self, target)
        step()
        return moved

    def noted(content: Any, *rest: Any) -> Any:
        ran.append(Path(content.name).name)
        return read(content, *rest)

    Journal.add, Path.replace, cohort.row_of = counted, named, noted  # type: ignore[method-assign]
    if not out.exists():
        journal = Journal(folder / ".t.partial", {})
        [*_, last] = run_cohort([folder.parents[1] / "films"], [], ModelPool(device="cpu"), journal, workers=1)
        write_table(journal, out)
        journal.close(delete=True)
        before = last.done_before
    else:
        before = len(out.read_text().splitlines()) - 1
    left = sorted(path.name for path in folder.iterdir())
    return {"steps": step.count, "text": out.read_text(), "ran": ran, "before": before, "left": left}


def pull(folder: Path, fatal: int) -> dict[str, Any]:
    """Two files of a model; every piece that came, and every file before and after it has its name, is a step."""
    step = Steps(fatal)
    replace = Path.replace

    def named(self: Path, target: Any) -> Path:
        step()
        moved = replace(self, target)
        step()
        return moved

    Path.replace = named  # type: ignore[method-assign]
    item = entry("hubbed", source={"kind": "hub", "repo": "lab/model", "revision": "main", "note": "-"})
    came: list[int] = []

    def advance(_: str, done: int, total: int | None) -> None:
        came.append(done)
        step()

    whole = store.manifest_of(item, folder).is_file()
    found = store.pull(item, folder, advance, pause_s=0.01)
    return {"steps": step.count, "whole_before": whole, "wrong": store.verify(item, folder),
            "left": sorted(path.name for path in found.iterdir())}  # fmt: skip


def main(what: str, folder: Path) -> None:
    """The work killed at its first step, its second, and so on until it ends by itself."""
    work = {"ask": ask, "batch": batch, "pull": pull}[what]
    for fatal in range(1, 500):
        place = folder / str(fatal)
        place.mkdir()
        done = child(lambda place=place, fatal=fatal: work(place, fatal))
        if done is not None:
            print(json.dumps({"killed_at": None, **done}))
            return
        print(json.dumps({"killed_at": fatal, **child(lambda place=place: work(place, 0))}), flush=True)


if __name__ == "__main__":
    store.PARALLEL, transfer.FIRST_PAUSE_S = 1, 0.01
    main(sys.argv[1], Path(sys.argv[2]))

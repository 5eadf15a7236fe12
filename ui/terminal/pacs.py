"""`hilum pacs` and `hilum watch`: what they do, on a terminal."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import pydicom
import typer
from pydicom.errors import InvalidDicomError
from rich.console import Console
from rich.table import Table

from agent import Agent, Settings
from imaging.failures import BadArguments, writing
from imaging.pacs import Pacs, Query, connect
from imaging.pacs.connection import check_uid, endpoint
from ui.terminal.sessions import kept_memory
from ui.watch.queue import Queue, opened, standing
from ui.watch.receiver import keep_polling, poll, receive
from ui.watch.work import Plan, Watch

NAME_DIGITS = 24
"""Hex digits of the hash of a UID that names a pulled file."""


QUOTING = ("pydicom", "pynetdicom", "highdicom", "dicomweb_client")
"""Libraries whose warnings and logs quote header values; what matters of them comes as failures of ours."""


def connected(address: str, login: str, title: str, move_to: str = "") -> Pacs:
    """The PACS, with libraries that would print headers made quiet."""
    for name in QUOTING:
        warnings.filterwarnings("ignore", module=name)
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return connect(address, login, title, move_to)


def all_connected(addresses: Sequence[str], logins: str, title: str) -> list[Pacs]:
    """Several PACSs, none of which is told another's login.

    Args:
        addresses: of each.
        logins: the login of one; of several a login for each in order, with spaces between, - for none.
        title: our own AE title.

    Raises:
        BadArguments: an address is none, or logins were given and not one for each.
    """
    given = [logins] if len(addresses) == 1 else logins.split() or [""] * len(addresses)
    if len(given) != len(addresses) and addresses:
        raise BadArguments(
            f"There are {len(addresses)} PACSs and {len(given)} logins.",
            "Give HILUM_PACS_LOGIN a login for each, with spaces between, - for none.",
        )
    return [
        connected(address, "" if login == "-" else login, title)
        for address, login in zip(addresses, given, strict=False)
    ]


def list_studies(address: str, login: str, title: str, asked: Query, as_json: bool) -> None:
    """A table of studies, or one JSON list."""
    found = connected(address, login, title).find(asked)
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(study) for study in found], ensure_ascii=False))
        return
    table = Table()
    for name in ("date", "patient", "accession", "modalities", "description", "study"):
        table.add_column(name, overflow="fold")
    for each in sorted(found, key=lambda study: study.date, reverse=True):
        table.add_row(
            each.date, each.patient_id, each.accession, " ".join(each.modalities), each.description, each.study
        )
    Console().print(table)


def pull_studies(
    address: str, login: str, title: str, move_to: str, studies: Sequence[str], folder: Path
) -> Iterator[Path]:
    """Write the films of studies as FOLDER/<hash>.dcm, each as it comes."""
    pacs = connected(address, login, title, move_to)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for study in studies:
        films = pacs.instances(check_uid(study))
        if not films:
            typer.echo(f"{study}: the PACS has no film (CR, DX, RG) of it", err=True)
        for series in dict.fromkeys(series for series, _ in films):
            for dataset in pacs.get(study, series):
                path = folder / f"{hashlib.sha256(dataset.SOPInstanceUID.encode()).hexdigest()[:NAME_DIGITS]}.dcm"
                with writing(path):
                    dataset.save_as(path, enforce_file_format=True)
                yield path


def push_files(address: str, login: str, title: str, files: Sequence[Path]) -> int:
    """Send every DICOM file; how many."""
    paths = [
        each for path in files for each in (sorted(path.rglob("*")) if path.is_dir() else [path]) if not each.is_dir()
    ]
    return connected(address, login, title).store([_read(path) for path in paths])


def _read(path: Path) -> pydicom.FileDataset:
    try:
        return pydicom.dcmread(path)
    except FileNotFoundError:
        raise BadArguments(f"There is no file {str(path)!r}.", "Give DICOM files.") from None
    except (InvalidDicomError, OSError) as error:
        raise BadArguments(f"{path} is no DICOM file ({type(error).__name__}).", "Give DICOM files.") from None


@dataclasses.dataclass(frozen=True)
class Inlet:
    """How films come in.

    Attributes:
        listen: host:port to receive on, or empty.
        callers: AE titles that may send.
        poll_s: seconds between polls of the PACS; None not to poll.
        back_days: days that the first poll looks back.
    """

    listen: str
    callers: tuple[str, ...]
    poll_s: float | None
    back_days: int


def show_queue(folder: Path | None) -> None:
    """The queue as JSON."""
    typer.echo(json.dumps(standing(folder or _folder(Settings()))))


def watch_pacs(
    settings: Settings, to: tuple[str, str, str], inlet: Inlet, plan: Plan, folder: Path | None, once: bool, again: bool
) -> None:
    """Receive, read and send until Ctrl-C or SIGTERM; the film in hand is finished first.

    Args:
        settings: in force.
        to: address, login and our own title of the PACS.
        inlet: how films come in.
        plan: what is done with each.
        folder: of the queue; in the state folder if None.
        once: end when nothing is due.
        again: put films that were given up back first.
    """
    if not inlet.listen and inlet.poll_s is None and not (once or again):
        raise BadArguments("There is no way for films to come in.", "Give --listen HOST:PORT, --poll SECONDS or both.")
    pacs = connected(*to)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    logging.getLogger("hilum.watch").setLevel(logging.INFO)
    stopped = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stopped.set())
    agent = Agent(settings, memory=kept_memory(settings) if plan.keep_sessions else None)
    with opened(folder or _folder(settings)) as queue:
        if again:
            typer.echo(f"{queue.again()} films are tried again.", err=True)
        server = receive(queue, endpoint(inlet.listen), inlet.callers) if inlet.listen else None
        try:
            _begin_polling(queue, pacs, inlet, stopped, once)
            Watch(queue, agent, plan, pacs).run(stopped, once)
        finally:
            stopped.set()
            if server is not None:
                server.shutdown()


def _begin_polling(queue: Queue, pacs: Pacs, inlet: Inlet, stopped: threading.Event, once: bool) -> None:
    if inlet.poll_s is None:
        return
    if once:
        typer.echo(f"{poll(queue, pacs, inlet.back_days)} new films.", err=True)
        return
    arguments = (queue, pacs, inlet.back_days, inlet.poll_s, stopped)
    threading.Thread(target=keep_polling, args=arguments, daemon=True).start()


def _folder(settings: Settings) -> Path:
    return settings.state_dir.expanduser() / "watch"

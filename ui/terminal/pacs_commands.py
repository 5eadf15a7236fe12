"""`hilum pacs`: the commands and their options. Only parses; every import is lazy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.terminal.options import JsonOption

commands = typer.Typer(help="Films from and results to a PACS.", no_args_is_help=True, rich_markup_mode=None)

AddressOption = Annotated[
    str,
    typer.Option(
        "--pacs", envvar="HILUM_PACS", help="https://host/dicom-web, or dicom://TITLE@host:port", show_default=False
    ),
]
LoginOption = Annotated[
    str, typer.Option(envvar="HILUM_PACS_LOGIN", help="user:password or token of DICOMweb, best by the variable")
]
PacsLoginOption = Annotated[
    str,
    typer.Option("--pacs-login", envvar="HILUM_PACS_LOGIN", help="user:password or token of DICOMweb, by the variable"),
]
TitleOption = Annotated[str, typer.Option("--title", help="our own AE title, of DIMSE")]
MoveOption = Annotated[
    str, typer.Option("--move-to", help="of DIMSE: our host:port, to receive by C-MOVE instead of C-GET")
]


@commands.command()
def echo(pacs: AddressOption, login: LoginOption = "", title: TitleOption = "HILUM") -> None:
    """Whether the PACS answers."""
    from imaging.pacs import connect

    connect(pacs, login, title).echo()
    typer.echo(f"{pacs} answers.")


@commands.command()
def query(
    pacs: AddressOption,
    patient: Annotated[str, typer.Option(help="patient id")] = "",
    accession: Annotated[str, typer.Option(help="accession number")] = "",
    study: Annotated[str, typer.Option(help="Study Instance UID")] = "",
    dates: Annotated[str, typer.Option(help="20260131, 20260101-20260131, 20260101- or -20260131")] = "",
    modality: Annotated[str, typer.Option(help="with commas")] = "CR,DX,RG",
    login: LoginOption = "",
    title: TitleOption = "HILUM",
    as_json: JsonOption = False,
) -> None:
    """List studies. What is printed names patients: it is the PACS's answer to you."""
    from imaging.pacs import Query
    from ui.terminal.pacs import list_studies

    asked = Query(patient, accession, study, dates, tuple(filter(None, modality.split(","))))
    list_studies(pacs, login, title, asked, as_json)


@commands.command()
def pull(
    pacs: AddressOption,
    studies: Annotated[list[str], typer.Argument(help="Study Instance UIDs", show_default=False)],
    out: Annotated[Path, typer.Option(help="folder; file names are hashes, the files keep their patients")],
    login: LoginOption = "",
    title: TitleOption = "HILUM",
    move_to: MoveOption = "",
) -> None:
    """Fetch the films (CR, DX, RG) of studies."""
    from ui.terminal.pacs import pull_studies

    for path in pull_studies(pacs, login, title, move_to, studies, out):
        typer.echo(path)


@commands.command()
def push(
    pacs: AddressOption,
    files: Annotated[list[Path], typer.Argument(help="DICOM files or folders of them", show_default=False)],
    login: LoginOption = "",
    title: TitleOption = "HILUM",
) -> None:
    """Send DICOM files, such as those of `hilum export`."""
    from ui.terminal.pacs import push_files

    typer.echo(f"{push_files(pacs, login, title, files)} sent.", err=True)

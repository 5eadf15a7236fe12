"""Hilum's entry: `python app.py` opens the chat, `hilum COMMAND` does the rest. Only parses; every import is lazy.

stdout carries the result alone, progress and warnings go to stderr. Exit codes: 0 done, 1 our own fault,
2 bad arguments, 3 the film cannot be used, 4 a planner, model or service is unavailable.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from ui.terminal.export_commands import commands as export_commands
from ui.terminal.index_commands import commands as index_commands
from ui.terminal.model_commands import commands as model_commands
from ui.terminal.options import JsonOption, PlannerOption, ProfileName, ProfileOption, stderr, stdout
from ui.terminal.options import settings as settings_of
from ui.terminal.pacs_commands import commands as pacs_commands
from ui.terminal.serving_commands import commands as serving_commands
from ui.terminal.session_commands import commands as session_commands

EXIT_OUR_FAULT = 1

cli = typer.Typer(
    name="hilum",
    help="Answers questions about chest radiographs, every statement citing its evidence. Research software, "
    "not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
GROUPS = {"models": model_commands, "sessions": session_commands, "index": index_commands, "pacs": pacs_commands}
for group, group_commands in GROUPS.items():
    cli.add_typer(group_commands, name=group)
# Without a name: their commands stand beside those below.
cli.add_typer(serving_commands)
cli.add_typer(export_commands)


@cli.command()
def ask(
    films_and_question: Annotated[
        list[str],
        typer.Argument(
            metavar='FILM... "QUESTION"',
            help="files, folders, zip archives; question first or last",
            show_default=False,
        ),
    ],
    as_json: JsonOption = False,
    overlays: Annotated[Path | None, typer.Option(help="folder for the evidence pictures")] = None,
    export: Annotated[Path | None, typer.Option(help="folder for the report in every format (docs/exports.md)")] = None,
    session: Annotated[
        str | None, typer.Option(help="`new`: keep this conversation; `last` or an id: go on with it")
    ] = None,
    allow: Annotated[bool, typer.Option("--allow", help="let the tools of ask_before run without asking")] = False,
    planner: PlannerOption = None,
    profile: ProfileOption = None,
) -> None:
    """Answer a question about one or more films."""
    from agent import Agent
    from imaging.failures import writing
    from ui.terminal.answers import approver, follow, print_answer, save_overlays
    from ui.terminal.given import films_and_question as parted

    settings = settings_of(planner=planner, profile=profile)
    if session is not None:
        from ui.terminal.sessions import opened

        conversation = opened(session, settings)
    else:
        conversation = Agent(settings).session()
    conversation.approver = approver(allow, stderr())
    films, question = parted(films_and_question, needed=not len(conversation.films))
    answer = follow(conversation.stream(question, films=films), stderr())
    if as_json:
        typer.echo(answer.model_dump_json())
    else:
        print_answer(answer, stdout())
    if overlays is not None:
        with writing(overlays):
            written = save_overlays(answer, conversation.films, overlays)
        for path in written:
            typer.echo(f"overlay: {path}", err=True)
    if export is not None:
        from ui.terminal.exporting import export_answered

        for line in export_answered(conversation, films, export):
            typer.echo(line, err=True)


@cli.command()
def film(
    films: Annotated[
        list[Path], typer.Argument(help="DICOM, PNG, JPEG or TIFF; folders, zip archives", show_default=False)
    ],
    as_json: JsonOption = False,
    studies: Annotated[bool, typer.Option("--studies", help="how the films belong together instead")] = False,
    profile: ProfileOption = None,
) -> None:
    """Say what Hilum sees in each file: its header's facts, and what kind of picture it is and how it lies."""
    if studies:
        from ui.terminal.studies import tell_studies

        raise typer.Exit(tell_studies(films, as_json, stdout()))
    from ui.terminal.films import describe

    raise typer.Exit(describe(films, as_json, settings_of(profile=profile), stdout()))


@cli.command()
def tool(
    name: Annotated[str, typer.Argument(help="classify, segment, measure, ground, report ...")],
    films: Annotated[
        list[Path] | None, typer.Argument(help="DICOM, PNG, JPEG or TIFF; none for a tool that takes none")
    ] = None,
    args: Annotated[str, typer.Option(help="the tool's other arguments as a JSON object")] = "{}",
    as_json: JsonOption = False,
    save: Annotated[Path | None, typer.Option(help="folder for masks: <film stem>.<structure>.png")] = None,
    profile: ProfileOption = None,
) -> None:
    """Run one tool on each film, or once where it takes all of them or none."""
    from ui.terminal.films import run_tool

    raise typer.Exit(run_tool(name, films or [], args, as_json, save, settings_of(profile=profile), stdout()))


@cli.command()
def batch(
    folder: Annotated[Path, typer.Argument(help="films: a folder with all below it, or a zip archive")],
    tasks: Annotated[str, typer.Option(help="tools, in order, separated by commas")],
    out: Annotated[Path, typer.Option(help="table to write: .csv or .parquet")],
    workers: Annotated[int | None, typer.Option(min=1, help="films at once")] = None,
    runtime: Annotated[str | None, typer.Option(help="local, or ray: spread over replicas (docs/scale.md)")] = None,
    profile: ProfileOption = None,
) -> None:
    """Run tools on a folder of films: one row per film; a broken-off run goes on when called again."""
    from ui.terminal.batch import run_batch

    raise typer.Exit(run_batch(folder, tasks, out, workers, settings_of(profile=profile, runtime=runtime)))


@cli.command()
def doctor(
    as_json: JsonOption = False,
    profile: ProfileOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="show what a running chat's models do, until Ctrl-C")] = False,
    at: Annotated[str, typer.Option(help="address of the chat to watch")] = "http://127.0.0.1:7860",
) -> None:
    """Say what is here, what is not and why, and which settings are in force."""
    if watch:
        from ui.terminal.watch import watch as show

        show(at, stdout())
        return
    from agent import make_pool
    from ui.terminal.doctor import examine, print_report

    settings = settings_of(profile=profile)
    report = examine(settings, make_pool(settings))
    if as_json:
        typer.echo(json.dumps(report))
    else:
        print_report(report, stdout())


@cli.command()
def demo(out: Annotated[Path, typer.Option(help="folder for film, overlays and answers")] = Path("out")) -> None:
    """Ask two questions about a synthetic film with known truth."""
    from ui.terminal.demo import run_demo

    run_demo(settings_of(planner="embedded", profile=ProfileName.embedded), out, stdout())


@cli.command()
def phantom(
    out: Annotated[Path, typer.Option(help="file to write: .png or .dcm")],
    finding: Annotated[list[str] | None, typer.Option(help="e.g. effusion:left:400ml; repeatable")] = None,
    view: Annotated[str, typer.Option(help="PA, AP or LATERAL")] = "PA",
    seed: Annotated[int, typer.Option(help="the patient")] = 0,
    truth: Annotated[
        Path | None, typer.Option(help="folder for facts, report, masks, bone-free and bone-only film, thickness maps")
    ] = None,
    size: Annotated[int, typer.Option(help="rows and columns in pixels, 64 to 4096")] = 1024,
    age: Annotated[float | None, typer.Option(help="years; else the seed's")] = None,
    sex: Annotated[str | None, typer.Option(help="M or F; else the seed's")] = None,
    habitus: Annotated[float | None, typer.Option(help="-1 slim to 1 obese; else the seed's")] = None,
    inspiration: Annotated[float | None, typer.Option(help="0 shallow to 1 full breath; else the seed's")] = None,
    date: Annotated[str | None, typer.Option(help="day of the film, YYYY-MM-DD")] = None,
    position: Annotated[str | None, typer.Option(help="erect or supine")] = None,
    processing: Annotated[str | None, typer.Option(help="film or digital; else the seed's")] = None,
    exposure: Annotated[float, typer.Option(help="error in stops: -2 is a quarter of the dose")] = 0.0,
    rotation: Annotated[float | None, typer.Option(help="degrees; positive turns the left side backwards")] = None,
    tilt: Annotated[float | None, typer.Option(help="degrees towards the feet; negative is lordotic")] = None,
    clip: Annotated[str | None, typer.Option(help="lung beyond the field: left:20%, right, apex or base")] = None,
    turned: Annotated[int, typer.Option(help="picture turned clockwise: 90, 180 or 270 degrees")] = 0,
    mirrored: Annotated[bool, typer.Option("--mirrored", help="picture flipped left to right")] = False,
    inverted: Annotated[bool, typer.Option("--inverted", help="grey scale upside down")] = False,
    text: Annotated[list[str] | None, typer.Option(help="line burned into the picture; repeatable")] = None,
    name_block: Annotated[bool, typer.Option("--name-block", help="burn in the invented patient's name")] = False,
    bits: Annotated[int | None, typer.Option(help="8 or 16 in a PNG, 8 to 16 in a DICOM file")] = None,
    monochrome: Annotated[int | None, typer.Option(help="1 or 2: DICOM's MONOCHROME1 or 2; else 2")] = None,
    modality: Annotated[str | None, typer.Option(help="DX or CR, of a DICOM file; else DX")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a synthetic film; its truth goes to stdout, with --truth also into a folder."""
    from ui.terminal.phantom import write_phantom_film

    told = {
        "findings": finding, "view": view, "seed": seed, "size": size, "age_years": age, "sex": sex,
        "habitus": habitus, "inspiration": inspiration, "date": date, "position": position,
        "processing": processing, "exposure_stops": exposure, "rotation_deg": rotation, "tilt_deg": tilt, "clip": clip,
        "turned_deg": turned, "mirrored": mirrored, "inverted": inverted, "texts": text, "name_block": name_block,
    }  # fmt: skip
    file = {"bits": bits, "monochrome": monochrome, "modality": modality and modality.upper()}
    write_phantom_film(out, told, file, truth, as_json, stdout())


@cli.command()
def deid(
    source: Annotated[Path, typer.Argument(help="a film, a folder or a zip archive", metavar="IN")],
    folder: Annotated[Path, typer.Argument(help="folder to write to; names are hashed", metavar="OUT")],
    mask_text: Annotated[bool, typer.Option(help="black out what looks like burned-in text")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write films without their patients, and say what was removed."""
    from ui.terminal.deid import run_deid

    raise typer.Exit(run_deid(source, folder, mask_text, as_json, stdout()))


@cli.command("eval")
def evaluate(
    task: Annotated[
        str,
        typer.Argument(
            help="phantombench, chestagentbench ... (docs/evals.md); phantom, planning, audit; report, compare"
        ),
    ],
    runs: Annotated[list[Path] | None, typer.Argument(help="report, compare: folders of runs")] = None,
    data: Annotated[Path | None, typer.Option(help="folder of the benchmark, or of the films to audit on")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="first N questions only")] = None,
    n: Annotated[int | None, typer.Option("--n", min=1, help="phantombench: how many questions to make")] = None,
    log_dir: Annotated[Path, typer.Option(help="logs; an interrupted run resumes from them")] = Path("logs"),
    seed: Annotated[int | None, typer.Option(help="which questions --limit draws, or phantombench makes")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="how often each question is asked")] = 1,
    workers: Annotated[int | None, typer.Option(min=1, help="questions in flight at once")] = None,
    tools: Annotated[str | None, typer.Option(help="tools the agent gets, separated by commas")] = None,
    baseline: Annotated[
        str, typer.Option(help="chance, majority, text-only, shuffled-image, no-tools or single-tool")
    ] = "",
    perturb: Annotated[str, typer.Option(help="what is changed of the questions: noise, paraphrase ...")] = "",
    budget_usd: Annotated[float | None, typer.Option(min=0, help="ask nothing more once the run cost this")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check the data and estimate; ask nothing")] = False,
    out: Annotated[Path | None, typer.Option(help="report: folder for report.html, table.md and table.tex")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="audit: CSV of file, age, sex, view, patient and a 0/1 column per finding")
    ] = None,
    model: Annotated[str | None, typer.Option(help="audit: catalog id of the classifier")] = None,
    scores: Annotated[Path | None, typer.Option(help="audit: CSV of scores, in place of running the model")] = None,
    only: Annotated[
        Path | None,
        typer.Option(help="tools on labelled films: file of names to take, one a line, as splits list them"),
    ] = None,
    said: Annotated[str, typer.Option(help="the same: what readers of the record must know of the choice")] = "",
    metrics: Annotated[str | None, typer.Option(help="reports: metrics, separated by commas (docs/evals.md)")] = None,
    supply: Annotated[list[str] | None, typer.Option(help="reports: NAME=VALUE a metric needs; repeatable")] = None,
    part: Annotated[str, typer.Option(help="planning: held-out, open or all")] = "held-out",
    runtime: Annotated[str | None, typer.Option(help="local, or ray: workers are processes (docs/scale.md)")] = None,
    as_json: JsonOption = False,
    planner: PlannerOption = None,
    profile: ProfileOption = None,
) -> None:
    """Run a benchmark or an audit, or show runs; the last line of stdout is its summary as JSON."""
    from evals import commands
    from evals.tasks import RunOptions

    settings = settings_of(planner=planner, profile=profile, runtime=runtime)
    options = RunOptions(
        data=data, n=n, limit=limit, seed=seed, epochs=epochs, workers=workers, baseline=baseline, perturb=perturb,
        tools=tuple(tools.split(",")) if tools else None, budget_usd=budget_usd, log_dir=log_dir,
    )  # fmt: skip
    other = {
        "phantom": lambda: commands.evaluate_phantom(settings, seed or 0, limit, as_json),
        "planning": lambda: commands.evaluate_planning(settings, part, limit, as_json),
        "audit": lambda: commands.audit(settings, data, labels, model, scores, log_dir, as_json),
        "report": lambda: commands.report(runs or [], out or log_dir),
        "compare": lambda: commands.compare(runs or [], as_json),
    }
    more = commands.OfTools(only, said, tuple(metrics.split(",")) if metrics else (), tuple(supply or ()))
    run = other.get(task, lambda: commands.evaluate_benchmark(task, settings, options, more, dry_run, as_json))
    raise typer.Exit(run())


@cli.command()
def docs(
    check: Annotated[bool, typer.Option("--check", help="write nothing; fail when a page is stale")] = False,
    pictures: Annotated[bool, typer.Option("--pictures", help="run the tools and draw what they give, too")] = False,
) -> None:
    """Write the pages that are made from the code."""
    from ui.pages.written import stale_pages

    root = Path(__file__).resolve().parent
    if pictures:
        from ui.pages.pictures import draw_all

        for path in draw_all(root / "docs" / "images"):
            typer.echo(f"drew: {path.name}")
    stale = stale_pages(root, _help_texts())
    for page, text in stale.items():
        typer.echo(f"{'stale' if check else 'wrote'}: {page.name}")
        if not check:
            page.write_text(text, encoding="utf-8")
    raise typer.Exit(EXIT_OUR_FAULT if check and stale else 0)


def _help_texts() -> dict[str, str]:
    from typer.testing import CliRunner

    runner = CliRunner(env={"COLUMNS": "100", "TERM": "dumb"})
    own = [*cli.registered_commands, *serving_commands.registered_commands, *export_commands.registered_commands]
    names = [command.name or command.callback.__name__ for command in own if command.callback]
    names += [
        f"{group} {command.name or command.callback.__name__}"
        for group, commands in GROUPS.items()
        for command in commands.registered_commands
        if command.callback
    ]
    return {name: runner.invoke(cli, [*name.split(), "--help"], prog_name="hilum").output for name in names}


def main() -> None:
    """Run the command line and turn each named failure into its exit code."""
    try:
        cli()
    except Exception as error:  # noqa: BLE001 - the rim: a named failure becomes its exit code, the rest is our bug
        sys.exit(_report_failure(error))


def _report_failure(error: Exception) -> int:
    from imaging.failures import HilumFailure

    if not isinstance(error, HilumFailure):
        traceback.print_exception(error)
        typer.echo("hilum: this is a fault of Hilum itself; please report it with the lines above.", err=True)
        return EXIT_OUR_FAULT
    typer.echo(f"hilum: {error}", err=True)
    return error.exit_code


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.argv.append("chat")
    main()

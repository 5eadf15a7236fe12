"""Pages that are made from the code: docs/tools.md, models.md, cli.md and the README's measured table.

`hilum docs` writes them, `hilum docs --check` fails when one is stale; the suite runs the check.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from imaging.store import ImageStore
from models.card import ModelCard
from models.catalog import Catalog
from models.pool import ModelPool
from tools.contract import Tool, ToolContext
from tools.contract.tool import Registry, installed
from ui.pages.benched import bench_table
from ui.pages.data import data_table
from ui.pages.tools_drawn import SHOWINGS
from ui.pages.worth import worth_table

GENERATED = "<!-- made by `hilum docs`; change the code, not this page -->"
USUAL_FOLDER = "~/.hilum/models"
"""Where models lie if the user says nothing else."""
BLOCK = re.compile(r"(<!-- begin:(?P<name>[\w-]+) -->\n).*?(<!-- end:(?P=name) -->)", re.DOTALL)


def stale_pages(root: Path, cli_help: dict[str, str]) -> dict[Path, str]:
    """The pages whose text on disk differs from what the code says, with the text they should have."""
    pages = {
        root / "docs" / "tools.md": tools_page(),
        root / "docs" / "models.md": models_page(),
        root / "docs" / "cli.md": cli_page(cli_help),
        **{page: with_blocks(page.read_text(encoding="utf-8"), root) for page in with_made_blocks(root)},
    }
    return {
        page: text for page, text in pages.items() if not page.is_file() or page.read_text(encoding="utf-8") != text
    }


def tools_page() -> str:
    """Every registered tool: what it answers, its arguments, what the planner is told."""
    return "\n\n".join(["# Tools", GENERATED, *(_tool_section(item) for item in installed())]) + "\n"


def _tool_section(item: Tool) -> str:
    fields = item.arguments.model_json_schema()["properties"]
    required = set(item.arguments.model_json_schema().get("required", []))
    rows = [
        f"| `{name}` | {'required' if name in required else 'optional'} | {facts.get('description', '')} |"
        for name, facts in fields.items()
    ]
    needs = ", ".join(item.needs) or "no model"
    table = "\n".join(["| argument | | meaning |", "|---|---|---|", *rows])
    return (
        f"## {item.name}: {item.title}\n\n{item.answers}\n\n{_shown(item.name)}Needs: {needs}.\n\n{table}\n\n"
        "The planner reads:\n\n" + "\n".join(f"> {line}".rstrip() for line in item.description.splitlines())
    )


def _shown(name: str) -> str:
    """The tool's picture, with what is on the film; of a tool that has none, what it says where it cannot run."""
    if name not in SHOWINGS:
        return _refusal(name)
    showing = SHOWINGS[name]
    on = [f"Synthetic film: {showing.told}."] if showing.films else [] if showing.said else ["Drawn from words."]
    on += [showing.said] if showing.said else []
    return f"![What {name} shows](images/tools/{name}.jpg)\n\n{' '.join(on)} Drawn by `hilum docs --pictures`.\n\n"


def _refusal(name: str) -> str:
    """What one gets from a tool whose model is not here, by running it; nothing for a tool that has its models.

    Its folder of models is an empty one, told as the usual one, so that the page is the same on every machine.
    """
    tool = installed().get(name)
    with TemporaryDirectory() as folder:
        pool = ModelPool(device="cpu", model_dir=Path(folder))
        if not Registry.missing(tool, pool):
            return ""
        required = tool.arguments.model_json_schema()["required"]
        result = tool.run(ToolContext(films=ImageStore(), models=pool), dict.fromkeys(required, "not looked at"))
    said = result.summary.replace(folder, USUAL_FOLDER)
    return f"No embedded model serves it, so there is no picture. Run without a model it says:\n\n> {said}\n\n"


def models_page() -> str:
    """Every catalog entry; for the embedded models the whole card with its measured figures."""
    catalog, pool = Catalog.read(), ModelPool(device="cpu", profile="embedded")
    rows = [
        f"| `{entry.id}` | {', '.join(entry.tasks)} | {entry.profile} | {entry.licence} | {entry.title} |"
        for entry in catalog
    ]
    cards = [_card_section(pool.card(entry.id)) for entry in catalog if entry.profile == "embedded"]
    table = "\n".join(["| model | tasks | profile | licence | what |", "|---|---|---|---|---|", *rows])
    return "\n\n".join(["# Models", GENERATED, "## Catalog", table, *cards]) + "\n"


def _card_section(card: ModelCard) -> str:
    facts = [
        ("Revision", f"`{card.revision}`"),
        ("Licence", card.licence),
        ("Source", card.source),
        ("Training data", card.training_data),
        ("Intended use", card.intended_use),
        ("What a score means", card.score_meaning),
        ("Measured on", card.measured_on),
        ("Reproduce", f"`{card.reproduce}`"),
    ]
    lines = [f"- **{name}.** {text}" for name, text in facts]
    limits = "\n".join(f"- {limit}" for limit in card.limits)
    return f"## {card.id}\n\n{card.title}\n\n" + "\n".join(lines) + f"\n\nLimits:\n\n{limits}\n\n{_figures_of(card)}"


def _figures_of(card: ModelCard) -> str:
    """Every table of figures that a card holds."""
    more = card.model_extra or {}
    tables = [findings_table(card)] if card.findings else []
    tables += [structures_table(card)] if card.structures else []
    tables += [shares_tables(more["measured"])] if "measured" in more else []
    tables += [measures_table(more[name]) for name in ("checks", "figures") if name in more]
    return "\n\n".join(tables)


def measures_table(rows: list[dict[str, Any]]) -> str:
    """Markdown: what was measured on what, how many, mean with interval."""
    body = [
        f"| {row['meaning']} | {row['dataset']} | {row.get('films', row.get('number'))} "
        f"| {row['value']:.3f} ({row['low']:.3f}–{row['high']:.3f}) |"
        for row in rows
    ]
    return "\n".join(["| measure | on | films or nodules | mean (95 %) |", "|---|---|---|---|", *body])


def findings_table(card: ModelCard) -> str:
    """Markdown: one row per finding with counts, AUROC and AUPRC with intervals, calibration, and usable or why not."""
    columns = ("finding", "with / without", "AUROC (95 %)", "AUPRC (95 %)", "ECE before → after", "usable")
    head = "| " + " | ".join((*columns, "AUROC on CheXNet's films", "CheXNet there")) + " |"
    rows = [
        f"| {item.code} | {item.positives} / {item.negatives} | {item.auroc} | {item.auprc} "
        f"| {_figure(item.ece_before)} → {_figure(item.ece_after)} | {'yes' if item.usable else f'no: {item.reason}'} "
        f"| {_figure(item.auroc_on_reference_films)} | {_figure(item.reference_auroc)} |"
        for item in card.findings
    ]
    return "\n".join([head, "|---|---|---|---|---|---|---|---|", *rows])


def structures_table(card: ModelCard) -> str:
    """Markdown: mean Dice per structure and labelled set, with intervals."""
    rows = [
        f"| {structure.code} | {figure.dataset} | {figure.films} "
        f"| {figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f}) |"
        for structure in card.structures
        for figure in structure.dice
    ]
    return "\n".join(["| structure | on | films | Dice (95 %) |", "|---|---|---|---|", *rows])


def shares_tables(measured: dict[str, Any]) -> str:
    """Markdown: for each measured set, shares with their intervals and counts, one row per kind of picture."""
    return "\n\n".join(f"{name}:\n\n{_shares_table(kinds)}" for name, kinds in measured.items())


def _shares_table(kinds: dict[str, Any]) -> str:
    if all("value" in share for share in kinds.values()):
        kinds = {kind: {"refused": share} for kind, share in kinds.items()}
    columns = list(dict.fromkeys(column for shares in kinds.values() for column in shares))
    head = f"| kind | {' | '.join(column.replace('_', ' ') for column in columns)} |\n|---|{'---|' * len(columns)}"
    rows = [
        f"| {kind} | {' | '.join(_share(shares[column]) if column in shares else '–' for column in columns)} |"
        for kind, shares in kinds.items()
    ]
    return "\n".join([head, *rows])


def _share(share: dict[str, Any]) -> str:
    return f"{share['value']:.1%} ({share['low']:.1%}–{share['high']:.1%}) of {share['pictures']}"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def cli_page(cli_help: dict[str, str]) -> str:
    """The help text of every command."""
    sections = [f"## hilum {name}\n\n```text\n{text.strip()}\n```" for name, text in cli_help.items()]
    return "\n\n".join(["# Command line", GENERATED, *sections]) + "\n"


def with_made_blocks(root: Path) -> list[Path]:
    """Hand-written pages of which a block is made."""
    return [root / "README.md", root / "docs" / "performance.md", root / "docs" / "data.md"]


def with_blocks(text: str, root: Path) -> str:
    """A page with each `<!-- begin:X -->` block filled. KeyError for a block nobody fills."""
    pool = ModelPool(device="cpu", profile="embedded")
    blocks: dict[str, Callable[[], str]] = {
        "worth": lambda: worth_table(pool.card),
        "bench": lambda: bench_table(root / "docs" / "bench.json"),
        "data": lambda: data_table(pool, Catalog.read()),
    }
    return BLOCK.sub(lambda match: f"{match[1]}{blocks[match['name']]()}\n{match[3]}", text)

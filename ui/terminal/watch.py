"""`hilum doctor --watch`: what a running Hilum's models do, read from its metrics every other second."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count

import httpx
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.live import Live
from rich.table import Table

from imaging.failures import Unavailable

PAUSE_S = 2.0
TIMEOUT_S = 5.0

Samples = dict[tuple[str, str, str], float]
"""(sample name, model, further label) -> value; the further label is the device, or the source of an output."""


def watch(address: str, console: Console, rounds: int | None = None) -> None:
    """Show the models of the server at an address (http://host:port) until Ctrl-C, or for a number of rounds.

    Raises:
        Unavailable: nothing answers there.
    """
    steps = count() if rounds is None else range(rounds)
    with Live(console=console, auto_refresh=False) as screen:
        for step in steps:
            if step:
                time.sleep(PAUSE_S)
            screen.update(table(read(address)), refresh=True)


def read(address: str) -> Samples:
    """The samples that the server tells now."""
    try:
        reply = httpx.get(f"{address.rstrip('/')}/metrics", timeout=TIMEOUT_S)
        reply.raise_for_status()
    except httpx.HTTPError as error:
        raise Unavailable(
            f"No Hilum answers at {address}: {error}.", "Start one with: hilum chat, or name its address with --at."
        ) from error
    return dict(_samples(reply.text))


def _samples(text: str) -> Iterator[tuple[tuple[str, str, str], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            further = sample.labels.get("device") or sample.labels.get("source") or ""
            yield (sample.name, sample.labels.get("model", ""), further), sample.value


def table(samples: Samples) -> Table:
    """One row per model that did something: films, hit rate, batches, waiting, time in the network, loads."""

    def total(name: str, model: str, further: str | None = None) -> float:
        return sum(
            value
            for (its_name, its_model, its_further), value in samples.items()
            if its_name == name and its_model == model and further in (None, its_further)
        )

    megabytes = sum(value for (name, _, _), value in samples.items() if name == "hilum_loaded_bytes") / 1e6
    cached = sum(value for (name, _, _), value in samples.items() if name == "hilum_cache_bytes") / 1e6
    title = f"{megabytes:,.0f} MB of weights loaded, {cached:,.0f} MB of outputs kept"
    shown = Table(title=title, title_justify="left", show_edge=False)
    for column in ("model", "outputs", "from cache", "films a batch", "wait", "busy", "loads", "evicted", "no memory"):
        shown.add_column(column, justify="left" if column == "model" else "right")
    for model in sorted({model for _, model, _ in samples if model}):
        outputs = total("hilum_predictions_total", model)
        fresh = total("hilum_predictions_total", model, "computed")
        batches = total("hilum_batch_films_count", model)
        waits = total("hilum_queue_seconds_count", model)
        shown.add_row(
            model,
            f"{outputs:.0f}",
            f"{1 - fresh / outputs:.0%}" if outputs else "-",
            f"{total('hilum_batch_films_sum', model) / batches:.1f}" if batches else "-",
            f"{1000 * total('hilum_queue_seconds_sum', model) / waits:.0f} ms" if waits else "-",
            f"{total('hilum_busy_seconds_total', model):.1f} s",
            f"{total('hilum_model_loads_total', model):.0f}",
            f"{total('hilum_model_evictions_total', model):.0f}",
            f"{total('hilum_out_of_memory_total', model):.0f}",
        )
    return shown

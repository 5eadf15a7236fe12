"""Answers, tool steps and failures as HTML. Pure: strings in, strings out, every word from outside escaped.

The chat shows these through Markdown, which leaves an HTML block alone until its first blank line; so every block made
here is one line. Nothing here makes a link or a picture but the citations, so no answer can make the browser fetch.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping
from html import escape
from typing import Any

from agent.answer import Answer, Claim, Evidence, Verdict
from models.outputs import ScoreKind
from tools.contract import Finding, Status
from tools.knowledge import findings
from ui.chat.cards import card
from ui.chat.pictures import strip

SCORE_MEANING = {
    ScoreKind.CALIBRATED_PROBABILITY: "calibrated probability",
    ScoreKind.OPERATING_POINT: "scaled so that 0.5 is the operating point; not a probability",
    ScoreKind.SIGMOID: "uncalibrated score; not a probability",
    ScoreKind.MASK_PROBABILITY: "mean certainty of the mask",
    ScoreKind.SIMILARITY: "raw similarity; not a probability",
    ScoreKind.MEASUREMENT: "measured",
    ScoreKind.NONE: "no score",
}
"""What a score is, in the words of the screen: 'probability' only where it is calibrated."""

STATUS_WORDS = {
    Status.PRESENT: ("●", "present"),
    Status.UNCERTAIN: ("◐", "uncertain"),
    Status.ABSENT: ("○", "absent"),
    Status.NOT_ASSESSED: ("–", "not assessed"),
}
"""Sign and word of a status, in the order of the table; colour is only ever added to them."""

_LEFT = Status.NOT_ASSESSED

_CITED = re.compile(r"\[(E\d+(?:\s*[,;]\s*E\d+)*)\]")
_BOLD = re.compile(r"\*\*(\S(?:.*?\S)?)\*\*")
_HEADING = re.compile(r"#{1,6}\s+(.*)")
_BULLET = re.compile(r"[-*•]\s+(.*)")
_SIGN = re.compile(r"[!-/:-@\[-`{-~]")
_NUMBERED = re.compile(r"\d{1,2}[.)]\s+(.*)")

ABSENT_SHOWN = 3
"""Absent findings that stand in the open; more are folded."""


def plain(text: str) -> str:
    """`text` escaped, on one line; line breaks stay visible."""
    return "<br>".join(escape(line.strip()) for line in text.strip().splitlines() if line.strip())


def word(text: str) -> str:
    """`text` escaped, on one line."""
    return escape(" ".join(text.split()))


def label(text: str) -> str:
    """`text` for a place where Markdown would read it: every sign an entity, so that it means nothing."""
    return _SIGN.sub(lambda match: f"&#{ord(match.group())};", " ".join(text.split()))


def question(text: str) -> str:
    """What the user asked, as it was written."""
    return f'<div class="asked">{plain(text)}</div>'


def citation(evidence_id: str, known: Mapping[str, str]) -> str:
    """A clickable evidence number; one that no tool made is shown as such and cannot be clicked.

    `known` maps evidence ids to what they are called.
    """
    if evidence_id not in known:
        return f'<span class="cite-unknown" title="no such evidence">{word(evidence_id)}?</span>'
    title = word(f"Show {evidence_id} on the film: {known[evidence_id]}")
    return f'<a class="cite" href="#{word(evidence_id)}" role="button" title="{title}">{word(evidence_id)}</a>'


def prose(text: str, known: Mapping[str, str]) -> str:
    """The answer's text as one line of HTML: paragraphs, lists, headings, bold and citations; nothing else survives."""
    blocks: list[str] = []
    for chunk in re.split(r"\n\s*\n", text.strip()):
        blocks.extend(_blocks(chunk.splitlines(), known))
    return f'<div class="prose-answer">{"".join(blocks)}</div>'


def _blocks(lines: list[str], known: Mapping[str, str]) -> list[str]:
    blocks: list[tuple[str, list[str]]] = []
    for line in (raw.strip() for raw in lines):
        kind, words = _kind(line)
        if not words:
            continue
        if blocks and blocks[-1][0] == kind and kind != "h4":
            blocks[-1][1].append(_inline(words, known))
        else:
            blocks.append((kind, [_inline(words, known)]))
    return [_wrap(kind, items) for kind, items in blocks]


def _kind(line: str) -> tuple[str, str]:
    for kind, pattern in (("h4", _HEADING), ("ul", _BULLET), ("ol", _NUMBERED)):
        match = pattern.fullmatch(line)
        if match:
            return kind, match.group(1)
    return "p", line


def _wrap(kind: str, items: list[str]) -> str:
    if kind in ("ul", "ol"):
        return f"<{kind}>{''.join(f'<li>{item}</li>' for item in items)}</{kind}>"
    return f"<{kind}>{'<br>'.join(items)}</{kind}>"


def _inline(text: str, known: Mapping[str, str]) -> str:
    bold = _BOLD.sub(r"<strong>\1</strong>", escape(text))
    return _CITED.sub(lambda match: " ".join(citation(i, known) for i in re.findall(r"E\d+", match.group(1))), bold)


def notice(kind: str, heading: str, message: str, hint: str = "") -> str:
    """A message in place. `kind` is "problem", "conflict" or "note"."""
    advice = f'<p class="hint">{plain(hint)}</p>' if hint else ""
    return f'<div class="notice {kind}"><p><strong>{plain(heading)}</strong> {plain(message)}</p>{advice}</div>'


def step_title(evidence_id: str, title: str, failed: bool = False) -> str:
    """Heading of a tool step, e.g. 'E1 · Classify findings'."""
    return f"{label(evidence_id)} · {label(title)}{' · could not answer' if failed else ''}"


def step_running(args: Mapping[str, Any], films: Mapping[str, str]) -> str:
    """A tool step while it runs: its arguments."""
    return f'<div class="step">{_arguments(args, films)}<p class="muted">Running …</p></div>'


def approval(evidence_id: str, title: str, args: Mapping[str, Any], films: Mapping[str, str]) -> str:
    """The question whether a call may run: what would run, with which arguments. `films` maps ids to names."""
    lead = f"<p><strong>May {label(evidence_id)} · {label(title)} run?</strong> It waits for you.</p>"
    return f'<div class="step">{lead}{_arguments(args, films)}</div>'


def step_done(evidence: Evidence, films: Mapping[str, str]) -> str:
    """A tool step that ended: arguments, summary or failure, caveats, model and time. `films` maps ids to names."""
    parts = [_arguments(evidence.args, films)]
    if evidence.failure is not None:
        failure = evidence.failure
        parts.append(notice("problem", "Could not answer.", failure.message, failure.hint))
    else:
        parts.append(f"<p>{plain(evidence.summary)}</p>{strip(evidence.data)}")
    return f'<div class="step">{"".join(parts)}{basis(evidence)}</div>'


def basis(evidence: Evidence) -> str:
    """Caveats, who answered, and that model's card."""
    caveats = "".join(f'<p class="caveat">{plain(caveat)}</p>' for caveat in evidence.caveats)
    names = {code: concept.name for code, concept in findings().items()}
    return f'{caveats}<p class="muted">{provenance(evidence)}</p>{card(evidence.card, names)}'


def provenance(evidence: Evidence) -> str:
    """Who answered, at which revision, in how long."""
    model = f"{evidence.model} @ {evidence.revision or 'unversioned'}" if evidence.model else "no model: computed"
    return f"{word(model)} · {word(duration(evidence.elapsed_ms))}"


def duration(elapsed_ms: float) -> str:
    """Time for people: 84 ms, 1.3 s."""
    return f"{elapsed_ms:.0f} ms" if elapsed_ms < 1000 else f"{elapsed_ms / 1000:.1f} s"


def _arguments(args: Mapping[str, Any], films: Mapping[str, str]) -> str:
    if not args:
        return ""
    pairs = " ".join(
        f'<span class="arg"><i>{word(key.replace("_", " "))}</i> {word(_value(value, films))}</span>'
        for key, value in args.items()
    )
    return f'<p class="args">{pairs}</p>'


def _value(value: Any, films: Mapping[str, str]) -> str:
    if isinstance(value, str):
        return films.get(value, value)
    if isinstance(value, list):
        return ", ".join(_value(item, films) for item in value) or "none"
    return json.dumps(value, ensure_ascii=False, default=str)


def answer(
    result: Answer, films: Mapping[str, str], names: Mapping[str, str], known: Mapping[str, str], turn: int = 0
) -> str:
    """The whole answer: text, disagreements, findings table, what was not assessed, who answered.

    `films` maps film ids to names, `names` finding codes to names, `known` evidence ids to titles.
    `turn` is its number in its session: with one it can be rated.
    """
    parts = [prose(result.text, known), *(strip(record.data) for record in result.evidence)]
    conflicting = [claim for claim in result.claims if claim.verdict is Verdict.CONFLICTING]
    parts.extend(dict.fromkeys(_conflict(claim, result.text, known) for claim in conflicting))
    parts.append(_folded(result.findings, films, names, known))
    parts.append(_not_assessed(result, films, names))
    if result.stopped:
        parts.append(notice("note", "Stopped early.", result.stopped))
    parts.append(f'<p class="muted signature">{_signature(result)}</p>{_actions(turn)}')
    return f'<div class="answer">{"".join(parts)}</div>'


def _folded(
    findings: Collection[Finding], films: Mapping[str, str], names: Mapping[str, str], known: Mapping[str, str]
) -> str:
    """The findings table behind one line that counts them; the whole table stands beside the film too."""
    table = findings_table(findings, films, names, known)
    counted = Counter(row.status for row in findings)
    told = ", ".join(
        f"{counted[item]} {words}" for item, (_, words) in STATUS_WORDS.items() if counted[item] and item is not _LEFT
    )
    return f'<details class="findings"><summary>Findings: {told}</summary>{table}</details>' if table else ""


def _actions(turn: int) -> str:
    """Copy, ask again, and a word on whether the answer was of use; page.js knows what to do with them."""
    rated = [("again", f"#again-{turn}", "Ask again"), ("rate", f"#good-{turn}", "Helpful")] if turn else []
    links = [("copy", "#copy", "Copy"), *rated, *([("rate", f"#bad-{turn}", "Not helpful")] if turn else [])]
    shown = "".join(f'<a class="{name}" href="{href}" role="button">{words}</a>' for name, href, words in links)
    return f'<p class="actions">{shown}</p>'


def _conflict(claim: Claim, text: str, known: Mapping[str, str]) -> str:
    """Marks a disagreement; its words only where the text does not hold them already."""
    cited = " ".join(citation(item, known) for item in claim.evidence)
    said = "See what is said above of" if _bare(claim.text) in _bare(text) else plain(claim.text)
    return f'<div class="notice conflict"><p><strong>Tools disagree.</strong> {said} {cited}</p></div>'


def _bare(text: str) -> str:
    """Letters and digits alone, citations left out: for finding a claim in a text."""
    return re.sub(r"\W+", "", _CITED.sub("", text)).lower()


def findings_table(
    findings: Collection[Finding], films: Mapping[str, str], names: Mapping[str, str], known: Mapping[str, str]
) -> str:
    """Assessed findings as a table: finding, status, score and what it means, place, evidence; film only if several.

    Many absent ones are folded away, so that the answer stays in view.
    """
    order = list(STATUS_WORDS)
    rows = sorted(
        (row for row in findings if row.status is not Status.NOT_ASSESSED), key=lambda r: order.index(r.status)
    )
    if not rows:
        return ""
    absent = [row for row in rows if row.status is Status.ABSENT]
    if len(absent) <= ABSENT_SHOWN:
        return _table(rows, films, names, known)
    shown = [row for row in rows if row not in absent]
    folded = f"<details><summary>Absent ({len(absent)})</summary>{_table(absent, films, names, known)}</details>"
    return (_table(shown, films, names, known) if shown else "") + folded


def _table(
    rows: Collection[Finding], films: Mapping[str, str], names: Mapping[str, str], known: Mapping[str, str]
) -> str:
    several = len(films) > 1
    heads = (["Film"] if several else []) + ["Finding", "Status", "Score", "Place", "Evidence"]
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(_row(row, films, names, known, several) for row in rows)
    return f'<table class="findings"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _row(
    row: Finding, films: Mapping[str, str], names: Mapping[str, str], known: Mapping[str, str], several: bool
) -> str:
    place = " · ".join(part for part in (row.laterality, (row.region or "").replace("_", " ")) if part)
    cells = [
        f"<strong>{word(finding_name(row.code, names))}</strong>{_small(row.reason if row.score is None else '')}",
        status(row.status),
        score(row),
        word(place) or "–",
        " ".join(citation(item, known) for item in row.evidence),
    ]
    if several:
        cells.insert(0, word(films.get(row.image_id, row.image_id)))
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _small(text: str) -> str:
    return f"<small>{plain(text)}</small>" if text else ""


def status(value: Status) -> str:
    """A status as sign and word; the class only colours the sign."""
    sign, word = STATUS_WORDS[value]
    return f'<span class="status {value.value}"><span class="sign">{sign}</span> {word}</span>'


def score(row: Finding) -> str:
    """The number and what it means, with its threshold; a dash where there is none."""
    if row.score is None:
        return "–"
    meaning = SCORE_MEANING[row.score_kind] if row.score_kind else "meaning not stated"
    threshold = "" if row.threshold is None else f", threshold {row.threshold:.2f}"
    return f'<span class="number">{row.score:.2f}</span><small>{word(meaning + threshold)}</small>'


def finding_name(code: str, names: Mapping[str, str]) -> str:
    """The ontology's name of a finding, or its code made readable."""
    return names.get(code) or code.replace("_", " ").capitalize()


def _not_assessed(result: Answer, films: Mapping[str, str], names: Mapping[str, str]) -> str:
    lines = [plain(line) for line in result.not_assessed]
    for row in result.findings:
        if row.status is Status.NOT_ASSESSED:
            film = f" ({films.get(row.image_id, row.image_id)})" if len(films) > 1 else ""
            reason = f" — {plain(row.reason)}" if row.reason else ""
            lines.append(f"{word(finding_name(row.code, names) + film)}{reason}")
    if not lines:
        return ""
    listed = [f"<li>{line}</li>" for line in dict.fromkeys(lines)]
    summary = f"<summary>Not assessed ({len(listed)})</summary>"
    return f'<details class="not-assessed">{summary}<ul>{"".join(listed)}</ul></details>'


def _signature(result: Answer) -> str:
    models = ", ".join(f"{model} @ {revision}" for model, revision in result.models.items()) or "no model"
    parts = [f"Planner {result.planner}", models]
    if "total" in result.timings_ms:
        parts.append(duration(result.timings_ms["total"]))
    tokens = (result.usage.input_tokens or 0) + (result.usage.output_tokens or 0)
    if tokens:
        parts.append(f"{tokens:,} tokens")
    if result.usage.cost_usd is not None:
        parts.append(f"${result.usage.cost_usd:.4f}")
    return word(" · ".join(parts)) + f"<br>{plain(result.disclaimer)}"

"""The page: films and conversations, viewer, chat, the state of the system below, and their wiring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from agent.settings import Settings
from ui.chat import studies
from ui.chat.desk import Desk
from ui.chat.examples import EXAMPLES
from ui.chat.visits import Visits

if TYPE_CHECKING:
    from agent import Agent
    from imaging.pacs import Pacs

HERE = Path(__file__).parent

TITLE = "Hilum"

SWEEP_S = 600
"""How often, and after how long, gradio deletes what it still keeps of uploads; Hilum deletes its own at once."""

REMEMBERED = "() => sessionStorage.getItem('hilum-session') || ''"
"""Which conversation this window looked at before it was reloaded."""

HEADER = (
    '<div class="brand"><span class="mark" aria-hidden="true"></span><h1>Hilum</h1>'
    "<p>Questions about chest radiographs, answered with their evidence</p>"
    '<button type="button" data-theme class="plain">Light / dark</button></div>'
)

PLACEHOLDER = (
    '<div class="welcome"><h2>Open a film, then ask</h2>'
    "<p>Every statement of an answer carries the number of the evidence it rests on. "
    "Press a number to see that evidence on the film.</p>"
    "<p>No film at hand? These make a synthetic one:</p></div>"
)

DETAILS = '<div class="details" aria-live="polite"></div>'


@dataclass
class Parts:
    """What the page is made of, as far as handlers change it or listen to it."""

    chat: gr.Chatbot
    scene: gr.HTML
    films: gr.HTML
    history: gr.HTML
    findings: gr.HTML
    report: gr.HTML
    worklist: gr.HTML
    studies: gr.HTML
    state: gr.HTML
    question: gr.Textbox
    uploads: tuple[gr.UploadButton, gr.UploadButton]
    restart: gr.Button

    @property
    def screen(self) -> list[Any]:
        """In the order of ui.chat.screen.Screen."""
        around = [self.films, self.history, self.findings, self.report, self.worklist, self.studies]
        return [self.chat, self.scene, *around, self.state, self.question]


def build(agent: Agent, settings: Settings, pacs: Sequence[Pacs] = (), logs_out: bool = False) -> gr.Blocks:
    """The workbench as a gradio app for `agent`; `launch` serves it. Each window looks at a session of its own.

    Args:
        agent: answers.
        settings: what the state line tells of.
        pacs: whose studies can be browsed, and that take signed reports.
        logs_out: whether users log in at this page, and so out of it.
    """
    desk = Desk(Visits(agent), settings, pacs, logs_out)
    with gr.Blocks(
        title=TITLE, analytics_enabled=False, fill_width=True, fill_height=True, delete_cache=(SWEEP_S, SWEEP_S)
    ) as page:
        gr.HTML(HEADER, elem_id="header", js_on_load=None)
        with gr.Row(elem_id="desk", equal_height=True):
            films, uploads, history, restart = _left()
            findings, report, worklist, browser = _middle(desk)
            chat, question = _right()
        state = gr.HTML("", elem_id="state", js_on_load=None)
        scene = _scene(desk)
        parts = Parts(
            chat, scene, films, history, findings, report, worklist, browser, state, question, uploads, restart
        )
        _wire(page, desk, parts)
    return page


def asset(name: str) -> str:
    """The text of a file beside this one."""
    return (HERE / name).read_text(encoding="utf-8")


def _left() -> tuple[gr.HTML, tuple[gr.UploadButton, gr.UploadButton], gr.HTML, gr.Button]:
    with gr.Column(elem_id="films-side", scale=0, min_width=214):
        gr.HTML("<h2>Films</h2>", js_on_load=None)
        films = gr.HTML("", elem_id="films-list", js_on_load=None)
        with gr.Row(elem_id="open-row"):
            add = gr.UploadButton("Add films", elem_id="films", file_count="multiple", size="sm", scale=3, min_width=80)
            folder = gr.UploadButton(
                "Folder", elem_id="folder", file_count="directory", size="sm", scale=2, min_width=60
            )
        gr.HTML(
            '<p role="alert"></p><progress aria-label="Sent of the films" hidden></progress>',
            elem_id="upload-told",
            js_on_load=None,
        )
        gr.HTML("<h2>Conversations</h2>", js_on_load=None)
        restart = gr.Button("New conversation", elem_id="restart", size="sm")
        history = gr.HTML("", elem_id="history", js_on_load=None)
    return films, (add, folder), history, restart


def _middle(desk: Desk) -> tuple[gr.HTML, gr.HTML, gr.HTML, gr.HTML]:
    with gr.Column(elem_id="film-side", scale=12, min_width=380):
        gr.HTML(asset("viewer.html"), elem_id="viewer", js_on_load=None)
        with gr.Tabs(elem_id="dock"):
            with gr.Tab("Evidence"):
                gr.HTML(DETAILS, elem_id="details", js_on_load=None)
            with gr.Tab("Findings"):
                findings = gr.HTML("", elem_id="findings", js_on_load=None)
            with gr.Tab("Report"):
                report = gr.HTML("", elem_id="report", js_on_load=None)
            with gr.Tab("Worklist", visible=desk.screens.queue is not None):
                worklist = gr.HTML("", elem_id="worklist", js_on_load=None)
            with gr.Tab("PACS", visible=bool(desk.pacs)):
                browser = gr.HTML(studies.form(desk.pacs), elem_id="studies", js_on_load=None)
    return findings, report, worklist, browser


def _right() -> tuple[gr.Chatbot, gr.Textbox]:
    with gr.Column(elem_id="chat-side", scale=10, min_width=360):
        chat = _conversation()
        question = gr.Textbox(
            elem_id="question",
            show_label=False,
            label="Your question",
            placeholder="Ask about the film, e.g. Is there a pneumothorax?",
            lines=1,
            max_lines=5,
            autofocus=True,
            submit_btn="Ask",
            container=False,
            max_length=4000,
        )
    return chat, question


def _conversation() -> gr.Chatbot:
    examples: Any = [{"text": each.question, "display_text": f"{each.question}\n{each.film}"} for each in EXAMPLES]
    return gr.Chatbot(
        elem_id="chat",
        label="Conversation",
        show_label=False,
        placeholder=PLACEHOLDER,
        examples=examples,
        buttons=[],
        latex_delimiters=[],
        feedback_options=None,
        layout="panel",
        height="100%",
        allow_tags=False,
        container=False,
    )


def _scene(desk: Desk) -> gr.HTML:
    def picture(asked: list[str]) -> str | None:
        return desk.picture(asked)

    def exported(asked: list[Any]) -> dict[str, str]:
        return desk.exported(asked)

    def sent(asked: list[Any]) -> dict[str, str]:
        return desk.sent(asked)

    served: list[Any] = [picture, exported, sent]
    return gr.HTML("", elem_id="scene", html_template="", js_on_load=asset("scene.js"), server_functions=served)


def _wire(page: gr.Blocks, desk: Desk, parts: Parts) -> None:
    """Connect every event. A handler that fails in a way nobody named is reported in the conversation."""
    remembered = gr.Textbox(visible=False)
    quiet: dict[str, Any] = {"outputs": parts.screen, "api_visibility": "private", "show_progress": "hidden"}
    free: dict[str, Any] = quiet | {"concurrency_limit": None}
    events = [
        page.load(desk.welcome, remembered, js=REMEMBERED, **free),
        *(each.upload(desk.open_films, each, **quiet) for each in parts.uploads),
        parts.scene.select(desk.act, None, trigger_mode="multiple", **free),
        parts.chat.example_select(desk.example, None, **free),
        parts.chat.option_select(desk.suggestion, None, trigger_mode="multiple", **free),
        parts.question.submit(desk.ask, parts.question, trigger_mode="multiple", **free),
        parts.restart.click(desk.restart, None, **free),
    ]
    for event in events:
        event.failure(desk.broke, None, **quiet)
    parts.question.stop(desk.stop, None, None, api_visibility="private", show_progress="hidden", concurrency_limit=None)
    page.unload(desk.closed)


__all__ = ["asset", "build"]

"""The page: film viewer on the left, conversation on the right, the state of the system below, and their wiring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from agent.settings import Settings
from ui.chat.examples import EXAMPLES
from ui.chat.turns import Desk
from ui.chat.viewer import EMPTY
from ui.chat.visits import Visits

if TYPE_CHECKING:
    from agent import Agent

HERE = Path(__file__).parent

TITLE = "Hilum"

SWEEP_S = 600
"""How often, and after how long, gradio deletes what it still keeps of uploads; Hilum deletes its own at once."""

HEADER = (
    '<div class="brand"><span class="mark" aria-hidden="true"></span><h1>Hilum</h1>'
    "<p>Questions about chest radiographs, answered with their evidence</p></div>"
)

PLACEHOLDER = (
    '<div class="welcome"><h2>Open a film, then ask</h2>'
    "<p>Every statement of an answer carries the number of the evidence it rests on. "
    "Press a number to see that evidence on the film.</p>"
    "<p>No film at hand? These make a synthetic one:</p></div>"
)


def build(agent: Agent, settings: Settings) -> gr.Blocks:
    """The chat as a gradio app for `agent`; `launch` serves it. Each browser window gets a session of its own."""
    desk = Desk(Visits(agent), settings)
    with gr.Blocks(
        title=TITLE, analytics_enabled=False, fill_width=True, fill_height=True, delete_cache=(SWEEP_S, SWEEP_S)
    ) as page:
        with gr.Row(elem_id="header"):
            gr.HTML(HEADER, elem_id="brand")
            restart = gr.Button("New conversation", elem_id="restart", size="sm", scale=0, min_width=150)
        with gr.Row(elem_id="desk", equal_height=True):
            with gr.Column(elem_id="film-side", scale=11, min_width=380):
                viewer = gr.HTML(EMPTY, elem_id="viewer", js_on_load=asset("viewer.js"))
            with gr.Column(elem_id="chat-side", scale=12, min_width=420):
                chat = _conversation()
                with gr.Row(elem_id="ask-row"):
                    films = gr.UploadButton(
                        "Add films", elem_id="films", file_count="multiple", size="sm", scale=0, min_width=96
                    )
                    folder = gr.UploadButton(
                        "Folder", elem_id="folder", file_count="directory", size="sm", scale=0, min_width=76
                    )
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
        state = gr.HTML("", elem_id="state")
        _wire(page, desk, [chat, viewer, state, question], [films, folder], restart)
    return page


def asset(name: str) -> str:
    """The text of a file beside this one."""
    return (HERE / name).read_text(encoding="utf-8")


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


def _wire(page: gr.Blocks, desk: Desk, screen: list[Any], uploads: list[gr.UploadButton], restart: gr.Button) -> None:
    """Connect every event. A handler that fails in a way nobody named is reported in the conversation."""
    chat, viewer, _, question = screen
    quiet: dict[str, Any] = {"outputs": screen, "api_visibility": "private", "show_progress": "hidden"}
    events = [
        page.load(desk.welcome, None, **quiet),
        *(each.upload(desk.open_films, each, **quiet) for each in uploads),
        viewer.select(desk.pick, None, trigger_mode="multiple", **quiet),
        chat.example_select(desk.example, None, **quiet),
        chat.option_select(desk.suggestion, None, **quiet),
        question.submit(desk.ask, question, **quiet),
        restart.click(desk.restart, None, **quiet),
    ]
    for event in events:
        event.failure(desk.broke, None, **quiet)
    page.unload(desk.closed)

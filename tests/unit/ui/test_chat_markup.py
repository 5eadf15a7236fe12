"""What the chat says, as HTML: everything from outside is escaped, every number is named for what it is."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from agent.llm.named import is_loopback
from agent.settings import Settings
from imaging.failures import BadArguments
from models.outputs import ScoreKind
from tools.contract import Finding, Status
from ui.chat import launch, markup, pictures
from ui.chat.facts import SystemState, film_names, leaves_machine, state_line

KNOWN = {"E1": "Classify findings", "E12": "Outline <b>x</b>"}
NASTY = '<img src=x onerror="alert(1)"> <script>alert(2)</script> ![p](http://192.0.2.1/p.png) [l](javascript:alert(3))'


class Tags(HTMLParser):
    """The tags of a piece of HTML, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags(text: str) -> list[str]:
    return [tag for tag, _ in Tags(text).found]


def finding(code: str = "effusion", **more: object) -> Finding:
    return Finding.model_validate({"code": code, "image_id": "a" * 16, "status": "present", **more})


def test_prose_keeps_structure_and_makes_citations_links() -> None:
    html = markup.prose("# Findings\nThere is **fluid** [E1].\n\n- one\n- two [E1, E12]", KNOWN)
    assert tags(html) == ["div", "h4", "p", "strong", "a", "ul", "li", "li", "a", "a"]
    assert '<a class="cite" href="#E1"' in html


@pytest.mark.parametrize("text", [NASTY, f"- {NASTY}", f"# {NASTY}", f"**{NASTY}**", f"x [E1] {NASTY}"])
def test_prose_of_markup_makes_no_tag_of_it(text: str) -> None:
    html = markup.prose(text, KNOWN)
    assert set(tags(html)) <= {"div", "p", "ul", "li", "h4", "strong", "a"}
    assert all(dict(a).get("class") == "cite" for tag, a in Tags(html).found if tag == "a")


def test_every_block_is_one_line_so_that_markdown_leaves_it_alone() -> None:
    """A blank line would end the HTML block, and Markdown would make pictures and links of what follows."""
    assert "\n" not in markup.prose(f"a\n\n{NASTY}\n\nb", KNOWN)
    assert "\n" not in markup.notice("problem", "a\n\nb", f"c\n\n{NASTY}", "d\n\ne")
    assert "\n" not in markup.step_running({"x": f"a\n\n{NASTY}"}, {})
    assert "\n" not in markup.question(f"a\n\n{NASTY}")
    assert "\n" not in markup.findings_table([finding(reason="a\n\nb", region="c\n\nd")], {}, {}, KNOWN)


def test_title_of_a_step_means_nothing_to_markdown() -> None:
    title = markup.step_title("E1", NASTY)
    assert not set(title.replace("&#", "").replace(";", "")) & set("<>![]()*_`:/\\")


def test_citation_of_unknown_evidence_cannot_be_clicked() -> None:
    assert tags(markup.prose("Surely [E9].", KNOWN)) == ["div", "p", "span"]


def test_citation_escapes_the_title_of_a_tool() -> None:
    assert "<b>" not in markup.citation("E12", KNOWN)


def test_table_names_score_and_status_in_words() -> None:
    rows = [
        finding("pneumothorax", status=Status.ABSENT, score=0.04, score_kind=ScoreKind.SIGMOID, threshold=0.35),
        finding(score=0.83, score_kind=ScoreKind.CALIBRATED_PROBABILITY, laterality="left", evidence=["E1"]),
    ]
    html = markup.findings_table(rows, {"a" * 16: "Film 1"}, {"effusion": "Pleural effusion"}, KNOWN)
    assert html.index("Pleural effusion") < html.index("Pneumothorax"), "what is present comes first"
    assert "0.83" in html and "calibrated probability" in html and "left" in html and "present" in html
    assert "uncalibrated score; not a probability, threshold 0.35" in html
    assert "Film 1" not in html, "one film needs no column"


def test_table_names_the_film_when_there_are_several() -> None:
    films = film_names(["a" * 16, "b" * 16])
    assert "Film 1" in markup.findings_table([finding()], films, {}, KNOWN)


@pytest.mark.parametrize("field", ["reason", "region", "code"])
def test_table_escapes_what_tools_say(field: str) -> None:
    html = markup.findings_table([finding(**{field: NASTY})], {}, {}, KNOWN)
    assert not {"img", "script"} & set(tags(html))


def test_only_calibrated_scores_are_called_probabilities() -> None:
    for kind in ScoreKind:
        words = markup.SCORE_MEANING[kind]
        assert ("probability" in words.replace("not a probability", "")) == (kind is ScoreKind.CALIBRATED_PROBABILITY)


def test_leaves_machine_tells_local_from_remote() -> None:
    assert leaves_machine(Settings(planner="embedded")) == ""
    assert leaves_machine(Settings(planner="openai:x", planner_base_url="http://127.0.0.1:8000/v1")) == ""
    assert "gpt.example" in leaves_machine(Settings(planner="openai:x", planner_base_url="https://gpt.example/v1"))
    assert "openai:x" in leaves_machine(Settings(planner="openai:x"))


def test_state_line_says_what_leaves_and_what_this_is_not() -> None:
    quiet = state_line(SystemState("embedded", "cpu", {}, ""))
    assert "Nothing leaves this machine" in quiet and "not a medical device" in quiet
    loud = state_line(SystemState("openai:x", "cpu", {"<m>": "1"}, "your questions, to x"))
    assert "Leaves this machine: your questions, to x" in loud and "<m>" not in loud
    assert "logout" not in state_line(SystemState("embedded", "cpu", {}, "", user="anna")), "a proxy's login ends there"
    own = state_line(SystemState("embedded", "cpu", {}, "", user="anna", logs_out=True))
    assert '<form method="post" action="logout">' in own
    for leaves in ("", "your questions, to x"):
        assert "search or send in the PACS" in state_line(SystemState("embedded", "cpu", {}, leaves, pacs=True))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "hilum.example", "127.0.0.1.example"])
def test_launch_beyond_this_machine_without_login_raises(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(BadArguments, match="no login"):
        launch(None, Settings(), host=host)  # type: ignore[arg-type]


def test_pictures_of_a_result_are_shown_with_their_quoted_words_and_nothing_else_is() -> None:
    shown = {"png": "iVBORw0KGgo=", "caption": "Case <1>", "quoted": 'Says "<b>x</b>"'}
    forged = {"png": '"><script>', "caption": "x"}
    html = pictures.strip({"cases": [shown, forged, {"code": "a"}], "n": 3})
    assert html.count("<img") == 1 and 'src="data:image/png;base64,iVBORw0KGgo="' in html
    assert "Case &lt;1&gt;" in html and "&lt;b&gt;x&lt;/b&gt;" in html and "<script" not in html
    assert pictures.strip({"picture": "iVBORw0KGgo=", "rows": [{"code": "a"}]}) == ""

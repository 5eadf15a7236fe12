"""A workbench with logins: two users at once, each with their own conversations; and the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest
from windows import Window
from workbench import WorkbenchAgent

from ui.chat import launch
from ui.chat.login import users_of

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("logins")
    lines = [f"{name}:{bcrypt.hashpw(name.encode(), bcrypt.gensalt(4)).decode()}" for name in ("anna", "ben")]
    (folder / "users").write_text("\n".join(lines), encoding="utf-8")
    agent = WorkbenchAgent(folder / "sessions.db")
    page = launch(agent, agent.settings, port=0, auth=users_of(folder / "users"), block=False, quiet=True)
    yield page.local_url
    page.close()


@pytest.fixture
def signed_in(chromium: Any, address: str) -> Iterator[Callable[[str], Window]]:
    made: list[Window] = []

    def enter(name: str) -> Window:
        made.append(Window(chromium, address, login=(name, name)))
        return made[-1]

    yield enter
    for each in made:
        each.close()


def test_two_users_at_once_see_their_own_conversations_alone(
    signed_in: Callable[[str], Window], visits: list[Path]
) -> None:
    anna, ben = signed_in("anna"), signed_in("ben")
    assert "Signed in as anna" in anna.page.inner_text("#state")
    anna.open(visits[0])
    ben.open(visits[1])
    anna.ask("slow: is the heart enlarged?")
    ben.ask("Is the heart enlarged?")
    ben.answered()
    anna.answered()
    for each, other in ((anna, "Is the heart"), (ben, "slow")):
        assert each.page.locator("#history li").count() == 1
        assert other not in each.page.inner_text("#history")
    theirs = anna.page.evaluate("sessionStorage.getItem('hilum-session')")
    ben.page.evaluate("id => sessionStorage.setItem('hilum-session', id)", theirs)
    ben.page.reload()
    ben.page.wait_for_selector("#state .research")
    ben.page.wait_for_selector("#history >> text=Is the heart enlarged?")
    assert ben.page.locator("#films-list [data-film]").count() == 0, "another user's conversation is not opened"
    ben.page.evaluate("id => hilum.send({ do: 'delete', session: id })", theirs)
    ben.page.wait_for_selector("text=There is no session")
    assert anna.page.evaluate("hilum.picture(['guessed', hilum.scene.films[0].id])") is None


def test_log_out_ends_the_session_on_the_server(signed_in: Callable[[str], Window], address: str) -> None:
    window = signed_in("ben")
    cookies = {each["name"]: each["value"] for each in window.page.context.cookies()}
    assert httpx.get(f"{address}config", cookies=cookies).status_code == 200
    window.page.get_by_role("button", name="Log out").click()
    window.page.get_by_label("password").wait_for()
    assert httpx.get(f"{address}config", cookies=cookies).status_code == 401, "a cookie that was kept is worth nothing"

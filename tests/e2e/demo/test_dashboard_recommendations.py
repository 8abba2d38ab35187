"""Recommendations in a real browser: what somebody does as a user changes the list by push, and buttons are for those who may press them."""

from __future__ import annotations

import re
import time
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import expect

from evergreen.core.access import Role
from tests.support.browser import Visitor
from tests.support.lived import Lived

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1500)]
_PLACE = re.compile(r"^\d+\. ")


def someone() -> str:
    return f"seen-{uuid4().hex[:8]}"


def listed(seen: Visitor) -> list[str]:
    """Titles of the list on the screen, best first."""
    return [_PLACE.sub("", text) for text in seen.page.locator("strong").all_inner_texts() if _PLACE.match(text)]


def shows_a_list(seen: Visitor, user: str) -> list[str]:
    seen.open(f"recommendations?user={user}")
    expect(seen.page.locator("strong", has_text=re.compile(r"^10\. "))).to_be_visible()
    return listed(seen)


def test_a_click_changes_the_list_by_push(open_as, movies: Lived) -> None:
    with open_as("analyst") as seen:
        before = shows_a_list(seen, someone())
        seen.sees("live")
        begun = time.monotonic()
        seen.page.get_by_role("button", name="Click", exact=True).first.click()
        seen.sees("A list that reflects it was pushed")
        print(f"\nfrom the click to the pushed list on the screen: {time.monotonic() - begun:.2f} s")  # noqa: T201 - the figure
        after = listed(seen)
        assert before[0] not in after
        assert after != before
        seen.sees("because you watched")
        seen.picture(movies.pictures, "recommendations-pushed")
        assert seen.errors == []


def test_what_is_done_elsewhere_arrives_and_the_profile_follows(open_as, movies: Lived) -> None:
    user = someone()
    with open_as("analyst") as seen, httpx.Client(base_url=movies.serving, headers=movies.headers(Role.SERVICE), timeout=20) as application:
        before = shows_a_list(seen, user)
        seen.sees("Nobody knows this user yet")
        [first, *_] = application.get(f"/recommendations/{user}").raise_for_status().json()["items"]
        body = {"user_id": user, "interaction_type": "like", "item_ids": [first["item_id"]]}
        application.post("/interactions", json=body).raise_for_status()
        expect(seen.page.locator("strong", has_text=before[0])).to_have_count(0)
        seen.sees("Pushed in this view: 1")
        seen.sees("Preferred genres")
        assert seen.errors == []


def test_a_dislike_takes_it_away_in_korean_on_a_phone_in_the_dark(open_as, movies: Lived) -> None:
    with open_as("analyst", language="ko", width=390, dark=True) as seen:
        before = shows_a_list(seen, someone())
        seen.page.get_by_role("button", name="싫어요").first.click()
        expect(seen.page.locator("strong", has_text=before[0])).to_have_count(0)
        seen.picture(movies.pictures, "recommendations-ko-390-dark")
        assert seen.errors == []


def test_similar_movies_are_found_by_a_part_of_the_title(open_as, movies: Lived) -> None:
    with open_as("analyst") as seen:
        title = shows_a_list(seen, someone())[0]
        seen.page.get_by_label("Find a movie").fill(title.split(" (")[0])
        seen.page.keyboard.press("Enter")
        expect(seen.page.get_by_label("Movie", exact=True)).to_have_value(title)
        assert seen.errors == []


def test_a_viewer_sees_experiments_and_nobodys_list(open_as, movies: Lived) -> None:
    with open_as("viewer") as seen:
        seen.open("recommendations")
        seen.sees("for analysts and operators")
        expect(seen.page.get_by_label("User")).to_have_count(0)
        expect(seen.page.get_by_role("button", name="Start", exact=True)).to_have_count(0)
        assert seen.errors == []


def stop_what_runs(lived: Lived) -> None:
    """One at a time may: a home that was used before may have one."""
    with httpx.Client(base_url=lived.serving, headers=lived.headers(Role.OPERATOR), timeout=20) as operator:
        found = operator.get("/experiments", params={"model": "movie_recommender"}).raise_for_status().json()["experiments"]
        for one in (one for one in found if one["status"] == "running"):
            operator.post(f"/experiments/{one['name']}/stop", json={"reason": "makes room for a test"}).raise_for_status()


def test_an_operator_starts_and_stops_an_experiment_and_says_why(open_as, movies: Lived) -> None:
    name = f"try-{uuid4().hex[:6]}"
    stop_what_runs(movies)
    with open_as("admin") as seen:
        page = seen.page
        seen.open("recommendations")
        page.get_by_role("tab", name="Experiments").click()
        page.get_by_text("Start an experiment").click()
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Reason (recorded)").fill("does variety help?")
        page.get_by_role("button", name="Start", exact=True).click()
        seen.sees(name)
        expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
        seen.picture(movies.pictures, "experiment-running")
        page.get_by_role("button", name="Stop", exact=True).click()
        page.get_by_label("Reason (recorded)").fill("only a try")
        page.get_by_role("button", name="Stop now").click()
        expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
        expect(page.get_by_text("Start an experiment")).to_be_visible()
        assert seen.errors == []
    [(status, who, why)] = movies.ask("SELECT status, ended_by, end_reason FROM experiments WHERE name = %s", name)
    assert (status, who, why) == ("stopped", "api:admin", "only a try")

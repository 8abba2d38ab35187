"""The admin page in a real browser: who sees it, a letter sent back, the switch turned, an account made."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest
from confluent_kafka import Producer
from playwright.sync_api import expect

from evergreen.core.access import Role
from tests.support.worker_processes import until

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1500)]
HOSTILE = "<img src=x onerror=alert(1)>"


def asked(lived, path: str) -> httpx.Response:
    return httpx.get(f"{lived.serving}{path}", headers=lived.headers(Role.OPERATOR), timeout=20)


def waiting(lived) -> list[str]:
    return [one["id"] for one in asked(lived, "/dead-letters?waiting=true").json()["letters"]]


def test_only_operators_have_the_page(open_as) -> None:
    for name, there in (("viewer", 0), ("analyst", 0), ("admin", 1)):
        with open_as(name) as seen:
            expect(seen.page.get_by_role("link", name="Admin")).to_have_count(there)
            assert seen.errors == []


def test_a_dead_letter_is_looked_at_and_sent_back_with_a_reason(open_as, lived) -> None:
    before = set(waiting(lived))
    producer = Producer({"bootstrap.servers": lived.settings.kafka.bootstrap_servers})
    producer.produce("data.ingested", value=f'{{"id": "{uuid4()}", "x": "{HOSTILE}"'.encode(), key=b"k")
    assert producer.flush(10) == 0
    until(lambda: len(set(waiting(lived)) - before) == 1, 30)
    [letter] = set(waiting(lived)) - before
    with open_as("admin") as seen:
        seen.open("/admin")
        seen.page.get_by_role("combobox", name="Letter to look at").click()
        seen.page.get_by_role("option", name=letter).click()
        seen.sees("Where it stood")
        seen.sees(HOSTILE)
        form = seen.page.get_by_test_id("stForm").filter(has_text="Repair (optional)")
        form.get_by_label("Reason", exact=True).fill("to see what becomes of it")
        form.get_by_role("button", name="Send it back").click()
        seen.sees("Sent back: 1")
        seen.picture(lived.pictures, "admin-letters")
        assert seen.errors == []
    [(who, reason)] = lived.ask("SELECT who, reason FROM redriven WHERE letter_id = %s", letter)
    assert (who, reason) == ("api:admin", "to see what becomes of it")
    until(lambda: len(set(waiting(lived)) - before) == 1, 30)  # still no JSON: it is put aside again, as another letter
    assert letter not in waiting(lived)


def test_the_policy_is_paused_and_resumed_with_a_reason(open_as, lived) -> None:
    with open_as("admin", language="ko") as seen:
        seen.open("/admin")
        for press, paused in (("정책 일시 중지", True), ("정책 재개", False)):
            seen.page.get_by_role("button", name=press).first.click()
            popover = seen.page.get_by_test_id("stPopoverBody")
            popover.get_by_role("textbox").fill(f"시험 {HOSTILE}")
            popover.get_by_role("button", name=press).click()
            seen.sees("정책 일시 중지됨" if paused else "정책 동작 중")
            said = asked(lived, "/policy/pause").json()
            assert (said["paused"], said["who"], said["reason"]) == (paused, "api:admin", f"시험 {HOSTILE}")
        seen.picture(lived.pictures, "admin-pause-ko")
        assert seen.errors == []


def test_an_account_is_made_signs_in_and_is_disabled(open_as, lived) -> None:
    name = f"guest-{uuid4().hex[:6]}"
    with open_as("admin") as seen:
        seen.open("/admin")
        seen.page.get_by_role("tab", name="Accounts and tokens").click()
        form = seen.page.get_by_test_id("stForm").filter(has=seen.page.get_by_role("button", name="Add"))
        form.get_by_label("Name").fill(name)
        form.get_by_role("combobox", name="Roles").click()
        seen.page.get_by_role("option", name="viewer").click()
        seen.page.keyboard.press("Escape")  # the list stays open, and hides the rest from whoever goes by roles
        form.get_by_label("Reason", exact=True).fill("a guest")
        form.get_by_role("button", name="Add").click()
        seen.sees("The new password")
        secret = seen.page.get_by_test_id("stCode").first.inner_text().strip()
        asking = {"grant_type": "password", "username": name, "password": secret}
        assert httpx.post(f"{lived.serving}/auth/token", data=asking).json()["scope"] == "viewer"
        form = seen.page.get_by_test_id("stForm").filter(has=seen.page.get_by_role("button", name="Do it"))
        form.get_by_role("combobox", name="Account").click()
        seen.page.get_by_role("option", name=name).click()
        form.get_by_role("combobox", name="What to do").click()
        seen.page.get_by_role("option", name="Disable").click()
        form.get_by_label("Reason", exact=True).fill("gone again")
        form.get_by_role("button", name="Do it").click()
        until(lambda: httpx.post(f"{lived.serving}/auth/token", data=asking).status_code == 401, 20)
        expect(seen.text(secret)).to_have_count(0)
        assert seen.errors == []
    changes = asked(lived, "/accounts").json()["changes"]
    assert [(one["what"], one["reason"]) for one in changes if one["subject"] == name] == [("disabled", "gone again"), ("added", "a guest")]

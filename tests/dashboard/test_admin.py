"""The admin page: every act asks for a reason and goes to the API with it; a secret is shown once; letters are text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.pages import PAGES
from dashboard.pages.admin import page
from evergreen.core.access import Need
from tests.support.dashboard_stub import Stub, calls, shown

HOSTILE = "<img src=x onerror=alert(1)> [x](javascript:alert(1))"
AT = "2026-03-01T12:00:00+00:00"
LETTER = {
    "id": "letter-1",
    "reason": "bad_json",
    "detail": HOSTILE,
    "source_topic": "data.ingested",
    "source_partition": "0",
    "source_offset": "7",
    "attempts": "1",
    "at": AT,
    "size": 12,
    "redriven_at": None,
}
WHOLE = LETTER | {"key": HOSTILE, "headers": [["trace", HOSTILE]], "value": HOSTILE, "cut": True}
ACCOUNTS: dict[str, Any] = {
    "accounts": [{"name": "bob", "kind": "person", "roles": ["viewer"], "disabled_at": None}],
    "changes": [{"what": "added", "subject": "bob", "who": "cli:kim", "reason": HOSTILE, "at": AT}],
}
FREE = {"paused": False, "who": None, "reason": None, "time": None}


def stub(**more: Any) -> Stub:
    told = {
        "GET /policy/pause": FREE,
        "GET /dead-letters": {"letters": [LETTER]},
        "GET /dead-letters/letter-1": WHOLE,
        "GET /accounts": ACCOUNTS,
        "POST /dead-letters/redrive": {"sent": [{"id": "letter-1", "topic": "data.ingested", "changed": False}], "stayed": ["0:1"], "failed": None},
        "POST /accounts": {"name": "eve", "secret": "shown-once-0123"},
        "POST /accounts/secret": {"name": "bob", "secret": "shown-once-4567"},
        "POST /accounts/change": {"done": True},
        "POST /tokens/revoke": {"done": True},
        "POST /policy/pause": FREE | {"paused": True},
    }
    return Stub(told | more)


def press(seen: AppTest, label: str) -> AppTest:
    next(button for button in seen.button if button.label == label).click().run()
    assert not seen.exception
    return seen


def posted(told: Stub) -> list[tuple[str, Any]]:
    return [(request.url.path, json.loads(request.content)) for request in told.asked if request.method == "POST"]


def test_the_page_is_for_operators() -> None:
    assert next(spec for spec in PAGES if spec.name == "admin").need is Need.ACT


@pytest.mark.parametrize("language", ["en", "ko"])
def test_what_others_wrote_stays_text(language: str) -> None:
    told = stub(**{"GET /policy/pause": {"paused": True, "who": HOSTILE, "reason": HOSTILE, "time": AT}})
    seen = shown(page, told, language=language)
    seen.selectbox[0].select("letter-1").run()
    assert [text.value for text in seen.text if HOSTILE in text.value]
    assert [code.value for code in seen.code if HOSTILE in code.value]
    assert not any("onerror" in one.value for one in (*seen.markdown, *seen.caption, *seen.success, *seen.info))


@pytest.mark.parametrize("label", ["Pause the policy", "Send back up to 100", "Do it", "Revoke"])
def test_nothing_is_done_without_a_reason(label: str) -> None:
    told = stub()
    seen = shown(page, told, tab="tab.accounts" if label in {"Do it", "Revoke"} else "tab.letters")
    if label == "Revoke":
        seen.text_input[-2].input("t1")
    press(seen, label)
    assert "reason is needed" in seen.warning[0].value
    assert posted(told) == []


@pytest.mark.parametrize(("tab", "asked"), [("letters", ["/dead-letters"]), ("accounts", ["/accounts"])])
def test_the_open_tab_alone_asks(tab: str, asked: list[str]) -> None:
    told = stub()
    shown(page, told, tab=f"tab.{tab}")
    assert calls(told) == [*asked, "/policy/pause"]


def test_the_switch_is_turned_with_a_reason() -> None:
    told = stub()
    seen = shown(page, told)
    seen.text_input(key="pause_reason_False").input("the source is wrong")
    press(seen, "Pause the policy")
    assert posted(told) == [("/policy/pause", {"paused": True, "reason": "the source is wrong"})]


def test_one_letter_is_looked_at_repaired_and_sent_back() -> None:
    told = stub()
    seen = shown(page, told)
    seen.selectbox[0].select("letter-1").run()
    repair = next(field for field in seen.text_input if field.label == "Repair (optional)")
    seen.text_input(key="why-letter-1").input("mended")
    repair.input("[1]")
    press(seen, "Send it back")
    assert "no JSON object" in seen.warning[0].value
    next(field for field in seen.text_input if field.label == "Repair (optional)").input('{"data.rows": 3}')
    press(seen, "Send it back")
    assert posted(told) == [("/dead-letters/redrive", {"ids": ["letter-1"], "why": "mended", "changes": {"data.rows": 3}})]
    assert "Sent back: 1" in seen.success[0].value


def test_all_of_one_reason_are_sent_back() -> None:
    told = stub()
    seen = shown(page, told)
    next(box for box in seen.selectbox if box.label == "Put aside because of").select("bad_json")
    seen.text_input(key="why-all").input("mended")
    press(seen, "Send back up to 100")
    assert posted(told) == [("/dead-letters/redrive", {"why": "mended", "reason": "bad_json"})]


def test_a_new_secret_is_shown_once() -> None:
    told = stub()
    seen = shown(page, told, tab="tab.accounts")
    seen.text_input(key="why-change").input("forgotten")
    press(seen, "Do it")
    assert posted(told) == [("/accounts/secret", {"name": "bob", "reason": "forgotten"})]
    assert "shown-once-4567" in [code.value for code in seen.code]
    seen.run()
    assert "shown-once-4567" not in [code.value for code in seen.code]


def test_revoked_tokens_are_listed_with_who_and_when() -> None:
    revoked = [{"what": what, "subject": HOSTILE, "who": "cli:kim", "reason": "lost", "at": AT} for what in ("token_revoked", "tokens_revoked")]
    told = stub(**{"GET /accounts": {**ACCOUNTS, "changes": [*revoked, *ACCOUNTS["changes"]]}})
    seen = shown(page, told, tab="tab.accounts")
    [listed] = [table.value for table in seen.dataframe if len(table.value) == len(revoked)]
    assert [(row["subject"], row["who"], row["reason"]) for row in listed.to_dict("records")] == [(HOSTILE, "cli:kim", "lost")] * 2
    assert any("No token was revoked lately" in one.value for one in shown(page, stub(), tab="tab.accounts").markdown)


def test_an_account_is_added_with_its_roles() -> None:
    told = stub()
    seen = shown(page, told, tab="tab.accounts")
    press(seen, "Add")
    assert "A name and at least one role" in seen.warning[0].value
    next(field for field in seen.text_input if field.label == "Name").input(" eve ")
    seen.multiselect[0].select("viewer")
    seen.text_input(key="why-add").input("new here")
    press(seen, "Add")
    assert posted(told) == [("/accounts", {"name": "eve", "kind": "person", "roles": ["viewer"], "reason": "new here"})]


@pytest.mark.parametrize(("answer", "same"), [(503, True), (422, False)])
def test_pressed_again_it_is_the_same_request_until_there_was_an_answer(answer: int, same: bool) -> None:
    told = stub(**{"POST /accounts/secret": answer})
    seen = shown(page, told, tab="tab.accounts")
    seen.text_input(key="why-change").input("forgotten")
    press(press(seen, "Do it"), "Do it")
    told.answers["POST /accounts/secret"] = {"name": "bob", "secret": "shown-once-4567"}
    press(press(seen, "Do it"), "Do it")
    keys = [request.headers["idempotency-key"] for request in told.asked if request.method == "POST"]
    assert (len(keys), keys[0] == keys[1] == keys[2], keys[3] in keys[:3]) == (4, same, False)


def test_what_the_api_refuses_is_said() -> None:
    told = stub(**{"POST /accounts/secret": 422})
    seen = shown(page, told, tab="tab.accounts")
    seen.text_input(key="why-change").input("forgotten")
    press(seen, "Do it")
    assert "status 422" in seen.error[0].value


def test_without_letters_it_says_so() -> None:
    seen = shown(page, stub(**{"GET /dead-letters": {"letters": []}}))
    assert any("No dead letter waits" in one.value for one in seen.markdown)

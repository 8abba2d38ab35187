"""The page of a retrain: whole, standing alone, and unmoved by what others wrote."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from evergreen.contracts.events import GateResult
from evergreen.core.retrain_report import Comparison, RetrainReport, page

REPORT = RetrainReport(
    version="video_performance@3",
    verdict="refused by segments",
    approved=False,
    fate="Not promoted.",
    why=(("cause", "data_drift_high"), ("data_drift_detected", "0198-abc")),
    data=(("trained on", "812 rows of 2025-07-24 … 2025-08-10"),),
    changes=(("inputs", "drift score 0.71 over 110 rows"), ("age_hours", "distance 0.52, lower: median 61 -> 16")),
    metric="mae_log10_views",
    comparison=Comparison("video_performance@2", 0.214, 0.31, -0.31, -0.42, -0.18),
    segments=(("10", -0.21), ("24", 0.19)),
    gates=(GateResult(name="rows", passed=True, detail="110 labelled rows"), GateResult(name="segments", passed=False, detail="24 worse by 19.0%")),
    cost=(("training", "1.4 s"),),
    served=(("promote", "confirmed", "2025-08-11 00:30", "", "approved"),),
)
_VOID = {"meta", "line", "circle"}


class Read(HTMLParser):
    """Every tag is closed, in order."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._open: list[str] = []
        self.feed(body.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_it_holds_cause_change_data_interval_segments_gates_cost_and_verdict() -> None:
    text = Read(page(REPORT)).text
    for words in (
        *("video_performance@3: refused by segments", "Not promoted.", "data_drift_high", "0198-abc", "812 rows of 2025-07-24", "drift score 0.71"),
        *("age_hours distance 0.52, lower: median 61 -> 16", "0.2140 against 0.3100 of video_performance@2", "-42.0% to -18.0%", "10 -21.0%", "24 +19.0%"),
        *("segments failed 24 worse by 19.0%", "training 1.4 s", "promote confirmed 2025-08-11 00:30"),
    ):
        assert words in text, words


def test_it_stands_alone_and_equal_facts_make_equal_bytes() -> None:
    body = page(REPORT)
    read = Read(body)
    assert body == page(REPORT)
    assert not {"script", "link", "img", "iframe", "object", "a"} & set(read.tags)
    assert not [name for name, _ in read.attributes if name in {"src", "href"} or name.startswith("on")]
    assert b"http" not in body
    assert b"@import" not in body
    assert b"url(" not in body


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("<script>alert(1)</script>", id="script"),
        pytest.param("</td></tr></table><img src=x onerror=alert(1)>", id="closes-the-table"),
        pytest.param('" onmouseover="alert(1)', id="leaves-an-attribute"),
        pytest.param("<!-- <style>body{display:none}</style>", id="comment"),
        pytest.param("&lt;script&gt; 새벽 🎬 ' OR 1=1", id="entities-and-korean"),
        pytest.param("\u202egnihtemos\x00\x1b[31m", id="turned-round-and-control"),
    ],
)
def test_what_others_wrote_stays_text(words: str) -> None:
    hostile = replace(
        REPORT,
        version=words,
        verdict=words,
        fate=words,
        why=((words, words),),
        changes=((words, words),),
        segments=((words, 0.1),),
        gates=(GateResult(name=words, passed=False, detail=words),),
        served=((words,) * 5,),
        metric=words,
    )
    read = Read(page(hostile))
    assert sorted(set(read.tags)) == sorted(set(Read(page(REPORT)).tags))
    assert {name for name, _ in read.attributes} == {name for name, _ in Read(page(REPORT)).attributes}
    shown = words.replace("\u202e", "�").replace("\x00", "�").replace("\x1b", "�")
    assert read.text.count(" ".join(shown.split())) >= 10
    assert "\u202e" not in read.text


def test_a_version_nobody_judged_or_served_says_so() -> None:
    bare = replace(REPORT, verdict="not judged yet", approved=None, changes=(), comparison=None, segments=(), gates=(), served=())
    text = Read(page(bare)).text
    for words in ("Nothing is recorded as changed.", "Not compared.", "None had enough rows.", "Not judged yet.", "Never."):
        assert words in text


@pytest.mark.parametrize("low", [float("-inf"), -1e300, 0.0, 0.4])
def test_any_interval_can_be_drawn(low: float) -> None:
    Read(page(replace(REPORT, comparison=Comparison("median", 0.1, 0.1, low, low, 0.5))))

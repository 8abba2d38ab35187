"""What the simulator's days are drawn from: the mix of a list, and how its views come about, in each kind of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Regime:
    """One kind of time. Shares need not sum to 1; levels are log10 of the views a video is first listed with."""

    name: str
    pool: str
    """Channels come from the pool of this name: after a break most are new."""
    categories: Mapping[int, float]
    levels: Mapping[int, float]
    channel_spread: float
    noise: float
    new_per_day: float
    days_before: tuple[float, ...]
    """Shares of videos published 1, 2, 3, … days before they are first listed."""
    evening_lift: float
    """log10 gained by publishing in the evening."""
    hours: tuple[int, int]
    """Mean and spread of the local publish hour."""
    tags: float
    """Mean number; of the description its mean length."""
    description: float
    breadth: float
    """How many places down a category's channels a video typically comes from."""


CALM = Regime(
    name="calm",
    pool="trending",
    categories={24: 0.29, 22: 0.16, 10: 0.12, 17: 0.10, 25: 0.09, 1: 0.07, 23: 0.06, 20: 0.04, 26: 0.04, 28: 0.03},
    levels={10: 5.85, 20: 5.70, 24: 5.65, 17: 5.50, 25: 5.45},
    channel_spread=0.32,
    noise=0.20,
    new_per_day=16.0,
    days_before=(0.25, 0.40, 0.20, 0.10, 0.05),
    evening_lift=0.10,
    hours=(18, 3),
    tags=14.0,
    description=420.0,
    breadth=2.0,
)
CHARTS = replace(
    CALM,
    name="charts",
    pool="charts",
    categories={20: 0.46, 10: 0.44, 24: 0.04, 1: 0.03, 22: 0.03},
    levels={20: 5.00, 10: 4.90, 24: 5.10},
    channel_spread=0.40,
    noise=0.19,
    new_per_day=28.0,
    days_before=(0.90, 0.08, 0.02),
    evening_lift=-0.05,
    hours=(15, 5),
    tags=22.0,
    description=650.0,
    breadth=12.0,
)
"""After a break like the one of 2025-07-24: the list shows the music and gaming charts, younger videos with fewer views, mostly other channels."""

OTHER_LEVEL = 5.45


def season_of(regime: Regime) -> Regime:
    """The same world in a holiday week: more music and film, a few more views; the week after it is over."""
    shares = {**regime.categories}
    shares[10] = shares.get(10, 0.0) * 1.6 + 0.05
    shares[1] = shares.get(1, 0.0) * 1.6 + 0.03
    return replace(regime, name=f"{regime.name}, season", categories=shares, levels={name: level + 0.08 for name, level in regime.levels.items()})


WORDS: Mapping[str, tuple[str, ...]] = {
    "KR": (
        "오늘",
        "드디어",
        "공개",
        "여행",
        "먹방",
        "레전드",
        "하이라이트",
        "무대",
        "직캠",
        "신곡",
        "도전",
        "리뷰",
        "챌린지",
        "브이로그",
        "역대급",
        "비하인드",
    ),
    "JP": (
        "今日",
        "ついに",
        "公開",
        "旅行",
        "ライブ",
        "最強",
        "ハイライト",
        "新曲",
        "挑戦",
        "レビュー",
        "チャレンジ",
        "まとめ",
        "神回",
        "裏側",
        "対決",
        "歌ってみた",
    ),
    "*": ("today", "finally", "revealed", "travel", "live", "legend", "highlights", "stage", "new", "song", "challenge", "review", "the", "best", "of", "day"),
}
MARKS = ("", "", "", "!", "?!", "…", " | EP.{n}", " #{n}", " ({n})")
LATIN = {10: (" Official MV", " MV Teaser", " Live Clip"), 20: (" Ranked", " Update v{n}", " Speedrun"), 17: (" Highlights",)}
LANGUAGES = {"KR": "ko", "JP": "ja"}

"""Days of a trending list for those without data: seeded, in the batch schema, with the same story as the real ones.

Guarantee: equal arguments give equal rows, and a later `end` only adds days. Videos stay listed for days, their counts grow, channels come back;
within one regime nothing drifts, at `break_on` the world changes as Korea's list did on 2025-07-24.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from evergreen.domains.videos.coerce import coerce_batch
from evergreen.domains.videos.names import zone_of
from evergreen.domains.videos.regimes import CALM, CHARTS, LANGUAGES, LATIN, MARKS, OTHER_LEVEL, WORDS, Regime, season_of

LIST_LENGTH = 50
_BURN_IN_DAYS = 12
_CHANNELS = 320
_ALPHABET = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))


@dataclass(frozen=True)
class Incident:
    """A bad batch: `counts_lost` (nulls in `share` of the rows), `empty_day` (no list), `duplicates` and `broken_rows` (text for counts, no id)."""

    day: date
    kind: Literal["counts_lost", "empty_day", "duplicates", "broken_rows"] = "counts_lost"
    share: float = 0.5


@dataclass(frozen=True)
class Season:
    first_day: date
    last_day: date


@dataclass
class _Channel:
    channel_id: str
    title: str
    quality: float
    category: int


@dataclass
class _Video:
    facts: dict[str, Any]
    first_views: float
    growth: float
    like_share: float | None
    comment_share: float | None
    days_left: int
    days_listed: int = 0


def simulate(
    start: date,
    end: date,
    seed: int = 0,
    *,
    region: str = "KR",
    break_on: date | None = None,
    seasons: Sequence[Season] = (),
    incidents: Sequence[Incident] = (),
) -> pd.DataFrame:
    """Lists of `start`…`end`, both ends inclusive, about 50 rows a day, ordered by day and rank."""
    if end < start:
        raise ValueError(f"a simulation ends on or after its start, not {start} to {end}")
    world = _World(np.random.default_rng(seed), region)
    rows: list[dict[str, Any]] = []
    for offset in range(-_BURN_IN_DAYS, (end - start).days + 1):
        day = start + timedelta(days=offset)
        regime = CHARTS if break_on is not None and day >= break_on else CALM
        if any(season.first_day <= day <= season.last_day for season in seasons):
            regime = season_of(regime)
        listed = world.list_of(day, regime)
        if offset >= 0:
            rows.extend(_spoil(listed, [incident for incident in incidents if incident.day == day], day, seed))
    return coerce_batch(pd.DataFrame(rows))


@dataclass
class _World:
    rng: np.random.Generator
    region: str
    listed: list[_Video] = field(default_factory=list)
    pools: dict[str, list[_Channel]] = field(default_factory=dict)

    def list_of(self, day: date, regime: Regime) -> list[dict[str, Any]]:
        kept = [video for video in self.listed if video.days_left > 0]
        newcomers = max(LIST_LENGTH - len(kept), 0)
        self.listed = kept + [self._new_video(day, regime) for _ in range(newcomers)]
        noise = self.rng.normal(0.0, 0.3, len(self.listed))
        rows = [self._row(video) for video in self.listed]
        order = np.argsort([-np.log10(max(row["view_count"], 1)) + wobble for row, wobble in zip(rows, noise, strict=True)], kind="stable")
        for video in self.listed:
            video.days_left -= 1
            video.days_listed += 1
        return [{"region": self.region, "list_date": day.isoformat(), "rank": rank + 1, **rows[at]} for rank, at in enumerate(order.tolist())]

    def _new_video(self, day: date, regime: Regime) -> _Video:
        rng = self.rng
        channel = self._channel(regime)
        published = self._published(day, regime)
        local_hour = published.astimezone(ZoneInfo(zone_of(self.region))).hour
        level = regime.levels.get(channel.category, OTHER_LEVEL) + channel.quality + (regime.evening_lift if 17 <= local_hour <= 21 else 0.0)
        facts = {
            "video_id": self._id(11),
            "title": self._title(channel.category),
            "channel_id": channel.channel_id,
            "channel_title": channel.title,
            "category_id": channel.category,
            "published_at": published.isoformat(),
            "default_language": LANGUAGES.get(self.region, "en") if rng.random() > 0.08 else None,
            "tag_count": int(min(rng.gamma(1.0, regime.tags), 100)),
            "description_length": int(min(rng.gamma(1.2, regime.description / 1.2), 5000)),
            "is_live": False,
        }
        return _Video(
            facts=facts,
            first_views=10 ** (level + rng.normal(0.0, regime.noise)),
            growth=rng.lognormal(-0.9, 0.6),
            like_share=None if rng.random() < 0.02 else min(rng.lognormal(-4.0, 0.7), 0.4),
            comment_share=None if rng.random() < 0.005 else min(rng.lognormal(-6.0, 0.8), 0.1),
            days_left=int(rng.geometric(min(regime.new_per_day / LIST_LENGTH, 1.0))),
        )

    def _channel(self, regime: Regime) -> _Channel:
        """Few channels fill much of a list: a channel's chance falls with its place in the pool."""
        pool = self.pools.setdefault(regime.pool, [])
        categories = list(regime.categories)
        shares = np.array([regime.categories[name] for name in categories])
        category = int(self.rng.choice(categories, p=shares / shares.sum()))
        own = [channel for channel in pool if channel.category == category]
        place = int(self.rng.pareto(0.9) * regime.breadth)
        if place < len(own):
            return own[place]
        channel = _Channel("UC" + self._id(22), f"{self._words(1)} {self._id(4)}", float(self.rng.normal(0.0, regime.channel_spread)), category)
        if len(pool) < _CHANNELS:
            pool.append(channel)
        return channel

    def _published(self, day: date, regime: Regime) -> datetime:
        shares = np.array(regime.days_before)
        before = 1 + int(self.rng.choice(len(shares), p=shares / shares.sum()))
        mean, spread = regime.hours
        hour = int(self.rng.normal(mean, spread)) % 24
        minute = int(self.rng.integers(60))
        local = datetime.combine(day - timedelta(days=before), time(hour, minute), ZoneInfo(zone_of(self.region)))
        return local.astimezone(UTC)

    def _title(self, category: int) -> str:
        number = str(int(self.rng.integers(1, 400)))
        latin = LATIN.get(category, ("",))
        tail = latin[int(self.rng.integers(len(latin)))] if self.rng.random() < 0.5 else ""
        mark = MARKS[int(self.rng.integers(len(MARKS)))]
        return (self._words(2 + int(self.rng.poisson(3.0))) + tail + mark).replace("{n}", number)[:100]

    def _words(self, count: int) -> str:
        words = WORDS.get(self.region, WORDS["*"])
        return " ".join(words[at] for at in self.rng.integers(len(words), size=count).tolist())

    def _id(self, length: int) -> str:
        return "".join(_ALPHABET[self.rng.integers(len(_ALPHABET), size=length)])

    def _row(self, video: _Video) -> dict[str, Any]:
        views = round(video.first_views * (1.0 + video.growth * (1.0 - 0.5**video.days_listed) * 2.0))
        likes = None if video.like_share is None else round(views * video.like_share)
        comments = None if video.comment_share is None else round(views * video.comment_share)
        return {**video.facts, "view_count": views, "like_count": likes, "comment_count": comments}


def _spoil(rows: list[dict[str, Any]], incidents: Sequence[Incident], day: date, seed: int) -> Iterator[dict[str, Any]]:
    """From its own generator: an incident changes its day and no other."""
    rng = np.random.default_rng([seed, day.toordinal()])
    if any(incident.kind == "empty_day" for incident in incidents):
        return
    spoilt = [dict(row) for row in rows]
    for incident in incidents:
        hit = [row for row in spoilt if rng.random() < incident.share]
        if incident.kind == "duplicates":
            spoilt.extend(dict(row) for row in hit)
            continue
        for row in hit:
            lost = dict.fromkeys(("view_count", "like_count", "comment_count"))
            row.update(lost if incident.kind == "counts_lost" else {"view_count": "n/a", "video_id": None if rng.random() < 0.5 else row["video_id"]})
    yield from spoilt

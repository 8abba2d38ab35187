"""Search in Postgres: the real total, and a page by key and never by offset.

Guarantee: a page starts after the last row of the one before, whatever was written in between; nothing is seen twice or left out. Totals
of frequent keywords come from counts that are written with the rows (migration 0007), so they cost the same as those of rare ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evergreen.adapters import search_sql as sql
from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.cursors import read_cursor, read_number, write_cursor
from evergreen.core.keywords import contains_pattern
from evergreen.ports.catalogue import FoundVideos, Video


@dataclass(frozen=True)
class _Place:
    """The row a page starts after."""

    rank: int
    video_id: str


class PostgresSearch:
    def __init__(self, postgres: AsyncPostgres) -> None:
        self._postgres = postgres

    async def by_keyword(self, keyword: str, limit: int, cursor: str | None) -> FoundVideos:
        place, wanted = _place(cursor), limit + 1
        [known] = await self._postgres.fetch(sql.NEEDLE, keyword)
        terms = await self._terms(known["needle"], known["exact"])
        if terms is None:
            return await self._by_pattern(known["needle"], limit, place)
        most = sum(terms.values())
        if sql.walks(wanted, known["videos"], most):
            total = await self._total(terms)
            far = sql.enough(wanted, known["videos"], total)
            rows = await self._postgres.fetch(sql.WALK, contains_pattern(known["needle"]), place.rank, place.video_id, wanted, far)
            if len(rows) == wanted:
                return _page(rows, limit, total)
        return await self._with(sql.WITH_TERMS, list(terms), limit, place) if most else FoundVideos([], 0, None)

    async def by_channel(self, channel: str, limit: int, cursor: str | None) -> FoundVideos:
        place = _place(cursor)
        [known] = await self._postgres.fetch(sql.NEEDLE, channel)
        like = contains_pattern(known["needle"])
        named = await self._postgres.fetch(sql.CHANNELS, like, sql.MOST_CHANNELS + 1)
        [of_id] = await self._postgres.fetch(sql.COUNT_OF_ID, channel, like)
        total = int((named[0]["videos"] if named else 0) + of_id["videos"])
        if not total:
            return FoundVideos([], 0, None)
        if len(named) <= sql.MOST_CHANNELS:
            rows: Sequence[Video] = await self._postgres.fetch(sql.OF_CHANNELS, channel, [row["title"] for row in named], place.rank, place.video_id, limit + 1)
        else:
            rows = await self._rows_of_many(channel, like, (place.rank, place.video_id, limit + 1), sql.enough(limit + 1, known["videos"], total))
        return _page(rows, limit, total)

    async def _rows_of_many(self, channel: str, like: str, at: tuple[int, str, int], far: int) -> Sequence[Video]:
        found = await self._postgres.fetch(sql.WALK_CHANNELS, channel, like, *at, far)
        return found if len(found) == at[-1] else await self._postgres.fetch(sql.OF_MANY_CHANNELS, channel, like, *at)

    async def _terms(self, needle: str, exact: int) -> dict[str, int] | None:
        """Any of these in a text is a match, with how many have each, the most frequent first. None: the keyword is none for terms."""
        if " " in needle or len(needle) > sql.LONGEST_TERM:
            return None
        if len(needle) <= sql.SHORTEST_WORD:
            return {needle: exact}
        found = await self._postgres.fetch(sql.ENDING, needle, sql.MOST_TERMS + 1)
        return None if len(found) > sql.MOST_TERMS else {row["term"]: row["videos"] for row in found}

    async def _total(self, terms: Mapping[str, int]) -> int:
        first, *others = terms
        if not others:
            return terms[first]
        [also] = await self._postgres.fetch(sql.ALSO, first, others)
        return int(terms[first] + also["videos"])

    async def _by_pattern(self, needle: str, limit: int, place: _Place) -> FoundVideos:
        if sql.has_trigram(needle):
            return await self._with(sql.WITH_PATTERN, contains_pattern(needle), limit, place)
        return await self._with(sql.WITH_PIECES, contains_pattern(needle), limit, place, sql.short_terms(needle))

    async def _with(self, query: str, what: object, limit: int, place: _Place, *more: object) -> FoundVideos:
        rows = await self._postgres.fetch(query, what, place.rank, place.video_id, limit + 1, *more)
        return _page([row for row in rows if row["video_id"] is not None], limit, rows[0]["matches"])


def _place(cursor: str | None) -> _Place:
    if cursor is None:
        return _Place(sql.FIRST_RANK, "")
    rank, video_id = read_cursor(cursor, 2)
    return _Place(read_number(rank), video_id)


def _page(rows: Sequence[Video], limit: int, total: int) -> FoundVideos:
    page = rows[:limit]
    if len(rows) <= limit:
        return FoundVideos(page, total, None)
    last, views = page[-1], page[-1]["view_count"]
    return FoundVideos(page, total, write_cursor(str(1 if views is None else -views), last["video_id"]))

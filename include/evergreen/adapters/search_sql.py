r"""How a keyword is looked for: what it costs to count and to fetch, and the statements that do.

Migration 0007 explains the terms of a text. A keyword of one or two characters is a term; a longer one without spaces and of at most
LONGEST_TERM characters is in a text exactly when one of the text's terms ends with it. Phrases and longer ones go by the trigram index.
No statement leaves the planner a choice that a bound value, which it may not know, could make wrong."""

from __future__ import annotations

LONGEST_TERM = 16
SHORTEST_WORD = 2
"""Up to so many characters a keyword is itself a term."""
MOST_TERMS = 200
"""Terms that end with the keyword, before the trigram index is the better way."""
RANK = "(-coalesce(view_count, -1))"
"""Ascends from most views to least, then to unknown."""
FIRST_RANK = -(2**63)
COLUMNS = (
    "video_id, title, channel_id, channel_title, category_id, published_at, duration, view_count, like_count, comment_count, region, first_seen, last_seen"
)
_ORDER = f"ORDER BY {RANK}, video_id"

NEEDLE = """
SELECT lower($1::text) AS needle, coalesce((SELECT videos FROM video_terms WHERE term = ''), 0) AS videos,
       coalesce((SELECT videos FROM video_terms WHERE term = lower($1::text)), 0) AS exact
"""
"""As the database lowers it, how many videos there are, and how many have it as a term."""
ENDING = """
SELECT term, videos FROM video_terms
WHERE reverse(term) >= reverse($1::text) AND reverse(term) < reverse($1::text) || U&'\\+10FFFF' AND videos > 0
ORDER BY videos DESC, term LIMIT $2
"""
ALSO = """
SELECT (SELECT count(*) FROM videos WHERE search_terms(search_text) && $2::text[])
     - (SELECT count(*) FROM videos WHERE search_terms(search_text) && $2::text[] AND search_terms(search_text) @> ARRAY[$1::text]) AS videos
"""
"""Videos with any of the other terms and without the first."""
_PAGE = f"""
WITH found AS MATERIALIZED ({{found}}), page AS MATERIALIZED (
    SELECT video_id FROM found WHERE ({RANK}, video_id) > ($2::bigint, $3::text) {_ORDER} LIMIT $4
)
SELECT counted.matches, listed.*
FROM (SELECT count(*) AS matches FROM found) AS counted
LEFT JOIN (
    SELECT video.* FROM page, LATERAL (SELECT {COLUMNS} FROM videos WHERE videos.video_id = page.video_id OFFSET 0) AS video
) AS listed ON true
{_ORDER}
"""
"""Every match is fetched once, for its place; only the page's rows whole. One row without a video says that the page is empty."""
WITH_TERMS = _PAGE.format(found="SELECT video_id, view_count FROM videos WHERE search_terms(search_text) && $1::text[]")
WITH_PATTERN = _PAGE.format(found="SELECT video_id, view_count FROM videos WHERE search_text LIKE $1")
WITH_PIECES = _PAGE.format(
    found="""SELECT video_id, view_count FROM (
        SELECT video_id, view_count, search_text FROM videos WHERE search_terms(search_text) @> $5::text[] OFFSET 0
    ) AS candidates WHERE search_text LIKE $1"""
)
"""Pieces too short for trigrams."""
WALK = f"""
SELECT * FROM (
    SELECT {COLUMNS}, search_text FROM videos WHERE ({RANK}, video_id) > ($2::bigint, $3::text) {_ORDER} LIMIT $5
) AS walked
WHERE search_text LIKE $1 {_ORDER} LIMIT $4
"""
"""From the most viewed on, as far as $5 rows: where many match it soon has a page."""

CHANNELS = "SELECT title, sum(videos) OVER () AS videos FROM video_channels WHERE title LIKE $1 AND videos > 0 ORDER BY title LIMIT $2"
"""Their names, and on each row how many videos all of them have."""
MOST_CHANNELS = 500
COUNT_OF_ID = "SELECT count(*) AS videos FROM videos WHERE channel_id = $1 AND (channel_title IS NULL OR lower(channel_title) NOT LIKE $2)"
_AFTER = f"({RANK}, video_id) > ($3::bigint, $4::text) {_ORDER} LIMIT $5"
OF_CHANNELS = f"""
WITH found AS MATERIALIZED (
    SELECT * FROM (SELECT {COLUMNS} FROM videos WHERE channel_id = $1 AND {_AFTER}) AS of_id
    UNION
    SELECT of_title.* FROM unnest($2::text[]) AS wanted (name),
        LATERAL (SELECT {COLUMNS} FROM videos WHERE lower(channel_title) = wanted.name AND {_AFTER}) AS of_title
)
SELECT * FROM found {_ORDER} LIMIT $5
"""
"""The first of each channel, then of all: a few rows however many a channel has."""
_OF_MANY = "(channel_id = $1 OR lower(channel_title) LIKE $2)"
WALK_CHANNELS = f"""
SELECT * FROM (
    SELECT {COLUMNS} FROM videos WHERE ({RANK}, video_id) > ($3::bigint, $4::text) {_ORDER} LIMIT $6
) AS walked
WHERE {_OF_MANY} {_ORDER} LIMIT $5
"""
OF_MANY_CHANNELS = f"""
WITH found AS MATERIALIZED (SELECT {COLUMNS} FROM videos WHERE {_OF_MANY})
SELECT * FROM found WHERE {_AFTER}
"""


def pieces(needle: str) -> list[str]:
    """The words of a phrase."""
    return [piece for piece in needle.split(" ") if piece]


def short_terms(needle: str) -> list[str]:
    """Terms every text with the needle has: characters and pairs within its words."""
    terms = {piece[at : at + size] for piece in pieces(needle) for size in (1, 2) for at in range(len(piece) - size + 1)}
    pairs = {term for term in terms if len(term) == 2}
    return sorted(pairs | {piece for piece in pieces(needle) if len(piece) == 1})


def has_trigram(needle: str) -> bool:
    """Letters and digits three in a row: what the trigram index can be asked for."""
    run = 0
    for character in needle:
        run = run + 1 if character.isalnum() else 0
        if run == 3:
            return True
    return False


def enough(limit: int, videos: int, total: int) -> int:
    """Rows to walk for a page of videos spread evenly among all, four times over."""
    return 4 * limit * max(videos, total) // max(total, 1) + 100


def walks(limit: int, videos: int, total: int) -> bool:
    """Whether walking down the views costs less than fetching every match."""
    return total > 0 and limit * max(videos, total) // total < total

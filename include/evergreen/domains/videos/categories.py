"""YouTube's video categories by id, as its own pages name them in Korean and English."""

from __future__ import annotations

from collections.abc import Mapping

CATEGORIES: Mapping[int, tuple[str, str]] = {
    1: ("영화/애니메이션", "Film & Animation"),
    2: ("자동차", "Autos & Vehicles"),
    10: ("음악", "Music"),
    15: ("반려동물/동물", "Pets & Animals"),
    17: ("스포츠", "Sports"),
    18: ("단편 영화", "Short Movies"),
    19: ("여행/이벤트", "Travel & Events"),
    20: ("게임", "Gaming"),
    21: ("동영상 블로그", "Videoblogging"),
    22: ("인물/블로그", "People & Blogs"),
    23: ("코미디", "Comedy"),
    24: ("엔터테인먼트", "Entertainment"),
    25: ("뉴스/정치", "News & Politics"),
    26: ("노하우/스타일", "Howto & Style"),
    27: ("교육", "Education"),
    28: ("과학기술", "Science & Technology"),
    29: ("비영리/사회운동", "Nonprofits & Activism"),
    30: ("영화", "Movies"),
    31: ("애니메이션", "Anime/Animation"),
    32: ("액션/모험", "Action/Adventure"),
    33: ("고전 영화", "Classics"),
    34: ("코미디 영화", "Comedy (movies)"),
    35: ("다큐멘터리", "Documentary"),
    36: ("드라마", "Drama"),
    37: ("가족", "Family"),
    38: ("외국 영화", "Foreign"),
    39: ("공포", "Horror"),
    40: ("공상과학/판타지", "Sci-Fi/Fantasy"),
    41: ("스릴러", "Thriller"),
    42: ("단편", "Shorts"),
    43: ("프로그램", "Shows"),
    44: ("예고편", "Trailers"),
}
"""Id -> (Korean, English)."""

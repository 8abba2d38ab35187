"""MovieLens folders of both forms, and what is said of those that are none."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from evergreen.core.errors import DataRejected
from evergreen.domains.movies.dataset import movie_dataset
from evergreen.domains.movies.loaders import load_ratings

RATINGS = "userId,movieId,rating,timestamp\n2,10,4.5,1500000100\n1,10,4.0,1500000000\n1,11,2.5,964982703\n"
MOVIES = 'movieId,title,genres\n10,"American President, The (1995)",Comedy|Drama\n11,Untitled,(no genres listed)\n'


def latest(folder: Path, ratings: str = RATINGS, movies: str = MOVIES) -> Path:
    (folder / "ratings.csv").write_text(ratings)
    (folder / "movies.csv").write_text(movies)
    return folder


def test_the_csv_form(tmp_path: Path) -> None:
    rows = load_ratings(latest(tmp_path))
    assert rows[["user_id", "movie_id", "rating", "title", "genres"]].astype(object).where(rows.notna(), None).to_numpy().tolist() == [
        ["1", "11", "2.5", "Untitled", None],
        ["1", "10", "4.0", "American President, The", "Comedy|Drama"],
        ["2", "10", "4.5", "American President, The", "Comedy|Drama"],
    ]
    assert rows["day"].dt.date.tolist() == [date(2000, 7, 30), date(2017, 7, 14), date(2017, 7, 14)]
    assert rows["year"].tolist()[1:] == [1995.0, 1995.0]


def test_the_form_of_1998(tmp_path: Path) -> None:
    marks = ["0"] * 19
    marks[5] = marks[8] = "1"  # Comedy, Drama
    (tmp_path / "u.item").write_text(f'242|Café "Kolya" (1996)|24-Jan-1997||http://x|{"|".join(marks)}\n', encoding="latin-1")
    (tmp_path / "u.data").write_text("196\t242\t3\t881250949\n")
    (row,) = load_ratings(tmp_path).to_dict("records")
    assert (row["user_id"], row["title"], row["genres"], row["year"], row["day"]) == ("196", 'Café "Kolya"', "Comedy|Drama", 1996.0, pd.Timestamp("1997-12-04"))


def test_rows_that_cannot_be_read_are_kept_last_and_set_aside_with_their_reasons(tmp_path: Path) -> None:
    bad = RATINGS + "1,12,four,1500000001\n1,13,9,1500000002\n,13,4,1500000003\n3,abc,4,1500000004\n3,14,4,yesterday\n4,15,4,1500000005\n"
    rows = load_ratings(latest(tmp_path, bad))
    assert len(rows) == 9
    assert rows["day"].isna().tolist() == [False] * 8 + [True]
    checked = movie_dataset().validate(rows.drop(columns="day"), date(2018, 1, 1))
    assert (len(checked.clean), sorted(checked.quarantined["reason"])) == (
        4,
        [
            "at: missing, or no time between 1900 and 2200",
            "movie_id: not a whole number",
            "rating: missing, or no number",
            "rating: out of range (0.5 to 5)",
            "user_id: missing",
        ],
    )
    unknown = checked.clean[checked.clean["movie_id"] == "15"]
    assert unknown[["title", "genres", "year"]].isna().all(axis=None), "a rating counts though nothing is known of its movie"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(lambda folder: folder / "absent", "no such folder", id="absent"),
        pytest.param(lambda folder: folder, "holds neither ratings.csv nor u.data", id="empty"),
        pytest.param(lambda folder: latest(_made(folder / "ml-latest-small")).parent, "ml-latest-small does", id="one-too-high"),
        pytest.param(lambda folder: _without(latest(folder), "movies.csv"), "holds ratings.csv but no movies.csv", id="no-movies"),
        pytest.param(
            lambda folder: latest(folder, "user,movie\n1,2\n"),
            "ratings.csv: has no column userId, movieId",
            id="columns",
        ),
        pytest.param(lambda folder: latest(folder, RATINGS.splitlines()[0] + "\n"), "ratings.csv: holds no rating", id="no-rows"),
        pytest.param(lambda folder: latest(folder, ""), "ratings.csv: cannot be read", id="nothing"),
        pytest.param(lambda folder: latest(folder, movies="id,name\n1,x\n"), "movies.csv: has no column movieId, title, genres", id="other-movies"),
        pytest.param(lambda folder: latest(folder, RATINGS + "1,2,3,4,5,6\n"), "ratings.csv: cannot be read", id="ragged"),
    ],
)
def test_a_folder_that_is_none_is_named_with_the_cause(make, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataRejected, match=said.replace("(", r"\(")):
        load_ratings(make(tmp_path))


def test_another_encoding_is_said(tmp_path: Path) -> None:
    (latest(tmp_path) / "movies.csv").write_bytes(MOVIES.encode() + "12,Amélie (2001),Comedy\n".encode("latin-1"))
    with pytest.raises(DataRejected, match=r"movies\.csv: is not utf-8"):
        load_ratings(tmp_path)


def test_the_real_ratings(real: Path) -> None:
    rows = load_ratings(real)
    assert (len(rows), rows["user_id"].nunique(), rows["movie_id"].nunique()) == (100_836, 610, 9_724)
    checked = movie_dataset().validate(rows.drop(columns="day"), date(2018, 12, 31))
    assert (len(checked.clean), len(checked.quarantined), checked.findings) == (100_836, 0, ())
    assert checked.clean["year"].notna().mean() > 0.99


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _without(folder: Path, name: str) -> Path:
    (folder / name).unlink()
    return folder

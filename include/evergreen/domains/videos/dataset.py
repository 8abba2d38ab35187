"""The video domain's `Dataset`s: how a trending list of one region is checked, kept, aggregated and shown to serving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from evergreen.domains.videos.names import CHANNEL_ENTITY, ENTITY, FEATURES, GOLD, TIME, channel_key
from evergreen.domains.videos.schema import BATCH_COLUMNS, COUNTS, KEY
from evergreen.ports.dataset import Checked, Dataset, GoldTable, OnlineFeatures

if TYPE_CHECKING:
    import pandas as pd

TABLE = "videos"
_DAYS_LABELS_WAIT = 3
_CATALOGUE = ("video_id", "title", "channel_id", "channel_title", "category_id", "duration", "published_at", *COUNTS, "region")


def dataset_name(region: str) -> str:
    return f"videos.{region}"


def video_dataset(region: str) -> Dataset:
    return Dataset(
        name=dataset_name(region),
        table=TABLE,
        scope={"region": region},
        columns={column.name: column.dtype for column in BATCH_COLUMNS},
        key=KEY,
        day_column=TIME,
        entity_column=ENTITY,
        validate=partial(_validate, region=region),
        gold={
            GOLD: GoldTable(partial(_features, region=region), first_rows=True, looks_ahead=_DAYS_LABELS_WAIT),
            "category_daily": GoldTable(_category_daily),
        },
        online=partial(_online, region=region),
        catalogue=_catalogue,
    )


def _validate(received: pd.DataFrame, last_known: date, region: str) -> Checked:
    from evergreen.contracts.events import QualityFinding
    from evergreen.core.severity import Severity
    from evergreen.domains.videos.quality import REASON, validate

    checked = validate(received, last_known)
    findings = [
        QualityFinding(kind=issue.kind, column=issue.column, count=issue.count, share=min(issue.share, 1.0), detail=issue.detail) for issue in checked.issues
    ]
    severity = max((issue.severity for issue in checked.issues), default=None)
    other = (checked.clean["region"] != region).to_numpy(dtype=bool)
    if not other.any():
        return Checked(checked.clean, checked.quarantined, tuple(findings), severity)
    import pandas as pd

    strangers = checked.clean[other].assign(**{REASON: f"region: not {region}"})
    share = float(other.sum()) / len(received)
    findings.append(QualityFinding(kind="other_region", column="region", count=int(other.sum()), share=share, detail=f"rows of another region than {region}"))
    quarantined = pd.concat([checked.quarantined, strangers], ignore_index=True)
    return Checked(checked.clean[~other].reset_index(drop=True), quarantined, tuple(findings), max(severity or Severity.LOW, Severity.MEDIUM))


def _features(silver: pd.DataFrame, region: str) -> pd.DataFrame:
    from evergreen.domains.videos.features import build_features

    return build_features(silver, region)


def _category_daily(silver: pd.DataFrame) -> pd.DataFrame:
    """Per region, day and category: listed videos, first listings, and the middle and sum of their views."""
    first = ~silver.sort_values([TIME, ENTITY], kind="stable").duplicated(["region", ENTITY])
    rows = silver.assign(first=first.reindex(silver.index))
    grouped = rows.groupby(["region", TIME, "category_id"], sort=True)
    table = grouped.agg(videos=(ENTITY, "nunique"), first_listings=("first", "sum"), views=("view_count", "sum"), median_views=("view_count", "median"))
    return table.astype({"videos": "int64", "first_listings": "int64", "views": "Int64", "median_views": "float64"}).reset_index()


def _online(silver: pd.DataFrame, entities: Sequence[str], region: str) -> list[OnlineFeatures]:
    """Videos: the features of their first listing (what the primary head was trained on) with the newest counts; ratios are derived from these
    when they are used. Channels: their history."""
    from evergreen.domains.videos.features import build_features, channel_history

    wanted = set(entities)
    known = silver[silver[ENTITY].isin(wanted)].sort_values([TIME], kind="stable")
    newest = known.drop_duplicates(ENTITY, keep="last").set_index(ENTITY)
    table = build_features(silver, region)
    found = []
    for row in _records(table[table[ENTITY].isin(wanted)]):
        last = newest.loc[row[ENTITY]]
        features = {name: row[name] for name in (*FEATURES, TIME)} | {name: _plain(last[name]) for name in COUNTS}
        found.append(OnlineFeatures(str(row[ENTITY]), _known(features), last[TIME].date()))
    channels = {channel_key(_plain(row["channel_id"]), _plain(row["channel_title"])) for row in _records(newest.reset_index())} - {None}
    for row in _records(channel_history(silver, region)):
        if row["channel"] in channels:
            day = date.fromisoformat(str(row["channel_last_listed"]))
            found.append(OnlineFeatures(f"{CHANNEL_ENTITY}{row['channel']}", _known({name: value for name, value in row.items() if name != "channel"}), day))
    return found


def _catalogue(silver: pd.DataFrame) -> list[dict[str, Any]]:
    ordered = silver.sort_values([TIME], kind="stable")
    newest = ordered.drop_duplicates(ENTITY, keep="last").set_index(ENTITY, drop=False)
    first = ordered.drop_duplicates(ENTITY, keep="first").set_index(ENTITY)
    rows = []
    for row in _records(newest[[name for name in (*_CATALOGUE, TIME) if name in newest.columns]]):
        earliest = first.loc[row[ENTITY]]
        seen = {"first_seen": earliest[TIME].date(), "last_seen": date.fromisoformat(row.pop(TIME))}
        rows.append(row | seen | {"first_view_count": _plain(earliest["view_count"])})
    return rows


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    names = [str(name) for name in frame.columns]
    return [{name: _plain(value) for name, value in zip(names, values, strict=True)} for values in frame.itertuples(index=False, name=None)]


def _plain(value: Any) -> Any:
    """JSON's own values; None for every word pandas has for nothing; a day as `2025-07-24`, an instant in ISO form."""
    import pandas as pd

    if value is None or value is pd.NA or value != value:
        return None
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat() if value.tzinfo is None else value.isoformat()
    return value.item() if hasattr(value, "item") else value


def _known(features: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in features.items() if value is not None}

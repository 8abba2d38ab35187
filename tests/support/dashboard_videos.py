"""What serving says of videos, for pages that are looked at alone."""

from __future__ import annotations

from typing import Any

HOSTILE = "<img src=x onerror=alert(1)> [x](javascript:alert(2)) **여행**"
X = [0.0, 25.0, 50.0, 75.0, 100.0]
SPREAD: dict[str, Any] = {
    "metric": "performance",
    "first_day": None,
    "last_day": None,
    "n": 120,
    "x": X,
    "cdf": [0.0, 0.1, 0.4, 0.8, 1.0],
    "pdf": [0.004, 0.008, 0.014, 0.012, 0.008],
    "threshold": 90.0,
    "share_above": 0.08,
    "mean": 55.0,
    "median": 56.0,
    "categories": [],
    "model_version": "video_performance@5",
}
CATALOGUE: dict[str, Any] = {
    "first_day": "2025-07-01",
    "last_day": "2025-07-20",
    "today": "2025-07-22",
    "videos": 120,
    "categories": [
        {"category_id": 24, "name_ko": "엔터테인먼트", "name_en": "Entertainment", "n": 60},
        {"category_id": 10, "name_ko": "음악", "name_en": "Music", "n": 40},
        {"category_id": 20, "name_ko": "게임", "name_en": "Gaming", "n": 15},
        {"category_id": 99, "name_ko": None, "name_en": None, "n": 5},
    ],
}
_GROUP = {"n": 40, "mean": 61.0, "low": 55.0, "high": 67.0, "share_above": 0.2}
RANKINGS: dict[str, Any] = {
    "first_day": None,
    "last_day": None,
    "threshold": 90.0,
    "categories": [{"category_id": 10, "name_ko": "음악", "name_en": "Music", **_GROUP}],
    "hours": [{"hour": 18, **_GROUP}],
    "model_version": "video_performance@5",
}
ENTRY: dict[str, Any] = {
    "video_id": "v1",
    "title": HOSTILE,
    "channel_id": "UC1",
    "channel_title": "=HYPERLINK(1)",
    "category_id": 10,
    "published_at": None,
    "duration": None,
    "view_count": 2000,
    "like_count": 100,
    "comment_count": 20,
    "engagement_rate": 0.06,
    "region": "KR",
    "first_seen": "2025-07-18",
    "last_seen": "2025-07-20",
}
MOVERS: dict[str, Any] = {"movers": [{**ENTRY, "first_view_count": 1000, "days": 2, "gained_per_day": 500.0, "growth": 1.0}]}
VIDEO: dict[str, Any] = {
    **ENTRY,
    "description": None,
    "tags": [],
    "first_view_count": 1000,
    "features_as_of": "2025-07-20T00:00:00Z",
    "features": {"category_id": 10.0, "hour": 18.0, "day_of_week": 2.0, "tag_count": 5.0, "title_length": 12.0},
}
ANSWER: dict[str, Any] = {
    "prediction": 3.2,
    "prediction_lower": 2.8,
    "prediction_upper": 3.6,
    "predicted_views": 1585,
    "interval": {"lower": 631, "upper": 3981, "coverage": 0.8},
    "confidence": 0.62,
    "performance_score": 75.0,
    "percentile": 25.0,
    "viral_probability": 0.31,
    "trend_prediction": "rising",
    "growth_potential": "high",
    "predicted_growth": 0.4,
    "still_listed_probability": 0.7,
    "view_count": 2000,
    "like_count": 100,
    "comment_count": 20,
    "engagement_rate": 0.06,
    "key_factors": [],
    "features_used": [],
    "features_imputed": [],
}
PREDICTION: dict[str, Any] = {
    "video_id": "v1",
    "prediction_id": "p",
    "model_version": "video_performance@5",
    "epoch": 6,
    **ANSWER,
    "features_ignored": [],
    "features_as_of": "2025-07-20T00:00:00Z",
    "bloom_filter_status": "probably seen in the last 7 days",
    "cached": False,
    "degraded": False,
    "degraded_reasons": [],
    "processing_time": 0.002,
}
EXPLAINED: dict[str, Any] = {
    "video_id": "v1",
    "model_version": "video_performance@5",
    "epoch": 6,
    "prediction": 3.2,
    "predicted_views": 1585,
    "performance_score": 75.0,
    "score_interval": {"lower": 50.0, "upper": 90.0, "coverage": 0.8},
    "features_as_of": None,
    "effects": [
        {"feature": "category_id", "value": 10.0, "usual": 24.0, "log_views": 0.2, "factor": 1.58, "score": 8.0},
        {"feature": "hour", "value": 18.0, "usual": 12.0, "log_views": -0.05, "factor": 0.89, "score": -2.0},
    ],
}
FOUND: dict[str, Any] = {
    "results": [{**ENTRY, "prediction": ANSWER}, {**ENTRY, "video_id": "v2", "title": "제주 여행", "prediction": None}],
    "total_count": 31,
    "next_cursor": "next",
    "model_version": "video_performance@5",
    "cached": False,
    "degraded": False,
    "degraded_reasons": [],
    "processing_time": 0.01,
    "keyword": "여행",
}
ANSWERS: dict[str, Any] = {
    "GET /catalogue": CATALOGUE,
    "GET /distribution": SPREAD,
    "GET /rankings": RANKINGS,
    "GET /movers": MOVERS,
    "GET /videos/v1": VIDEO,
    "POST /predict/video": PREDICTION,
    "POST /predict/video/explanation": EXPLAINED,
    "POST /search/keyword": FOUND,
    "POST /search/channel": FOUND,
    "GET /bloom/videos/stranger": {"video_id": "stranger", "days": 7, "status": "not seen in the last 7 days", "certain": True},
}

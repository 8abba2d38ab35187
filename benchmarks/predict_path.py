"""What `POST /predict/video` costs a worker behind its HTTP edge: `python benchmarks/predict_path.py [--calls N] [--json]`.

Processor microseconds per call of the route's coroutine, on real Redis: answers from the process (l1), from Redis (l2), and computed by a
model that takes 15 µs (miss), each with live Bloom status, prediction log record and metrics. `with log`: the log's events made too, not
sent."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evergreen.adapters.local_bloom import LocalSeenIndex
from evergreen.adapters.memory.serving import MemoryFeatures
from evergreen.adapters.redis_bloom import RedisSeenIndex
from evergreen.adapters.redis_cache import LayeredCache
from evergreen.adapters.redis_link import RedisLink
from evergreen.core.clock import wall_now
from evergreen.domains.videos.spec import video_spec
from evergreen.environment import share_metrics
from evergreen.local_stack.testing import stack
from evergreen.ports.model import Rows
from evergreen.ports.serving import Champion, Later, LoadedModel, PredictionLog, PredictionRecord
from evergreen.services.predict import Predict
from serving.hot import Call

SPEC = video_spec("KR")
FEATURES = {
    "title": "여름 브이로그 #1",
    "category_id": 22,
    "published_at": "2025-05-24T09:00:00Z",
    "list_date": "2025-05-25",
    "channel_videos": 2,
    "channel_median": 4.2,
}
MODEL_SECONDS = 15e-6
JSON = {"content-type": "application/json"}


class Model:
    def __init__(self) -> None:
        fields = {"prediction": 5.2, "prediction_lower": 4.9, "prediction_upper": 5.6, "predicted_views": 158489, "confidence": 0.61}
        self._answer = fields | {f"field_{number}": number / 7 for number in range(12)} | {"features_used": list(FEATURES), "key_factors": []}

    def answer(self, requests: Sequence[Mapping[str, Any]], rows: Rows = None) -> list[dict[str, Any]]:
        until = time.perf_counter() + MODEL_SECONDS
        while time.perf_counter() < until:
            pass
        return [self._answer for _ in requests]


class Nobody:
    """Takes records and forgets them."""

    def record(self, record: PredictionRecord | Later) -> None:
        pass


class NoKafka:
    def tell(self, topic: str, messages: Sequence[tuple[bytes, bytes]]) -> None:
        pass

    def close(self, timeout_seconds: float) -> None:
        pass


class Worker:
    def __init__(self, link: RedisLink) -> None:
        from serving.clock import PlatformTime
        from serving.metrics import Metrics
        from serving.model_slot import ModelSlots

        self.link, self.metrics, self.slots, self.clock = link, Metrics(), ModelSlots(), PlatformTime()
        self.seen = LocalSeenIndex(link)
        self.slots.swap(Champion(LoadedModel(SPEC, 1, Model(), "0" * 16, lambda matrix: matrix[:, 0]), 1))

    def door(self, log: PredictionLog) -> Any:
        from serving.predict_video import PredictVideo

        predict = Predict(
            models=self.slots,
            cache=LayeredCache(self.link, 300, observe=self.metrics.looked_up),
            features=MemoryFeatures(),
            seen=self.seen,
            log=log,
            now=self.clock.now,
            observe=self.metrics.looked_up,
        )
        return PredictVideo(predict, SPEC.name, self.metrics).handle


async def measured(handle: Any, bodies: list[bytes], concurrency: int) -> float:
    calls = iter(bodies)

    async def client() -> None:
        for body in calls:
            await handle(Call(body, headers=JSON, traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01"))

    begun = time.process_time()
    await asyncio.gather(*(client() for _ in range(concurrency)))
    return (time.process_time() - begun) / len(bodies) * 1e6


def bodies(count: int, tag: str) -> list[bytes]:
    return [json.dumps({"video_id": f"{tag}{number}", "features": FEATURES}).encode() for number in range(count)]


async def rows(url: str, calls: int) -> list[dict[str, Any]]:
    path = Worker(RedisLink(url, 0.5))
    await path.seen.settle()
    found = []
    for concurrency in (1, 16):
        asked, one = bodies(calls, f"c{concurrency}-"), bodies(2_000, f"d{concurrency}-")
        first = path.door(Nobody())
        await measured(first, one, concurrency)
        values = {
            "miss": await measured(path.door(Nobody()), asked, concurrency),
            "l2": await measured(path.door(Nobody()), asked, concurrency),
            "l1": await measured(first, one * (calls // len(one)), concurrency),
            "l1 with log": await with_log(path, one * (calls // len(one)), concurrency),
        }
        found += [{"what": "predict_path", "system": name, "clients": concurrency, "value": round(value, 1), "unit": "µs"} for name, value in values.items()]
    return found


async def with_log(path: Worker, asked: list[bytes], concurrency: int) -> float:
    from serving.prediction_log import KafkaPredictionLog

    log = KafkaPredictionLog(NoKafka(), on_drop=lambda _count: None, max_buffered=len(asked) + 1)
    door = path.door(log)
    begun = time.process_time()
    log.start()
    await measured(door, asked, concurrency)
    await log.stop(120)
    return (time.process_time() - begun) / len(asked) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, stack({"redis"}) as settings:
        share_metrics(Path(folder))
        import redis
        import uvloop

        url = settings.redis.url.get_secret_value()
        index = RedisSeenIndex(redis.Redis.from_url(url))
        index.end_rebuild(None)
        index.add_many({wall_now().date(): [f"seen{number}" for number in range(1000)]})
        found = uvloop.run(rows(url, asked.calls))
    for row in found:
        sys.stdout.write(json.dumps(row) + "\n" if asked.json else f"{row['system']:<12} {row['clients']:>3} clients {row['value']:>8} µs\n")


if __name__ == "__main__":
    main()

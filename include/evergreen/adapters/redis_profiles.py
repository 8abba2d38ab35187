"""Profiles in Redis, a projection of table `interactions`.

    rec:profile:{user}   hash: n (interactions reflected), g:{genre} (sum, see core.recommending), at:{stream}:{partition} (topic id:offset)
    rec:history:{user}   sorted set: items touched, by standing; the newest 50
    rec:owned:{user}     sorted set: items rated or bought, by time; the newest 5,000
    rec:stream:{user}    sorted set: activities as JSON, by time; the newest 100 of the last hour
    rec:boost:{user}     sorted set: cause:item, by its end
    rec:shown:{user}     sorted set: items shown, by time and how often
    rec:list:{user}      hash: n, body (the top 20 as JSON); half an hour
    rec:push:{user}      stream: pushed lists as JSON, field body; `rec:pushed` is the channel that says for whom there is a new one
    rec:active           sorted set: users, by when they last did something (wall time); the newest 20,000
    rec:whole            all users are there

Guarantee: an event counts once in its user's profile, whoever applies it how often: the place on Kafka up to which a user's events of a stream
and partition are in is raised in the same step. Failure: Redis is emptied, or a key evicted. Remedy: without its hash nothing is added to a
profile; it is made anew from the rows, which hold an event before Redis does, and put in place only if nothing newer was applied meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from evergreen.adapters.redis_profile_scripts import APPLY, BOOST, PUT_LIST, READ, REPLACE
from evergreen.core import boosts
from evergreen.core.as_of import Place as KnownPlace
from evergreen.core.clock import wall_now
from evergreen.core.errors import Unavailable
from evergreen.core.recommending import ACTIVITY, ACTIVITY_FOR, HISTORY, OWNED, Effect, Taste, milliseconds, preference, touched
from evergreen.ports.profiles import NewList, Place, Whole

if TYPE_CHECKING:
    import redis
    from redis.client import Pipeline

PROFILE_SECONDS = 90 * 24 * 3600
"""Of a user who does nothing; then he is made anew when he comes back."""
LIST_SECONDS = 30 * 60
PUSHED, PUSHED_SECONDS = 50, 3600
SHOWN, SHOWN_SECONDS = 200, 24 * 3600
PUSH_CHANNEL = "rec:pushed"
WHOLE = "rec:whole"
"""There unless profiles were lost."""
ACTIVE_USERS = "rec:active"
ACTIVE = 20_000
_OF_USER = ("profile", "history", "owned", "stream", "boost", "shown", "list", "push")
_ACTIVITY_SECONDS = int(ACTIVITY_FOR.total_seconds())
T = TypeVar("T")


def key(what: str, user: str) -> str:
    return f"rec:{what}:{user}"


def reading(user: str) -> tuple[str, list[str], list[Any]]:
    """Script, keys and arguments whose reply `taste_of` understands: for whoever has another way to Redis."""
    now = milliseconds(wall_now())
    keys = [key(what, user) for what in ("profile", "history", "owned", "boost", "shown")]
    return READ, keys, [now, (now - SHOWN_SECONDS * 1000) * 64]


def taste_of(reply: Sequence[Any], now: datetime) -> Taste:
    """`now`: platform time."""
    fields = _pairs(reply[0])
    sums = {name[2:]: preference(float(value), now) for name, value in fields.items() if name.startswith("g:")}
    history = sorted(((int(float(standing)), item) for item, standing in _pairs(reply[1]).items()), reverse=True)
    return Taste(
        preferences=sums,
        history=tuple(touched(item, standing) for standing, item in history),
        owned=frozenset(item.decode() for item in reply[2]),
        boosts=boosts.factors(name.decode() for name in reply[3]),
        shown={item: int(float(score)) % 64 for item, score in _pairs(reply[4]).items()},
        count=int(fields.get("n", 0)),
        as_of=_as_of(fields),
        at=now,
    )


def _as_of(fields: Mapping[str, str]) -> dict[str, KnownPlace]:
    """Per stream the partition with the newest event; a second one is there only after the topic grew."""
    found: dict[str, KnownPlace] = {}
    for name, value in fields.items():
        if name.startswith("at:"):
            _, stream, partition = name.split(":")
            place = KnownPlace(int(partition), int(value.rpartition(":")[2]))
            found[stream] = max(found.get(stream, place), place, key=lambda one: one.offset)
    return found


class RedisProfiles:
    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def apply(self, events: Mapping[str, Sequence[tuple[Place, Effect | None]]]) -> list[str]:
        users, now = list(events), milliseconds(wall_now())
        fixed = [HISTORY, OWNED, ACTIVITY, _ACTIVITY_SECONDS, PROFILE_SECONDS]

        def ask(pipe: Pipeline, sha: str) -> None:
            for user in users:
                keys = [*(key(what, user) for what in ("profile", "history", "owned", "stream", "shown")), ACTIVE_USERS]
                told: list[Any] = [
                    word for place, effect in events[user] for word in (_field(place), place.topic_id, place.offset, "" if effect is None else _said(effect))
                ]
                pipe.evalsha(sha, len(keys), *keys, *fixed, user, now, *told)

        return [user for user, reply in zip(users, self._scripted(APPLY, ask), strict=True) if reply[0] == 0]

    def marks(self, users: Sequence[str]) -> list[dict[str, str]]:
        def work() -> list[dict[str, str]]:
            with self._redis.pipeline(transaction=False) as pipe:
                for user in users:
                    pipe.hgetall(key("profile", user))
                return [{name: value for name, value in _pairs(found).items() if name.startswith("at:")} for found in pipe.execute()]

        return self._guarded(work)

    def replace(self, wanted: Mapping[str, tuple[Mapping[str, str], Whole]]) -> list[str]:
        def ask(pipe: Pipeline, sha: str) -> None:
            for user, (marks, whole) in wanted.items():
                keys = [*(key(what, user) for what in ("profile", "history", "owned", "stream")), ACTIVE_USERS]
                pipe.evalsha(sha, len(keys), *keys, json.dumps(dict(marks)), *_whole(user, whole))

        return [user for user, reply in zip(wanted, self._scripted(REPLACE, ask), strict=True) if reply == 0]

    def read(self, users: Sequence[str], now: datetime) -> list[Taste]:
        def ask(pipe: Pipeline, sha: str) -> None:
            for user in users:
                _, keys, arguments = reading(user)
                pipe.evalsha(sha, len(keys), *keys, *arguments)

        return [taste_of(reply, now) for reply in self._scripted(READ, ask)]

    def boost(self, wanted: Sequence[tuple[str, str, str]]) -> None:
        now = wall_now()
        by_user: dict[str, dict[str, int]] = {}
        for user, cause, item in wanted:
            by_user.setdefault(user, {})[boosts.name_of(cause, item)] = milliseconds(now + boosts.LASTS[cause])
        longest = int(max(boosts.LASTS.values()).total_seconds())

        def ask(pipe: Pipeline, sha: str) -> None:
            for user, ends in by_user.items():
                keys = [key("boost", user), key("profile", user)]
                told: list[Any] = [word for name, end in ends.items() for word in (end, name)]
                pipe.evalsha(sha, len(keys), *keys, milliseconds(now), boosts.MOST, longest, *told)

        self._scripted(BOOST, ask)

    def put_lists(self, lists: Sequence[NewList]) -> None:
        def ask(pipe: Pipeline, sha: str) -> None:
            for one in lists:
                keys = [key("list", one.user), key("push", one.user), PUSH_CHANNEL, key("profile", one.user)]
                body, pushed = (json.dumps(said, ensure_ascii=False) for said in (one.body, one.pushed))
                pipe.evalsha(sha, len(keys), *keys, one.count, body, LIST_SECONDS, pushed, PUSHED, PUSHED_SECONDS, one.user)

        self._scripted(PUT_LIST, ask)

    def is_whole(self) -> bool:
        return bool(self._guarded(lambda: self._redis.exists(WHOLE)))

    def say_whole(self) -> None:
        self._guarded(lambda: self._redis.set(WHOLE, 1))

    def forget(self, user: str) -> None:
        self._guarded(lambda: self._redis.unlink(*(key(what, user) for what in _OF_USER)))
        self._guarded(lambda: self._redis.zrem(ACTIVE_USERS, user))

    def active_since(self, wall_ms: int) -> list[tuple[str, int]]:
        self._guarded(lambda: self._redis.zremrangebyrank(ACTIVE_USERS, 0, -1 - ACTIVE))
        found: Any = self._guarded(lambda: self._redis.zrangebyscore(ACTIVE_USERS, f"({wall_ms}", "+inf", withscores=True))
        return [(user.decode(), int(at)) for user, at in found]

    def _scripted(self, script: str, ask: Callable[[Pipeline, str], object]) -> list[Any]:
        """In one round trip. The script is sent when Redis does not know it; all of them may be asked again."""
        from redis.exceptions import NoScriptError

        def once() -> list[Any]:
            sha = _sha(script)
            with self._redis.pipeline(transaction=False) as pipe:
                ask(pipe, sha)
                try:
                    return list(pipe.execute())
                except NoScriptError:
                    self._redis.script_load(script)
                    return once()

        return self._guarded(once)

    def _guarded(self, work: Callable[[], T]) -> T:
        from redis import RedisError

        try:
            return work()
        except RedisError as error:
            raise Unavailable(f"Redis does not answer: {error}") from error


def _whole(user: str, whole: Whole) -> list[Any]:
    fields = {"n": str(whole.count)} | {f"g:{genre}": repr(amount) for genre, amount in whole.effect.genres.items()}
    fields |= {_field(place): f"{place.topic_id}:{place.offset}" for place in whole.places}
    bodies = [json.dumps(_texts(kept), ensure_ascii=False) for kept in (whole.effect.history, whole.effect.owned, whole.effect.activity)]
    newest = max(whole.effect.activity.values(), default=0)
    left = _ACTIVITY_SECONDS - (milliseconds(wall_now()) - newest) // 1000
    return [json.dumps(fields, ensure_ascii=False), *bodies, min(max(left, 0), _ACTIVITY_SECONDS), PROFILE_SECONDS, user, newest]


def _sha(script: str) -> str:
    import hashlib

    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def _field(place: Place) -> str:
    return f"at:{place.stream}:{place.partition}"


def _said(effect: Effect) -> str:
    parts = {"genres": effect.genres, "history": effect.history, "owned": effect.owned, "activity": effect.activity}
    return json.dumps({name: _texts(values) for name, values in parts.items()}, ensure_ascii=False)


def _texts(values: Mapping[str, float]) -> dict[str, str]:
    return {name: repr(value) for name, value in values.items()}


def _pairs(flat: Any) -> dict[str, str]:
    """Redis' flat replies (or a client's pairs) of names and values."""
    if isinstance(flat, Mapping):
        return {name.decode(): value.decode() for name, value in flat.items()}
    return {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}

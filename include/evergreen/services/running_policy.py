"""The policy in force: read from its file, checked, swapped as a whole.

Guarantee: a decision is made with a policy that was checked, and names its hash. Failure: somebody saves a mistake. Remedy: the file is
refused with line and reason, an alert says so, and the running policy stays, also over a restart (the newest active one is recorded)."""

from __future__ import annotations

from typing import Protocol

import structlog

from evergreen.contracts.envelope import Event, new_id
from evergreen.contracts.events import PolicyChanged
from evergreen.core.clock import Clock
from evergreen.core.errors import InvalidPolicy
from evergreen.core.rules import Policy
from evergreen.ports.records import RecordStore
from evergreen.services.raise_alert import policy_refused, raise_alerts

log = structlog.get_logger(__name__)


class PolicySource(Protocol):
    def version(self) -> str:
        """Changes when the file does; cheap."""

    def load(self) -> Policy:
        """Raises InvalidPolicy, naming the line."""

    def who(self) -> str:
        """Whoever owns the file."""


class RunningPolicy:
    def __init__(self, source: PolicySource, store: RecordStore, clock: Clock) -> None:
        self._source = source
        self._store = store
        self._clock = clock
        self._seen = ""
        self._policy: Policy | None = None

    def current(self) -> Policy:
        """Raises InvalidPolicy when the file is broken and no policy was ever active here."""
        if self._policy is None:
            self.refresh()
        if self._policy is None:
            raise InvalidPolicy("no policy is in force")
        return self._policy

    def refresh(self) -> bool:
        """True when another policy is in force now."""
        version = self._source.version()
        if version == self._seen:
            return False
        try:
            policy = self._source.load()
        except InvalidPolicy as error:
            policy = self._refuse(error, version)
        changed = self._policy is None or policy.hash != self._policy.hash
        if changed:
            self._activate(policy)
        self._seen = version
        return changed

    def _activate(self, policy: Policy) -> None:
        with self._store.transaction() as tx:
            old = tx.policies.activate(policy.hash, policy.body())
            if old is not None:
                who = self._source.who()
                payload = PolicyChanged(old_hash=old, new_hash=policy.hash, who=who)
                now = self._clock.now()
                tx.outbox.publish(Event(id=new_id(), source="/policy", type="policy_changed", subject="policy", time=now, data=payload.model_dump(mode="json")))
        self._policy = policy
        log.info("policy_in_force", hash=policy.hash, before=old)

    def _refuse(self, error: InvalidPolicy, version: str) -> Policy:
        """The one that stays."""
        log.error("policy_refused", reason=str(error))
        with self._store.transaction() as tx:
            running = self._policy.hash if self._policy else (tx.policies.active() or ("",))[0]
            raise_alerts(tx, [policy_refused(str(error), f"{version} {running}", self._clock.now())])
            active = tx.policies.active()
        if self._policy is not None:
            return self._policy
        if active is None:
            raise error
        return Policy.model_validate(active[1])


class ActivePolicy:
    """The policy some intake worker put in force, for those who only look; before the first one, the file's."""

    def __init__(self, store: RecordStore, source: PolicySource) -> None:
        self._store = store
        self._source = source
        self._policy: Policy | None = None

    def current(self) -> Policy:
        with self._store.transaction() as tx:
            active = tx.policies.active()
        if active is None:
            return self._source.load()
        if self._policy is None or self._policy.hash != active[0]:
            self._policy = Policy.model_validate(active[1])
        return self._policy

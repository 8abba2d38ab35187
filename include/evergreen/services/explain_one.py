"""Why something was done, or was not: an action, an event, a decision, or what never became an event."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from evergreen.contracts.api_records import Explanation
from evergreen.contracts.envelope import decode
from evergreen.core.errors import InvalidEvent, NotFound, Unavailable
from evergreen.core.explanation import explain
from evergreen.ports.explanations import ExplanationStore
from evergreen.services.dead_letters import DeadLetter

Letters = Callable[[], Iterable[DeadLetter]]


class Explain:
    """`letters`: every dead letter, read only when nothing recorded goes by the name. `airflow_url`: where its UI is."""

    def __init__(self, store: ExplanationStore, letters: Letters, airflow_url: str) -> None:
        self._store = store
        self._letters = letters
        self._airflow_url = airflow_url

    def run(self, name: str) -> Explanation:
        """`name`: an id, or `model/seq`. Raises NotFound, which says where to look next."""
        with self._store.transaction() as tx:
            found = tx.explanations.find(name)
        if not found.is_empty:
            return explain(found, self._airflow_url)
        try:
            letter = next((one for one in self._letters() if name in (one.id, _event_id(one))), None)
        except Unavailable as error:
            raise NotFound(f"no event, action or decision {name}; the dead letters could not be looked through: {error}") from error
        if letter is None:
            raise NotFound(
                f"no event, action, decision or dead letter {name}. A run of Airflow names its action in its note; an event that was published just now "
                "is decided within a second; `evergreen events tail --from-beginning` shows what is on the topics"
            )
        return _of_letter(name, letter)


def _event_id(letter: DeadLetter) -> str | None:
    """What it would have been called."""
    try:
        return decode(letter.value or b"").id
    except InvalidEvent:
        return None


def _of_letter(name: str, letter: DeadLetter) -> Explanation:
    facts = letter.facts
    where = f"{facts.get('source_topic', '?')}[{facts.get('source_partition', '?')}]@{facts.get('source_offset', '?')}"
    says = f"nothing was done: it never became an event. {facts.get('reason', '?')}: {facts.get('detail', '')} ({where}); `evergreen dlq show {letter.id}`"
    told = {"id": letter.id, **facts, "partition": letter.partition, "offset": letter.offset}
    return Explanation(about="dead_letter", id=name, says=says, events=[], drifted=[], answers=[], decisions=[], actions=[], dead_letter=told)

"""`evergreen models submit`: a model trained elsewhere asks to be let in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from evergreen.cli.following import follow


def submit(
    uri: Annotated[str, typer.Argument(help="models:/NAME/VERSION, models:/NAME@ALIAS, models:/m-ID or runs:/RUN_ID/PATH, of this stack's MLflow.")],
    trained_to: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The last day whose outcomes its author may have seen.")],
    reason: Annotated[str, typer.Option(help="Why; recorded with the version.")],
    model: Annotated[str | None, typer.Option(help="Default: the home's first model.")] = None,
    key: Annotated[str | None, typer.Option(help="The same key again is the same submission.")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait; the action goes on without us.")] = 900.0,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Ask and return.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Let a model trained elsewhere into the gates: it is taken apart, signed and judged like any candidate."""
    from evergreen.cli.context import parts, whoever
    from evergreen.contracts.envelope import new_id
    from evergreen.services.submissions import RequestSubmission, Submission

    made = parts()
    asked = Submission(model or next(iter(made.specs)), uri, trained_to.date(), reason, whoever(), key or new_id())
    action = RequestSubmission(made.store, made.clock, made.specs).run(asked)
    follow(made, action, timeout, no_wait, as_json)

"""What Schemathesis cannot know of this API from its document. It loads this file by SCHEMATHESIS_HOOKS."""

from __future__ import annotations

import json
import re

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import RejectedPositiveData

KEY_REUSED = "urn:evergreen:problem:idempotency-key-reused"
NO_SCHEMA_SAYS = re.compile(
    r"cursor: take it from the previous page"  # made up
    r"|trained_to \S+ lies in the future: the newest day anybody knows is \S+"
    r"|from: \S+ is after \S+ \(to\)"  # two fields against each other
    r"|threshold: engagement lies between 0 and 1"  # for the other metric up to 100
    r"|two variants are called '[a-z0-9_-]+'"
    r"|there is an experiment '[a-z0-9_-]+' already; .*"
    r"|[a-z0-9_-]+ runs for \S+: one at a time, .*"
    r"|no version of \S+ serves: there is nothing to compare with"
    r"|there is no version \S+@\d+"
    r"|an experiment needs a reason: .*"  # of spaces alone
    r"|a silence needs a reason: .*|why: others will ask"
    r"|name a model, a type, or the highest severity to silence: .*"  # fields against each other
    r"|changes: name the one letter to repair"
    r"|\S+@\d+ is no version of \S+|\S+@\d+ serves already: it is the control"
    r"|\S+ takes no model trained elsewhere"
    r"|body: Value error, forced needs `to`: the version to go back to"  # two fields against each other
    r"|the policy has no threshold of \S+ that makes \S+ \S+; .*"
    r"|a name has 1 to 256 printable characters and no space around it"
    r"|a token's id \(`jti`\) has 1 to 64 characters"  # printable ones
    r"|there is an account .*; a disabled one keeps its name .*"
    r"|outcome: view_count must be a number of views, not .*",  # what this model's outcomes hold: the field is open to every model's
    re.DOTALL,
)
LONGEST_STREAM = 3600
WITHOUT_TOKEN = "x-without-token"
NO_OPERATION = ("no such path; see /docs", "see /docs for the methods of this path")
"""Generated so that it is another path, or a method there is none for: nothing was asked of an operation."""


@schemathesis.hook
def filter_failure(_context: HookContext, failure: Failure, _case: Case, response: Response) -> bool:
    """Refusals of what fits the schema and cannot be used all the same; nothing but these."""
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 422:
        return True
    problem = json.loads(response.content)
    if "\ufffd" in problem["instance"]:  # Schemathesis sent a path such as a%80b as it is: octets that are no text at all
        return "should match pattern" not in problem["detail"]
    return problem["type"] != KEY_REUSED and NO_SCHEMA_SAYS.fullmatch(problem["detail"]) is None


@schemathesis.hook
def before_call(_context: HookContext, case: Case, **_kwargs: object) -> None:
    """A stream that ends when its client wants would never be looked at: where the time asked for is left out or fits, it is none. And the columns
    the document names where rows are scored are those of the model it names first: another has others, and says so."""
    if case.operation.path.endswith(("/invocations", "/infer")) and (case.path_parameters or {}).get("model") == "movie_recommender":
        case.path_parameters["model"] = "video_performance"
    if case.operation.path.endswith("/stream"):
        asked = (case.query or {}).get("seconds", 0)
        if isinstance(asked, int) and 0 <= asked <= LONGEST_STREAM:
            case.query = {**(case.query or {}), "seconds": 0}


@schemathesis.check
def nothing_without_a_token(_context: CheckContext, response: Response, case: Case) -> None:
    """Whoever has no token that counts gets a 401 wherever the operation is not public, whatever else is wrong with the request; or a 429.
    Only in runs that say so by a header: in others Schemathesis sends the token it was given."""
    sent = {name.lower() for name in response.request.headers}
    if WITHOUT_TOKEN not in sent or case.operation.definition.raw["x-need"] in {"public", "metrics"}:
        return
    if response.status_code in {404, 405} and json.loads(response.content)["detail"] in NO_OPERATION:
        return
    assert response.status_code in {401, 429}, f"{response.status_code} without a token"

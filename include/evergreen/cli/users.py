"""`evergreen users list|add|password|disable|enable`: people and applications that may ask serving for tokens. `forget`: somebody lists were made for."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from evergreen.core.access import Role

app = typer.Typer(help="Accounts of serving.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
Name = Annotated[str, typer.Argument(help="The account's name.")]
Reason = Annotated[str, typer.Option(help="Recorded with it.")]


@app.command("list")
def list_accounts(as_json: Json = False) -> None:
    """Every account, without its secret."""
    from evergreen.cli.context import parts

    found = [
        {"name": one.subject, "kind": one.kind, "roles": list(one.roles), "disabled": one.disabled_at.isoformat() if one.disabled_at else None}
        for one in parts().access.manage.list()
    ]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    for one in [] if as_json else found:
        typer.echo(f"{one['name']}: {one['kind']}, {', '.join(map(str, one['roles'] or []))}" + (f", disabled {one['disabled']}" if one["disabled"] else ""))


@app.command()
def add(
    name: Name,
    role: Annotated[list[Role], typer.Option("--role", help="More than once for several.")],
    client: Annotated[bool, typer.Option("--client", help="An application (grant `client_credentials`) instead of a person.")] = False,
    reason: Reason = "",
) -> None:
    """Add an account and print its secret, once: only its hash is kept."""
    from evergreen.cli.context import parts, whoever

    typer.echo(parts().access.manage.add(name, "client" if client else "person", role, who=whoever(), reason=reason))


@app.command()
def password(name: Name, reason: Reason = "") -> None:
    """Give an account a new secret and print it, once; tokens got with the old one count no more."""
    from evergreen.cli.context import parts, whoever
    from evergreen.core.clock import wall_now

    typer.echo(parts().access.manage.change_secret(name, wall_now(), whoever(), reason))


@app.command()
def disable(name: Name, reason: Reason = "") -> None:
    """No new tokens, and those it has count no more."""
    from evergreen.cli.context import parts, whoever
    from evergreen.core.clock import wall_now

    parts().access.manage.disable(name, wall_now(), whoever(), reason)
    typer.echo(f"disabled {name}; its tokens count no more")


@app.command()
def enable(name: Name, reason: Reason = "") -> None:
    """Let a disabled account sign in again."""
    from evergreen.cli.context import parts, whoever

    parts().access.manage.enable(name, whoever(), reason)
    typer.echo(f"enabled {name}")


@app.command()
def forget(
    user: Annotated[str, typer.Argument(help="The user's id, as interactions name it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a person: profile, interactions, lists, what models are trained on. Their account, if any, stays: see `disable`."""
    from evergreen.cli.context import parts

    if not yes:
        typer.confirm(f"Erase everything recorded of {user}? It cannot be undone", abort=True)
    gone = parts().recommender.forget.run(user)
    typer.echo(f"forgot {user}: " + ", ".join(f"{rows} of {table}" for table, rows in gone.items()))

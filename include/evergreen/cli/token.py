"""`evergreen token create|revoke|rotate-keys`: tokens for serving, made with this home's key."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from evergreen.core.access import Role

app = typer.Typer(help="Tokens for serving.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="For scripts.")]


@app.command()
def create(
    role: Annotated[list[Role], typer.Option("--role", help="What it may do; more than once for several.")],
    subject: Annotated[str, typer.Option(help="Whom it speaks for; default: you. Of role user: the user's id.")] = "",
    minutes: Annotated[float, typer.Option(min=1, help="How long it lasts; a year at most.")] = 60.0,
    as_json: Json = False,
) -> None:
    """Print a token. It needs the home's key, not a running stack: TOKEN=$(evergreen token create --role service)."""
    from evergreen.bootstrap import Parts
    from evergreen.cli.context import whoever
    from evergreen.local_stack.choose import find_home
    from evergreen.settings import load_settings

    home, notice = find_home()
    if notice:
        typer.echo(notice, err=True)
    minted = Parts(load_settings(home)).access.mint.mint(subject or whoever(), role, minutes)
    if as_json:
        typer.echo(json.dumps({"access_token": minted.token, "token_type": "bearer", "id": minted.token_id, "expires_at": minted.expires_at.isoformat()}))
    else:
        typer.echo(minted.token)


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(help="Its id (`jti`), or the token itself.", metavar="ID")] = "",
    subject: Annotated[str, typer.Option(help="Instead: every token of this subject issued until now.")] = "",
) -> None:
    """Make a token count no more; every worker knows within a second."""
    from evergreen.cli.context import parts, whoever
    from evergreen.core.clock import wall_now

    if bool(token) == bool(subject):
        raise typer.BadParameter("name a token's id, or --subject")
    manage = parts().access.manage
    if subject:
        manage.revoke_subject(subject, wall_now(), whoever())
        typer.echo(f"revoked every token of {subject}")
    else:
        manage.revoke_token(named := token_id_of(token), wall_now(), whoever())
        typer.echo(f"revoked {named}")


@app.command("rotate-keys")
def rotate_keys(
    drop_old: Annotated[bool, typer.Option("--drop-old", help="The key before counts no more: after a leak. Every token must be made anew.")] = False,
) -> None:
    """A new key signs from now on; tokens of the one before count until the next change."""
    from evergreen.adapters.token_keys import key_file, rotate
    from evergreen.core.errors import InvalidRequest
    from evergreen.local_stack.choose import find_home
    from evergreen.settings import load_settings

    settings = load_settings(find_home()[0])
    if settings.auth.keys.get_secret_value():
        raise InvalidRequest("the keys come from EVERGREEN_AUTH__KEYS: put a new one before the old one there, and start serving again")
    typer.echo(f"{rotate(key_file(settings), drop_old=drop_old)} signs from now on" + ("; older tokens count no more" if drop_old else ""))


def token_id_of(text: str) -> str:
    """Of a whole token the id in it; it is not checked, since a token that does not count does no harm on the list."""
    if text.count(".") != 2:
        return text
    import jwt

    from evergreen.core.errors import InvalidRequest

    try:
        found = jwt.decode(text, options={"verify_signature": False}).get("jti")
    except jwt.PyJWTError:
        found = None
    if not isinstance(found, str):
        raise InvalidRequest("this is neither a token nor a token's id")
    return found

"""`retour key`: keys for the API."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.asking import opened
from commands.settings import load_settings
from commands.show import AsJson, UserError, iso, say, show
from tracker.access import SCOPES, BadKey, check_partner, new_key
from tracker.audit import PROGRAM, Act, audited
from tracker.clocks import Clock
from tracker.ports import Store
from tracker.stamps import DAY

group = typer.Typer(no_args_is_help=True, help="Keys for the API.")


@group.command("create")
def key_create(
    name: str,
    scope: Annotated[list[str], typer.Option(help="read, write or admin.")] = ["read"],  # noqa: B006
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires.")] = None,
    partner: Annotated[
        str | None, typer.Option(help="Only for what this partner has on lease.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create an API key and show it, this once.

    Example: retour key create acme-portal --partner acme --days 90
    """
    if wrong := set(scope).difference(SCOPES):
        raise UserError(f"no such scope: {', '.join(wrong)}; there are {', '.join(SCOPES)}")
    settings = load_settings()
    clock, by = settings.make_clock(), settings.act().by
    show(make_key(settings.store(), clock, name, scope, days, by, partner), as_json)


def make_key(
    store: Store,
    clock: Clock,
    name: str,
    scopes: list[str],
    days: int | None,
    by: str = PROGRAM.by,
    partner: str | None = None,
) -> dict[str, str]:
    """Create a key; the secret in the answer is nowhere else. Raises UserError."""
    act = Act(by, clock.now(), clock.wall())
    expires = None if days is None else act.wall + days * DAY
    secret, key = new_key(name, tuple(scopes), act.wall, expires, partner)
    with store.writing() as tx:
        try:
            check_partner(partner, scopes, tx.partners())
        except BadKey as error:
            raise UserError(f"{error.detail}; nothing was made") from error
        tx.add_key(key)
        audited(tx, act, "create", "key", key.id, None, key.granted())
    return {"id": key.id, "name": name, "key": secret}


@group.command("list")
def key_list(as_json: AsJson = False) -> None:
    """List the API keys, never their secrets.

    Example: retour key list
    """
    store, _ = opened()
    with store.reading() as reader:
        keys = [
            {
                "id": key.id,
                "name": key.name,
                "scopes": " ".join(key.scopes),
                "partner": key.partner,
                "created": iso(key.created),
                "expires": iso(key.expires),
                "revoked": iso(key.revoked),
            }
            for key in reader.api_keys()
        ]
    show(keys, as_json)


@group.command("revoke")
def key_revoke(id: str) -> None:
    """Revoke an API key at once.

    Example: retour key revoke key_3f2a9c0d1e4b
    """
    settings = load_settings()
    act = settings.act()
    with settings.store().writing() as tx:
        known = next((key for key in tx.api_keys() if key.id == id), None)
        if known is None or not tx.revoke_key(id, act.wall):
            raise UserError(f"there is no key {id} in force; see `retour key list`")
        audited(tx, act, "revoke", "key", id, known.granted(), None)
    say(f"{id} is revoked")

"""Keys that are made and revoked at the terminal."""

import orjson
import pytest
from typer.testing import CliRunner

from commands.keys import group
from commands.show import UserError
from tracker.leases import Partner
from tracker.stores.sqlite import SqliteStore


@pytest.fixture
def retour(monkeypatch, tmp_path):
    """Runs `retour key` on a database of its own."""
    monkeypatch.setenv("RETOUR_DATABASE", f"sqlite:///{tmp_path}/retour.db")
    return lambda *arguments: CliRunner().invoke(group, arguments, catch_exceptions=False)


def test_who_made_and_revoked_a_key_is_in_the_audit_log(retour, monkeypatch, tmp_path):
    monkeypatch.setattr("commands.settings.getuser", lambda: "ada")
    assert retour("create", "console", "--scope", "write").exit_code == 0
    with SqliteStore(tmp_path / "retour.db").reading() as tx:
        (key,) = tx.api_keys()
    assert retour("revoke", key.id).exit_code == 0
    with SqliteStore(tmp_path / "retour.db").reading() as tx:
        revoked, created = [change for _, change in tx.changes(None, 10)]
    granted = {"name": "console", "scopes": ["write"], "expires": None}
    who = ("terminal ada", "key", key.id)
    assert (created.by, created.kind, created.subject) == who
    assert (revoked.by, revoked.kind, revoked.subject) == who
    assert (created.action, created.before, created.after) == ("create", None, granted)
    assert (revoked.action, revoked.before, revoked.after) == ("revoke", granted, None)


def test_a_key_of_a_partner_is_made_for_one_that_there_is(retour, tmp_path):
    with SqliteStore(tmp_path / "retour.db").writing() as tx:
        tx.put_partner(Partner("acme"))
    made = retour("create", "portal", "--partner", "acme", "--json")
    assert made.exit_code == 0
    listed = orjson.loads(retour("list", "--json").output)
    assert [(one["name"], one["scopes"], one["partner"]) for one in listed] == [
        ("portal", "read", "acme")
    ]
    for arguments, why in (
        (("--partner", "acm"), "there is no partner acm"),
        (("--partner", "acme", "--scope", "write"), "has the scope read alone, not write"),
    ):
        with pytest.raises(UserError, match=why):
            retour("create", "other", *arguments)
    assert len(orjson.loads(retour("list", "--json").output)) == 1

"""Keys that are made and revoked at the terminal."""

import pytest
from typer.testing import CliRunner

from commands.keys import group
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

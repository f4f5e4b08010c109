from typing import Any

import orjson
import pytest

NOON = 1_767_614_400_000
ADMIN = {"Authorization": "Bearer rtr_admin"}


@pytest.fixture
def admin(anonymous: Any) -> Any:
    anonymous.headers.update(ADMIN)
    return anonymous


def test_a_key_is_made_used_and_revoked(admin: Any) -> None:
    made = admin.post("/v1/keys", json={"name": "console", "scopes": ["read"]})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    key = made.json()
    secret = key.pop("secret")
    own = {"Authorization": f"Bearer {secret}"}
    assert secret.startswith("rtr_")
    assert key.pop("id").startswith("key_")
    assert key == {
        "name": "console",
        "scopes": ["read"],
        "partner": None,
        "created": "2026-01-05T12:00:00.000Z",
        "expires": None,
        "revoked": None,
    }
    assert admin.get("/v1/assets", headers=own).status_code == 200
    assert admin.get("/v1/keys", headers=own).status_code == 403
    path = f"/v1/keys/{made.json()['id']}"
    gone = admin.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert admin.get("/v1/assets", headers=own).status_code == 401
    again = admin.delete(path)
    assert (again.status_code, again.json()["type"]) == (404, "/problems/unknown-key")


def test_lists_keys_and_never_their_secrets(admin: Any) -> None:
    made = admin.post("/v1/keys", json={"name": "n", "scopes": ["read", "write"]}).json()
    answer = admin.get("/v1/keys")
    by_id = {key["id"]: key for key in answer.json()["items"]}
    assert by_id["k-old"]["expires"] == "2026-01-05T12:00:00.000Z"
    assert by_id["k-gone"]["revoked"] == "1970-01-01T00:00:00.001Z"
    assert by_id[made["id"]]["scopes"] == ["read", "write"]
    assert made["secret"] not in answer.text
    assert "secret" not in answer.text
    assert "digest" not in answer.text


@pytest.mark.parametrize("expires", [NOON + 1, str(NOON + 1), "2026-01-05T12:00:00.001Z"])
def test_a_key_may_expire(admin: Any, expires: Any) -> None:
    wanted = {"name": "n", "scopes": ["read"], "expires": expires}
    answer = admin.post("/v1/keys", json=wanted)
    assert answer.json()["expires"] == "2026-01-05T12:00:00.001Z"


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ({}, "name"),
        ({"name": "", "scopes": ["read"]}, "name"),
        ({"name": "n" * 101, "scopes": ["read"]}, "name"),
        (b'{"name": "\\ud800", "scopes": ["read"]}', "name"),
        ({"name": "n", "scopes": []}, "scopes"),
        ({"name": "n", "scopes": ["root"]}, "scopes.0"),
        ({"name": "n", "scopes": "read"}, "scopes"),
        ({"name": "n", "scopes": ["read"], "scope": "read"}, "scope"),
        ({"name": "n", "scopes": ["read"], "expires": NOON}, "expires"),
        ({"name": "n", "scopes": ["read"], "expires": "tomorrow"}, "expires"),
        ({"name": "n", "scopes": ["read"], "expires": "2036-01-01T00:00:00"}, "expires"),
        ([], "body"),
    ],
)
def test_what_is_wrong_with_a_wanted_key_is_said(admin: Any, wanted: Any, name: str) -> None:
    before = len(admin.get("/v1/keys").json()["items"])
    content = wanted if isinstance(wanted, bytes) else orjson.dumps(wanted)
    answer = admin.post("/v1/keys", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["name"] == name
    assert answer.json()["errors"][0]["at"] == "body"
    assert len(admin.get("/v1/keys").json()["items"]) == before


def test_the_audit_log_tells_of_keys_and_not_of_secrets(admin: Any) -> None:
    made = admin.post("/v1/keys", json={"name": "n", "scopes": ["write"]}).json()
    admin.delete(f"/v1/keys/{made['id']}")
    answer = admin.get("/v1/audit?kind=key")
    revoked, created = answer.json()["items"]
    granted = {"name": "n", "scopes": ["write"], "expires": None}
    assert (created["action"], created["before"], created["after"]) == ("create", None, granted)
    assert (revoked["action"], revoked["before"], revoked["after"]) == ("revoke", granted, None)
    assert {revoked["subject"], created["subject"]} == {made["id"]}
    assert {revoked["by"], created["by"]} == {"key admin (k-admin)"}
    assert made["secret"] not in answer.text

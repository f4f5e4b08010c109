"""Rules over HTTP: what is in force, what is put in its place, what is refused."""

from typing import Any

import pytest

from tracker.rules import Rules, read_rules, shipped

OWN: dict[str, Any] = {
    "retour": 1,
    "rules": [
        {"id": "late", "kind": "overdue", "ladder": ["3 d"], "repeat": "never"},
        {"id": "waits", "kind": "dwell", "stages": ["repair"], "after": "36 h"}
        | {"quiet_hours": {"since": "22:00", "until": "07:00", "timezone": "UTC"}},
    ],
}


def test_without_any_the_shipped_ones_are_told(client: Any) -> None:
    answer = client.get("/v1/rules")
    assert answer.status_code == 200
    assert Rules.model_validate(answer.json()) == shipped()
    assert answer.json()["rules"][0]["ladder"] == ["3 d", "7 d"]


def test_what_is_put_is_in_force_and_told_as_it_can_be_put_again(writer: Any) -> None:
    put = writer.put("/v1/rules", json=OWN)
    assert (put.status_code, put.json()["changed"]) == (200, True)
    told = writer.get("/v1/rules").json()
    assert told == {key: value for key, value in put.json().items() if key != "changed"}
    assert told["rules"][1]["quiet_hours"]["since"] == "22:00"
    assert (told["rules"][0]["repeat"], told["rules"][1]["after"]) == ("never", "36 h")
    assert writer.put("/v1/rules", json=told).json()["changed"] is False


def test_who_may_only_read_changes_nothing(client: Any, world: Any) -> None:
    assert client.put("/v1/rules", json=OWN).status_code == 403
    with world.store.reading() as reader:
        assert reader.rules() == shipped()


def test_it_is_changed_only_as_it_is_known(writer: Any) -> None:
    tag = writer.get("/v1/rules").headers["ETag"]
    assert writer.put("/v1/rules", json=OWN, headers={"If-Match": tag}).status_code == 200
    again = writer.put("/v1/rules", json={"rules": []}, headers={"If-Match": tag})
    assert (again.status_code, again.json()["type"]) == (412, "/problems/outdated")
    tag = writer.get("/v1/rules").headers["ETag"]
    assert writer.put("/v1/rules", json={"rules": []}, headers={"If-Match": tag}).is_success
    assert writer.get("/v1/rules").json()["rules"] == []


@pytest.mark.parametrize(
    ("changes", "status", "name", "detail"),
    [
        ({"after": "soon"}, 422, "rules.0.dwell.after", "'soon' is no length of time"),
        ({"after": 5}, 422, "rules.0.dwell.after", "'5' is no length of time"),
        ({"kind": "dwel"}, 422, "rules.0", "dwel"),
        ({"ladder": ["7 d", "3 d"]}, 422, "rules.0.ladder", "each is to be longer than the one"),
        ({"surprise": 1}, 422, "rules.0.dwell.surprise", "Extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_is_told_by_its_place(
    writer: Any, world: Any, changes: Any, status: int, name: str, detail: str
) -> None:
    rule = {"id": "a", "kind": "dwell", "after": "1 d"} | changes
    answer = writer.put("/v1/rules", json={"rules": [rule]})
    assert (answer.status_code, answer.json()["type"]) == (status, "/problems/bad-value")
    (error,) = answer.json()["errors"]
    assert (error["name"], error["at"]) == (name, "body")
    assert detail in error["detail"]
    with world.store.reading() as reader:
        assert reader.rules_revision() == 0


def test_a_site_that_there_is_not_is_refused(writer: Any) -> None:
    rule = {"id": "a", "kind": "forbidden_site", "sites": ["scrapyard"]}
    answer = writer.put("/v1/rules", json={"rules": [rule]})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/unregistered")
    assert answer.json()["detail"] == "rule a: there is no site scrapyard"


def test_the_audit_log_tells_who_did_it(writer: Any) -> None:
    writer.put("/v1/rules", json=OWN)
    asked = {"params": {"kind": "rules"}, "headers": {"Authorization": "Bearer rtr_admin"}}
    (change,) = writer.get("/v1/audit", **asked).json()["items"]
    assert change["by"] == "key write (k-write)"
    assert Rules.model_validate(change["after"]) == Rules.model_validate(OWN)


def test_what_is_stored_is_what_a_file_would_say(writer: Any, world: Any) -> None:
    writer.put("/v1/rules", json={"rules": [{"id": "late", "kind": "overdue"}]})
    with world.store.reading() as reader:
        assert reader.rules() == read_rules("rules: [{id: late, kind: overdue}]")

"""Who is told of alerts: said, shown without secrets, tried."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from standardwebhooks import Webhook

from gateway.addresses import Guard, networks
from gateway.channels import Ways
from tests.receivers import Receiver
from tracker.alerts import Alert, Event, State
from tracker.clocks import SystemClock
from tracker.notices import Attempt, deliveries
from tracker.notices import State as Way
from tracker.recipients import About, Recipient

NOON = 1_767_614_400_000
URL = "https://hooks.example.com/services/s3cret?token=s3cret"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ALERT = Alert("A1", "L1", "1", "overdue", 1, State.OPEN, "warning", 1, NOON, NOON, NOON, NOON)


class TestPutting:
    def test_one_is_told_without_its_secrets(self, writer: Any) -> None:
        wanted = {
            "name": "Night shift",
            "url": URL,
            "filters": {"rules": ["overdue"]},
            "quiet": {"since": "22:00", "until": "07:00", "timezone": "Europe/Amsterdam"},
        }
        made = writer.put("/v1/recipients/ops", json=wanted)
        assert made.status_code == 201
        assert made.headers["etag"] == '"1"'
        assert Webhook(made.json()["secret"])
        shown = writer.get("/v1/recipients/ops")
        assert shown.json()["url"] == "https://hooks.example.com/***"
        assert shown.json()["filters"]["rules"] == ["overdue"]
        assert shown.json()["quiet"] == wanted["quiet"]
        for answer in (shown, writer.get("/v1/recipients")):
            assert "s3cret" not in answer.text
            assert "whsec_" not in answer.text
        assert "s3cret" not in made.text

    def test_the_same_again_changes_nothing_and_shows_no_secret(self, writer: Any) -> None:
        wanted = {"url": URL, "name": "n"}
        first = writer.put("/v1/recipients/ops", json=wanted)
        again = writer.put("/v1/recipients/ops", json=wanted)
        assert (first.status_code, again.status_code) == (201, 200)
        assert (again.json()["secret"], again.headers["etag"]) == (None, '"1"')

    @pytest.mark.parametrize("url", [None, "https://hooks.example.com/***"])
    def test_what_was_shown_and_is_sent_back_leaves_the_channel_as_it_is(
        self, writer: Any, store: Any, url: str | None
    ) -> None:
        writer.put("/v1/recipients/ops", json={"url": URL, "secret": SECRET})
        body = {"name": "Renamed"} | ({} if url is None else {"url": url})
        changed = writer.put("/v1/recipients/ops", json=body)
        assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
        with store.reading() as tx:
            one = tx.recipients()["ops"]
        assert (one.name, one.url, one.secret) == ("Renamed", URL, SECRET)

    def test_a_new_secret_takes_the_place_of_the_old_one(self, writer: Any, store: Any) -> None:
        writer.put("/v1/recipients/ops", json={"url": URL})
        changed = writer.put("/v1/recipients/ops", json={"secret": SECRET})
        assert changed.json()["secret"] is None
        with store.reading() as tx:
            assert tx.recipients()["ops"].secret == SECRET

    def test_who_was_slower_is_refused(self, writer: Any) -> None:
        writer.put("/v1/recipients/ops", json={"url": URL})
        headers = {"If-Match": '"9"'}
        answer = writer.put("/v1/recipients/ops", json={"name": "x"}, headers=headers)
        assert answer.status_code == 412

    @pytest.mark.parametrize(
        ("wanted", "sort", "name"),
        [
            ({}, "no-channel", None),
            ({"url": ""}, "bad-value", "url"),
            ({"url": URL, "secret": "whsec_short"}, "bad-value", "secret"),
            ({"url": URL, "secret": "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "bad-value", "secret"),
            ({"url": URL, "digest": {"every": "monthly"}}, "bad-value", "digest.every"),
            ({"url": URL, "quiet": {"since": "7", "until": "08:00"}}, "bad-value", "quiet.since"),
            ({"url": URL, "quiet": {"since": "07:00", "until": "07:00"}}, "bad-value", "quiet"),
            ({"url": URL, "filters": {"rule": ["x"]}}, "bad-value", "filters.rule"),
            ({"url": URL, "filters": {"events": ["x"]}}, "bad-value", "filters.events.0"),
            ({"url": URL, "id": "other"}, "bad-value", "id"),
        ],
    )
    def test_what_makes_no_sense_is_refused_and_nothing_stored(
        self, writer: Any, wanted: Any, sort: str, name: str | None
    ) -> None:
        answer = writer.put("/v1/recipients/ops", json=wanted)
        assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{sort}")
        assert [one["name"] for one in answer.json().get("errors", [])] == ([name] if name else [])
        assert writer.get("/v1/recipients").json()["items"] == []

    def test_the_audit_log_knows_no_secret(self, writer: Any, anonymous: Any) -> None:
        writer.put("/v1/recipients/ops", json={"url": URL, "secret": SECRET})
        writer.put("/v1/recipients/ops", json={"enabled": False})
        writer.delete("/v1/recipients/ops")
        headers = {"Authorization": "Bearer rtr_admin"}
        answer = anonymous.get("/v1/audit?kind=recipient", headers=headers)
        actions = [line["action"] for line in answer.json()["items"]]
        assert actions == ["delete", "change", "create"]
        assert "s3cret" not in answer.text
        assert "whsec_" not in answer.text


class TestRealChannels:
    @pytest.fixture
    def channels(self) -> Iterator[Ways]:
        with closing(Ways(Guard(networks("127.0.0.2/32")), SystemClock())) as ways:
            yield ways

    @pytest.mark.parametrize(
        ("url", "why"),
        [
            ("http://127.0.0.1/hook", "127.0.0.1 is not a public address"),
            ("http://[::ffff:127.0.0.1]/hook", "::ffff:127.0.0.1 is not a public address"),
            ("http://169.254.169.254/latest", "169.254.169.254 is not a public address"),
            ("https://me:pw@127.0.0.2/", "a webhook has no user and no password: "),
            ("https://", "this is no URL of a webhook: "),
            ("nosuch://x", "Apprise cannot read this URL"),
            ("s3cret", "Apprise cannot read this URL"),
            ("json://127.0.0.1/x", "127.0.0.1 is not a public address"),
        ],
    )
    def test_a_channel_that_leads_nowhere_is_refused_and_nothing_stored(
        self, writer: Any, url: str, why: str
    ) -> None:
        answer = writer.put("/v1/recipients/ops", json={"url": url})
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (422, "/problems/bad-channel")
        assert problem["detail"].startswith(why)
        assert "s3cret" not in answer.text
        assert writer.get("/v1/recipients").json()["items"] == []

    def test_a_test_tells_what_became_of_it(self, writer: Any) -> None:
        with Receiver("127.0.0.2") as receiver:
            body = {"url": receiver.url, "secret": SECRET}
            assert writer.put("/v1/recipients/ops", json=body).status_code == 201
            tried = writer.post("/v1/recipients/ops/test").json()
        assert (tried["ok"], tried["told"]) == (True, "HTTP 204")
        assert receiver.ids == [tried["id"]]
        assert receiver.got[0].body["type"] == "test"

    def test_a_test_that_fails_shows_nothing_of_the_answer(self, writer: Any) -> None:
        with Receiver("127.0.0.2", status=500) as receiver:
            writer.put("/v1/recipients/ops", json={"url": receiver.url, "secret": SECRET})
            answer = writer.post("/v1/recipients/ops/test")
        assert answer.status_code == 200
        assert (answer.json()["ok"], answer.json()["told"]) == (False, "HTTP 500")
        assert "s3cret" not in answer.text


def test_a_test_by_mqtt_is_left_in_the_outbox(writer: Any, store: Any) -> None:
    writer.put("/v1/recipients/bus", json={"url": "mqtt:"})
    tried = writer.post("/v1/recipients/bus/test").json()
    assert (tried["ok"], tried["told"]) == (True, "left in the outbox")
    with store.writing() as tx:
        assert [one.topic for one in tx.outbox(9)] == ["retour/alerts/test"]


class TestWithoutChannels:
    @pytest.fixture
    def channels(self) -> None:
        return None

    def test_nobody_is_enlisted(self, writer: Any) -> None:
        answer = writer.put("/v1/recipients/ops", json={"url": URL})
        assert (answer.status_code, answer.json()["type"]) == (501, "/problems/no-channels")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/v1/recipients/x"),
        ("delete", "/v1/recipients/x"),
        ("post", "/v1/recipients/x/test"),
    ],
)
def test_who_is_not_known_is_not_found(writer: Any, method: str, path: str) -> None:
    answer = writer.request(method, path)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-recipient")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("put", "/v1/recipients/ops"),
        ("delete", "/v1/recipients/ops"),
        ("post", "/v1/recipients/ops/test"),
        ("post", "/v1/deliveries/ops-1/retry"),
    ],
)
def test_a_change_takes_the_scope_write(client: Any, method: str, path: str) -> None:
    body = {"url": URL} if method == "put" else None
    answer = client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/scope-too-small")


class TestDeliveries:
    @pytest.fixture(autouse=True)
    def queued(self, store: Any) -> None:
        ops = Recipient(id="ops", url=URL)
        event = Event(ALERT, "opened", NOON)
        with store.writing() as tx:
            tx.put_recipient(ops)
            for n in range(1, 6):
                tx.queue_deliveries(deliveries([ops], n, event, About(), NOON + n))
            one = tx.delivery("ops-2")
            failed = Attempt(NOON, False, "HTTP 500")
            tx.save_deliveries([one._replace(state=Way.PARKED, attempts=(failed,), lead="ops-2")])
            other = tx.delivery("ops-3")
            tx.save_deliveries([other._replace(state=Way.PARKED, lead="ops-2")])

    def test_they_are_listed_by_pages_with_their_attempts(self, client: Any) -> None:
        found, cursor = [], ""
        while cursor is not None:
            page = client.get(f"/v1/deliveries?limit=2{cursor}").json()
            found += page["items"]
            cursor = page["next"] and f"&cursor={page['next']}"
        assert [one["id"] for one in found] == [f"ops-{n}" for n in (5, 4, 3, 2, 1)]
        assert found[3]["attempts"] == [
            {"at": "2026-01-05T12:00:00.000Z", "ok": False, "told": "HTTP 500"}
        ]
        assert (found[4]["title"], found[4]["state"]) == ("A1 is overdue", "waiting")

    def test_filters(self, client: Any) -> None:
        def ids(query: str) -> list[str]:
            return [one["id"] for one in client.get(f"/v1/deliveries?{query}").json()["items"]]

        assert ids("state=parked") == ["ops-3", "ops-2"]
        assert ids("recipient=other") == []
        assert len(ids("recipient=ops")) == 5
        assert client.get("/v1/deliveries?state=gone").status_code == 422

    @pytest.mark.parametrize("id", ["ops-2", "ops-3"])
    def test_what_was_given_up_is_sent_after_all_with_what_travels_with_it(
        self, writer: Any, clock: Any, id: str
    ) -> None:
        clock.at = NOON + 1_000
        answer = writer.post(f"/v1/deliveries/{id}/retry")
        assert (answer.status_code, answer.json()["id"]) == (200, id)
        items = writer.get("/v1/deliveries").json()["items"]
        states = {one["id"]: (one["state"], one["due"], len(one["attempts"])) for one in items}
        assert states["ops-2"] == ("waiting", "2026-01-05T12:00:01.000Z", 0)
        assert states["ops-3"][0] == "gathered"

    def test_only_what_was_given_up(self, writer: Any) -> None:
        answer = writer.post("/v1/deliveries/ops-1/retry")
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/not-parked")
        answer = writer.post("/v1/deliveries/ops-99/retry")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-delivery")

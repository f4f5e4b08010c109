"""Partners and leases through the API: stated, changed, and told as a calendar."""

from typing import Any

import pytest

from tracker.arrange import arrange
from tracker.audit import Act
from tracker.facts import fact_of, note, state
from tracker.lease_book import save_partner
from tracker.leases import Partner
from tracker.model import Asset
from tracker.places import Site
from tracker.registry import save_asset
from tracker.stamps import StampPolicy

NOON = 1_767_614_400_000  # 2026-01-05T12:00:00Z
DAY = 86_400_000
ACT = Act("me", NOON, NOON)
PERIOD = {"from": "2026-01-02", "due": "2026-02-02"}
LEASE = {
    "customer": "acme",
    "site": "shop",
    "timezone": "Europe/Amsterdam",
    "lines": [{"asset": "A1", **PERIOD}, {"asset": "A2", **PERIOD}, {"class": "crate", **PERIOD}],
}
LINE = "/v1/leases/L1/lines"


@pytest.fixture(autouse=True)
def places(world: Any) -> None:
    with world.store.writing() as tx:
        for id in ("shop", "depot"):
            arrange(tx, Site(id=id))
        for id, kind in (("A1", "pallet"), ("A2", "pallet"), ("A3", "pallet"), ("C1", "crate")):
            save_asset(tx, Asset(id, kind))
        for id, name in (("acme", "Acme, Foods"), ("bolt", "")):
            save_partner(tx, Partner(id, name), ACT)


@pytest.fixture
def leased(writer: Any) -> Any:
    """A client that may write, and a lease of three lines."""
    answer = writer.put("/v1/leases/L1", json=LEASE)
    assert answer.status_code == 201, answer.text
    return writer


def type_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def lines(answer: Any) -> list[Any]:
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["lines"]
    return found


def agreed(client: Any) -> Any:
    return client.get("/v1/leases/L1").json()["agreements"][-1]


class TestPartners:
    def test_a_partner_is_registered_changed_and_listed(self, writer: Any) -> None:
        body = {"name": "Cato", "kind": "customer", "sites": ["shop"]}
        made = writer.put("/v1/partners/cato", json=body)
        assert (made.status_code, made.json()) == (201, {"id": "cato", **body})
        assert writer.put("/v1/partners/cato", json=body).headers["etag"] == made.headers["etag"]
        changed = writer.put("/v1/partners/cato", json={"name": "C"})
        assert (changed.status_code, changed.json()["sites"]) == (200, [])
        assert writer.get("/v1/partners/cato").json() == changed.json()
        listed = writer.get("/v1/partners").json()["items"]
        assert [one["id"] for one in listed] == ["acme", "bolt", "cato"]

    def test_a_change_of_an_older_version_is_refused(self, writer: Any) -> None:
        tag = writer.get("/v1/partners/acme").headers["etag"]
        writer.put("/v1/partners/acme", json={"name": "A"}, headers={"If-Match": tag})
        late = writer.put("/v1/partners/acme", json={"name": "B"}, headers={"If-Match": tag})
        assert type_of(late) == (412, "outdated")
        new = writer.put("/v1/partners/acme", json={}, headers={"If-None-Match": "*"})
        assert type_of(new) == (412, "outdated")

    def test_what_is_not_there(self, writer: Any, client: Any) -> None:
        assert type_of(writer.get("/v1/partners/nobody")) == (404, "unknown-lease")
        moon = writer.put("/v1/partners/acme", json={"sites": ["moon"]})
        assert type_of(moon) == (409, "unregistered")
        assert type_of(writer.put("/v1/partners/acme", json={"id": "x"})) == (422, "bad-value")
        assert type_of(client.put("/v1/partners/acme", json={})) == (403, "scope-too-small")


class TestLeases:
    def test_a_lease_is_told_with_its_lines(self, leased: Any) -> None:
        told = leased.get("/v1/leases/L1").json()
        seen, agreements = told.pop("seen_back"), told.pop("agreements")
        assert (seen, len(agreements)) == ({}, 3)
        assert leased.get("/v1/leases").json()["items"] == [told]
        first = told.pop("lines")[0]
        assert first == {
            "id": "1",
            "asset": "A1",
            "class": None,
            "from": "2026-01-02",
            "due": "2026-02-02",
            "due_at": "2026-02-02T23:00:00.000Z",
            "ended": None,
        }
        assert told == {
            "id": "L1",
            "customer": "acme",
            "site": "shop",
            "sites": [],
            "timezone": "Europe/Amsterdam",
            "return_to": None,
            "grace_h": 24,
            "open_days": False,
            "consignees": [],
            "attributes": {},
            "returned": 0,
            "of": 3,
        }

    def test_leases_of_a_customer(self, leased: Any) -> None:
        other = LEASE | {"customer": "bolt", "lines": [{"asset": "A3", **PERIOD}]}
        leased.put("/v1/leases/L2", json=other)
        for customer, ids in (("acme", ["L1"]), ("bolt", ["L2"])):
            found = leased.get("/v1/leases", params={"customer": customer}).json()["items"]
            assert [one["id"] for one in found] == ids
        nobody = leased.get("/v1/leases", params={"customer": "nobody"})
        assert type_of(nobody) == (404, "unknown-lease")

    def test_said_again_it_is_the_same_and_a_change_has_another_version(self, leased: Any) -> None:
        tag = leased.get("/v1/leases/L1").headers["etag"]
        again = leased.put("/v1/leases/L1", json={"id": "L1", **LEASE})
        assert (again.status_code, again.headers["etag"]) == (200, '"1"')
        changed = leased.put(
            "/v1/leases/L1", json=LEASE | {"grace_h": 4}, headers={"If-Match": tag}
        )
        assert (changed.json()["grace_h"], changed.headers["etag"]) == (4, '"2"')
        late = leased.put("/v1/leases/L1", json=LEASE, headers={"If-Match": tag})
        assert type_of(late) == (412, "outdated")
        late = leased.post(f"{LINE}/1/cancel", json={}, headers={"If-Match": tag})
        assert type_of(late) == (412, "outdated")

    @pytest.mark.parametrize(
        ("change", "status", "type", "told"),
        [
            ({"customer": "nobody"}, 409, "unregistered", "there is no partner nobody"),
            ({"site": "moon"}, 409, "unregistered", "there is no site moon"),
            ({"lines": [{"asset": "A9", **PERIOD}]}, 409, "unregistered", "no asset A9"),
            ({"lines": [{"asset": "A1", **PERIOD}]}, 409, "conflict", "A1 is on lease L1, line 1"),
            ({"lines": [PERIOD]}, 422, "bad-value", "give the `asset`, or the `class`"),
            ({"lines": []}, 422, "bad-value", "at least 1 item"),
            (
                {"lines": [{"asset": "A3", "from": "2026-01-02", "due": "2026-01-01"}]},
                422,
                "bad-value",
                "lies after `due`",
            ),
            ({"timezone": "CEST"}, 422, "bad-value", "is no IANA time zone"),
            ({"color": "blue"}, 422, "bad-value", "Extra inputs are not permitted"),
        ],
    )
    def test_what_cannot_be(
        self, leased: Any, change: Any, status: int, type: str, told: str
    ) -> None:
        answer = leased.put("/v1/leases/L2", json=LEASE | {"lines": LEASE["lines"][2:]} | change)
        assert type_of(answer) == (status, type)
        assert told in answer.json()["detail"]
        assert type_of(leased.get("/v1/leases/L2")) == (404, "unknown-lease")

    def test_a_reader_may_not_change_it(self, leased: Any, client: Any) -> None:
        assert type_of(client.put("/v1/leases/L1", json=LEASE)) == (403, "scope-too-small")
        assert type_of(client.post(f"{LINE}/1/cancel", json={})) == (403, "scope-too-small")
        assert client.get("/v1/leases/L1").status_code == 200

    def test_that_an_asset_was_seen_back_is_told_beside_the_paper(
        self, leased: Any, world: Any
    ) -> None:
        told = {"asset": "A2"}
        facts = [
            told | {"id": "f1", "kind": "dispatched", "at": NOON - 2 * DAY},
            told | {"id": "f2", "kind": "received", "at": NOON - DAY},
        ]
        with world.store.writing() as tx:
            note(tx, ACT, state(tx, [fact_of(one) for one in facts], StampPolicy(), NOON))
        told = leased.get("/v1/leases/L1").json()
        assert told["seen_back"] == {"2": "2026-01-04T12:00:00.000Z"}
        assert (told["returned"], told["lines"][1]["ended"]) == (0, None)

    def test_a_fact_that_it_has_ended_closes_its_line(self, leased: Any) -> None:
        fact = {"id": "f", "asset": "A2", "kind": "lease_ended", "at": NOON - DAY}
        assert leased.post("/v1/facts", json=fact).json()["stored"] == 1
        told = leased.get("/v1/leases/L1").json()
        assert told["lines"][1]["ended"] == {"how": "returned", "at": "2026-01-04T12:00:00.000Z"}
        assert told["returned"] == 1


class TestLines:
    def test_it_is_extended(self, leased: Any) -> None:
        body = {"due": "2026-03-02", "at": NOON - DAY, "note": "by phone"}
        found = lines(leased.post(f"{LINE}/1/extend", json=body))
        assert [one["due"] for one in found] == ["2026-03-02", "2026-02-02", "2026-02-02"]
        assert agreed(leased) == {
            "line": "1",
            "kind": "extended",
            "at": "2026-01-04T12:00:00.000Z",
            "recorded": "2026-01-05T12:00:00.000Z",
            "by": "key write (k-write)",
            "body": {"due": "2026-03-02", "note": "by phone"},
        }

    def test_part_of_an_order_comes_back(self, leased: Any) -> None:
        answer = leased.post(f"{LINE}/2/return", json={"to": "depot", "at": "2026-01-05T08:00:00Z"})
        ended = {"how": "returned", "at": "2026-01-05T08:00:00.000Z"}
        assert [one["ended"] for one in lines(answer)] == [None, ended, None]
        assert (answer.json()["returned"], answer.json()["of"]) == (1, 3)
        assert type_of(leased.post(f"{LINE}/2/return", json={})) == (409, "conflict")

    def test_it_is_cancelled(self, leased: Any) -> None:
        answer = leased.post(f"{LINE}/3/cancel", json={})
        assert lines(answer)[2]["ended"]["how"] == "cancelled"
        assert answer.json()["of"] == 2

    def test_one_of_its_class_is_dispatched(self, leased: Any) -> None:
        found = lines(leased.post(f"{LINE}/3/dispatch", json={"asset": "C1"}))
        assert (found[2]["asset"], found[2]["class"]) == ("C1", "crate")
        wrong = leased.post(f"{LINE}/3/dispatch", json={"asset": "A3"})
        assert type_of(wrong) == (409, "conflict")

    def test_it_gets_another_asset(self, leased: Any) -> None:
        found = lines(leased.post(f"{LINE}/1/swap", json={"asset": "A3"}))
        assert [(one["id"], one["asset"]) for one in found if one["ended"] is None] == [
            ("2", "A2"),
            ("3", None),
            ("4", "A3"),
        ]

    def test_it_is_handed_over(self, leased: Any) -> None:
        body = {"to": "bolt", "site": "depot", "signed": "J. Doe"}
        answer = leased.post(f"{LINE}/1/hand-over", json=body)
        assert answer.json()["consignees"] == ["bolt"]
        assert agreed(leased)["body"] == body

    @pytest.mark.parametrize(
        ("path", "body", "status", "type"),
        [
            ("/v1/leases/L9/lines/1/cancel", {}, 404, "unknown-lease"),
            (f"{LINE}/9/cancel", {}, 404, "unknown-line"),
            (f"{LINE}/1/cancel", {"at": NOON + DAY}, 422, "bad-lease"),
            (f"{LINE}/1/extend", {"due": "2026-01-01"}, 422, "bad-lease"),
            (f"{LINE}/1/extend", {}, 422, "bad-value"),
            (f"{LINE}/1/return", {"to": "moon"}, 409, "unregistered"),
            (f"{LINE}/1/swap", {"asset": "A2"}, 409, "conflict"),
            (f"{LINE}/1/hand-over", {"to": "nobody"}, 409, "unregistered"),
            (f"{LINE}/1/cancel", {"nte": "x"}, 422, "bad-value"),
        ],
    )
    def test_what_is_refused_changes_nothing(
        self, leased: Any, path: str, body: Any, status: int, type: str
    ) -> None:
        before = leased.get("/v1/leases/L1").json()
        assert type_of(leased.post(path, json=body)) == (status, type)
        assert leased.get("/v1/leases/L1").json() == before


def events(text: str) -> list[dict[str, str]]:
    """The events of a calendar, its folded lines put together."""
    found: list[dict[str, str]] = []
    for line in text.replace("\r\n ", "").split("\r\n"):
        name, _, value = line.partition(":")
        if line == "BEGIN:VEVENT":
            found.append({})
        elif found:
            found[-1][name] = value
    return found


class TestCalendar:
    def test_each_open_line_has_its_day(self, leased: Any, client: Any) -> None:
        answer = client.get("/v1/leases.ics")
        assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
        assert answer.text.startswith("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:")
        assert answer.text.endswith("END:VEVENT\r\nEND:VCALENDAR\r\n")
        assert [one["UID"] for one in events(answer.text)] == [f"L1/{n}@retour" for n in (1, 2, 3)]
        first, _, third = events(answer.text)
        assert first["DTSTART;VALUE=DATE"] == "20260202"
        assert first["DTEND;VALUE=DATE"] == "20260203"
        assert first["SUMMARY"] == r"A1 due from Acme\, Foods"
        assert third["SUMMARY"] == r"crate (any) due from Acme\, Foods"

    def test_a_line_keeps_its_uid_until_it_ends(self, leased: Any) -> None:
        leased.post(f"{LINE}/1/extend", json={"due": "2026-03-02"})
        leased.post(f"{LINE}/2/return", json={})
        first, third = events(leased.get("/v1/leases.ics").text)
        assert (first["UID"], third["UID"]) == ("L1/1@retour", "L1/3@retour")
        assert (first["DTSTART;VALUE=DATE"], first["SEQUENCE"]) == ("20260302", "2")

    def test_it_is_not_sent_again_to_who_has_it(self, leased: Any) -> None:
        tag = leased.get("/v1/leases.ics").headers["etag"]
        again = leased.get("/v1/leases.ics", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        leased.post(f"{LINE}/2/return", json={})
        assert leased.get("/v1/leases.ics", headers={"If-None-Match": tag}).status_code == 200

    def test_lines_are_short_in_octets_and_whole_in_characters(self, leased: Any) -> None:
        name = "Größe; \\ Ü\n" * 20
        leased.put("/v1/partners/acme", json={"name": name})
        content = leased.get("/v1/leases.ics").content
        assert max(map(len, content.split(b"\r\n"))) == 75
        told = events(content.decode())[0]["SUMMARY"].removeprefix("A1 due from ")
        plain = told.replace(r"\n", "\n").replace(r"\;", ";").replace("\\\\", "\\")
        assert plain == name

    def test_those_of_a_customer(self, leased: Any) -> None:
        assert len(events(leased.get("/v1/leases.ics", params={"customer": "acme"}).text)) == 3
        assert events(leased.get("/v1/leases.ics", params={"customer": "bolt"}).text) == []
        nobody = leased.get("/v1/leases.ics", params={"customer": "nobody"})
        assert type_of(nobody) == (404, "unknown-lease")

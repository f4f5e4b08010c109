import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker import tracks
from tracker.audit import PROGRAM
from tracker.lease_book import save_lease, save_partner
from tracker.lease_terms import Lease
from tracker.leases import Partner
from tracker.model import Fix, Read, Values
from tracker.places import Standing

NOON = 1_767_614_400_000
GATE = Standing(lat=51.9, lon=4.4, acc=25.0)
TAG = "tag:E280"


def walk(client: Any, path: str, **params: Any) -> list[list[Any]]:
    """The items of each page, up to the end."""
    pages = []
    cursor: str | None = None
    while True:
        given = {**params, **({"cursor": cursor} if cursor else {})}
        answer = client.get(path, params=given)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["items"])
        cursor = answer.json()["next"]
        if cursor is None:
            return pages
        assert len(pages[-1]) == params["limit"]


@pytest.fixture(scope="module")
def template(filling: Any) -> Any:
    """Seven of everything."""
    with filling() as world:
        for n in range(7):
            world.site(f"s{n}", *((4.2, 53.0, 500_000) if n == 0 else (100 + n,)))
            world.zone(f"z{n}", "s0")
            world.device(f"d{n}", place=GATE)
            world.asset(f"a{n}", devices=(f"d{n}",))
            lines = [{"asset": f"a{n}", "from": "2026-01-02", "due": "2026-02-02"}]
            lease = {"id": f"L{n}", "customer": f"p{n}", "site": "s0", "lines": lines}
            with world.store.writing() as tx:
                save_partner(tx, Partner(f"p{n}"), PROGRAM)
                save_lease(tx, Lease.model_validate(lease), PROGRAM)
            world.bury(b"{%d" % n)
            world.tell("stranger", n, (NOON, Fix(50.0 + n, 4.2)))
            if n > 0:
                world.tell(f"d{n}", 99, (NOON - 50 * n, Fix(52.0, 4.2)))
            world.tell("d0", n, (NOON - 100, Values({"battery": 0.8})), (NOON, Fix(50.0 + n, 4.2)))
        return world.store.path


LISTINGS = {
    "/v1/assets": lambda item: item["id"],
    "/v1/devices": lambda item: item["id"],
    "/v1/dead-letters": lambda item: -item["id"],
    "/v1/quarantine": lambda item: -item["id"],
    "/v1/assets/a0/track": lambda item: item["at"],
    "/v1/sites": lambda item: item["id"],
    "/v1/zones": lambda item: item["id"],
    "/v1/partners": lambda item: item["id"],
    "/v1/leases": lambda item: item["id"],
    "/v1/readers": lambda item: item["device"],
    "/v1/sites/s0/inside": lambda item: item["asset"],
    "/v1/sites/s0/visits": lambda item: (item["since"], item["asset"]),
}


@pytest.mark.parametrize("path", LISTINGS)
@pytest.mark.parametrize("limit", [1, 3, 7, 8])
def test_a_walk_meets_everything_once_and_in_order(client: Any, path: str, limit: int) -> None:
    pages = walk(client, path, limit=limit)
    items = [item for page in pages for item in page]
    assert len(items) == 7
    assert len({str(item) for item in items}) == 7
    assert items == sorted(items, key=LISTINGS[path])
    assert len(pages) == -(-7 // limit)


def test_what_comes_meanwhile_does_not_disturb_a_walk(client: Any, world: Any) -> None:
    first = client.get("/v1/dead-letters", params={"limit": 4}).json()
    world.bury(b"newer")
    second = client.get("/v1/dead-letters", params={"limit": 4, "cursor": first["next"]}).json()
    assert [item["payload"] for item in first["items"] + second["items"]] == [
        f"{{{n}" for n in reversed(range(7))
    ]
    assert second["next"] is None


def forged(content: bytes) -> str:
    return urlsafe_b64encode(content).decode()


NO_CURSORS = [
    "",
    "x",
    "nonsense!",
    "é",
    "\x00",
    forged(b"[]"),
    forged(b"7"),
    forged(b'["", "a1", 2]'),
    forged(b'["00", {}]'),
    forged(b"\xff"),
]
NO_POSITIONS = [
    "null",
    '"\\ud800"',  # half a character
    "-1",
    str(2**63),
    "0.5",
    "true",
    "[]",
    "[1]",
    f'[{2**63}, "{0:032}"]',
    f'["1", "{0:032}"]',
]


@pytest.mark.parametrize("path", LISTINGS)
def test_what_is_no_cursor_is_refused(client: Any, path: str) -> None:
    made = client.get(path, params={"limit": 1}).json()["next"]
    query = json.loads(urlsafe_b64decode(made + "=="))[0]
    of_this_query = [forged(f'["{query}", {position}]'.encode()) for position in NO_POSITIONS]
    for cursor in NO_CURSORS + of_this_query:
        answer = client.get(path, params={"cursor": cursor})
        assert answer.status_code == 400, cursor
        assert answer.json()["type"] == "/problems/bad-cursor"


def test_a_moment_has_the_key_of_an_event(client: Any) -> None:
    made = client.get("/v1/assets/a0/track", params={"limit": 1}).json()["next"]
    query = json.loads(urlsafe_b64decode(made + "=="))[0]
    cursor = forged(f'["{query}", [1, "k"]]'.encode())
    assert client.get("/v1/assets/a0/track", params={"cursor": cursor}).status_code == 400


def test_a_cursor_is_good_for_its_own_listing_alone(client: Any) -> None:
    cursors = {path: client.get(path, params={"limit": 2}).json()["next"] for path in LISTINGS}
    for made, cursor in cursors.items():
        for path in LISTINGS:
            status = client.get(path, params={"cursor": cursor}).status_code
            assert status == (200 if path == made else 400), (made, path)


def test_a_cursor_is_good_for_its_own_filters_alone(client: Any) -> None:
    path = "/v1/assets/a0/track"
    params = {"from": NOON - 5, "to": NOON + 5, "limit": 2}
    params["cursor"] = client.get(path, params=params).json()["next"]
    assert client.get(path, params=params).status_code == 200
    # Neither another limit nor another way to write a time makes another query.
    again = {**params, "limit": 5, "to": "2026-01-05T12:00:00.005Z"}
    assert client.get(path, params=again).status_code == 200
    for other in ({"from": NOON}, {"to": NOON + 6}):
        assert client.get(path, params={**params, **other}).status_code == 400
    assert client.get("/v1/assets/a1/track", params=params).status_code == 400


SEEN = st.one_of(
    st.integers(-90, 90).map(lambda lat: Fix(float(lat), 4.2)),
    st.just(Read(TAG)),
    st.just(Values({"battery": 0.8})),
)
EVENTS = st.lists(st.tuples(st.integers(NOON - 5, NOON), SEEN), max_size=25)
number = count()


@given(
    events=EVENTS,
    limit=st.integers(1, 9),
    period=st.tuples(st.integers(-6, 1), st.integers(-6, 1)).map(sorted),
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_track_is_what_a_plain_list_would_be(
    client: Any, world: Any, events: list[Any], limit: int, period: list[int]
) -> None:
    n = next(number)
    tracker, gate, stray, asset, tag = f"t{n}", f"g{n}", f"s{n}", f"x{n}", f"tag:{n:04X}"
    world.device(tracker)
    world.device(gate, place=GATE)
    world.device(stray)  # a reader that nobody knows the place of
    world.asset(asset, devices=(tracker,), tags=(tag,))
    messages = []
    for seq, (at, what) in enumerate(events):
        if isinstance(what, Read):
            messages.append(world.message((gate, stray)[seq % 2], seq, (at, Read(tag))))
        else:
            messages.append(world.message(tracker, seq, (at, what)))
    world.send(*messages)

    since, until = (NOON + ms for ms in period)
    rows = [message.observations[0] for message in messages]
    expected = [
        (row.at, row.device, row.what.lat if isinstance(row.what, Fix) else GATE.lat)
        for row in sorted(rows, key=lambda row: (row.at, row.key))
        if since <= row.at < until and not isinstance(row.what, Values) and row.device != stray
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracks, "PAGE", 3)
        params = {"from": since, "to": until, "limit": limit}
        pages = walk(client, f"/v1/assets/{asset}/track", **params)
    found = [(place["at"], place["device"], place["lat"]) for page in pages for place in page]
    assert found == [(f"2026-01-05T{clock_face(at)}Z", *rest) for at, *rest in expected]
    assert len(pages) == max(1, -(-len(expected) // limit))


def clock_face(at: int) -> str:
    return "12:00:00.000" if at == NOON else f"11:59:59.{at - NOON + 1000:03}"

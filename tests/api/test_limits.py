"""A client may ask as often, and send as much, as there is room for; nobody else pays for it."""

import socket
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import limits as module
from api.app import create_app
from api.limits import BODY_AT_MOST, BULK_BODY_AT_MOST, Rate
from api.server import serving

PAUSES = st.floats(0, 10, allow_subnormal=False)
HELLO = {"Authorization": "Bearer rtr_write"}


class TickingClock:
    rate = 1.0

    def __init__(self) -> None:
        self.at = 100.0

    def now(self) -> int:
        return 1_767_614_400_000

    wall = now

    def mono(self) -> float:
        return self.at


@pytest.fixture
def ticking() -> TickingClock:
    return TickingClock()


@pytest.fixture
def limited(store: Any, ticking: TickingClock, anonymous: Any) -> Any:
    with type(anonymous)(create_app(store, ticking, rate=Rate(0.5, 3))) as client:
        yield client


def test_a_burst_passes_and_then_the_rate_holds(limited: Any, ticking: TickingClock) -> None:
    def statuses(n: int, secret: str = "rtr_read") -> list[int]:
        headers = {"Authorization": f"Bearer {secret}"}
        return [limited.get("/v1/assets", headers=headers).status_code for _ in range(n)]

    assert statuses(1) == [200]  # still counted by address: nobody knows the key yet
    assert statuses(5) == [200, 200, 200, 429, 429]
    assert statuses(1, "rtr_write") == [200]
    ticking.at += 2
    assert statuses(2) == [200, 429]
    ticking.at += 60
    assert statuses(4) == [200, 200, 200, 429]


def test_who_is_refused_is_told_when_to_come_back(limited: Any) -> None:
    limited.get("/v1/assets", headers=HELLO)
    answers = [limited.get("/v1/assets", headers=HELLO) for _ in range(4)]
    assert answers[3].status_code == 429
    assert answers[3].headers["retry-after"] == "2"
    assert answers[3].headers["content-type"] == "application/problem+json"
    assert answers[3].headers["cache-control"] == "no-store"
    assert answers[3].json()["type"] == "/problems/too-many-requests"
    assert answers[3].json()["instance"] == "/v1/assets"


def test_who_has_no_key_is_counted_by_address(limited: Any) -> None:
    statuses = [limited.get("/v1/assets").status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 429]


def test_invented_keys_are_counted_by_address(limited: Any) -> None:
    invented = [{"Authorization": f"Bearer rtr_{n}"} for n in range(4)]
    statuses = [limited.get("/v1/assets", headers=one).status_code for one in invented]
    assert statuses == [401, 401, 401, 429]


def test_a_key_is_one_client_however_it_is_written(limited: Any) -> None:
    limited.get("/v1/assets", headers=HELLO)
    for spaces, status in ((1, 200), (2, 200), (7, 200), (9, 429)):
        written = {"Authorization": f"bearer{' ' * spaces}rtr_write"}
        assert limited.get("/v1/assets", headers=written).status_code == status


@pytest.mark.parametrize(
    ("key", "detail"),
    [
        (None, "send a key as"),
        ("rtr_invented", "the key is not valid"),
        ("rtr_revoked", "not valid"),
    ],
)
def test_without_a_key_in_force_no_body_is_read(anonymous: Any, key: str, detail: str) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    for method, path in (("POST", "/v1/keys"), ("PUT", "/v1/assets/a"), ("PATCH", "/v1/assets/a")):
        answer = anonymous.request(method, path, content=b"{", headers=headers)
        assert answer.status_code == 401
        assert detail in answer.json()["detail"]


def test_of_very_many_errors_the_first_are_told(writer: Any) -> None:
    body = {"assets": [{"id": "a", "class": "x", **{f"k{n}": 1 for n in range(500)}}]}
    problem = writer.post("/v1/bulk/assets", json=body).json()
    assert len(problem["errors"]) == 20
    assert problem["detail"].endswith("; and 480 more")


def test_who_watches_the_process_is_not_counted(limited: Any) -> None:
    assert {limited.get("/health/live").status_code for _ in range(10)} == {200}


@pytest.mark.parametrize(("a_second", "burst"), [(0, 5), (-1, 5), (5, 0), (5, 0.5)])
def test_no_rate_is_no_rate(a_second: float, burst: float) -> None:
    with pytest.raises(ValueError, match="no rate"):
        Rate(a_second, burst)


@given(st.lists(PAUSES, min_size=1, max_size=200), st.floats(0.1, 100), st.integers(1, 50))
def test_over_any_time_no_more_than_burst_and_rate(
    pauses: list[float], a_second: float, burst: int
) -> None:
    rate, now, made = Rate(a_second, burst), 1_000.0, []
    for pause in pauses:
        now += pause
        if not rate.wait("a", now):
            made.append(now)
    for n, start in enumerate(made):
        for m, end in enumerate(made[n:], 1):
            assert m <= burst + a_second * (end - start) + 1e-3


@given(st.lists(PAUSES, min_size=1, max_size=100), st.floats(0.1, 100), st.integers(1, 50))
def test_who_waits_as_long_as_told_is_let_in(
    pauses: list[float], a_second: float, burst: int
) -> None:
    rate, now = Rate(a_second, burst), 1_000.0
    for pause in pauses:
        now += pause
        wait = rate.wait("a", now)
        if wait:
            now += wait + 1e-6
            assert rate.wait("a", now) == 0


def test_of_very_many_clients_the_longest_silent_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CLIENTS_AT_MOST", 3)
    rate = Rate(1, 1)
    for n in range(10):
        assert rate.wait(f"guess {n}", 0.0) == 0
        assert len(rate._full_at) <= 3
    assert rate.wait("guess 9", 0.0) > 0
    assert rate.wait("guess 0", 0.0) == 0


@pytest.mark.parametrize(
    ("path", "size", "refused"),
    [
        ("/v1/keys", BODY_AT_MOST, False),
        ("/v1/keys", BODY_AT_MOST + 1, True),
        ("/v1/bulk/nothing", BULK_BODY_AT_MOST, False),
        ("/v1/bulk/nothing", BULK_BODY_AT_MOST + 1, True),
        ("/v1/bulky", BODY_AT_MOST + 1, True),
    ],
)
def test_a_body_has_at_most_so_many_bytes(
    anonymous: Any, path: str, size: int, refused: bool
) -> None:
    answer = anonymous.post(path, content=b"[" + b" " * (size - 2) + b"]", headers=HELLO)
    assert (answer.status_code == 413) == refused
    if refused:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "/problems/too-large"
        at_most = BULK_BODY_AT_MOST if "bulk/" in path else BODY_AT_MOST
        assert answer.json()["detail"] == f"a request to this path has at most {at_most} bytes"


def test_a_body_of_no_stated_length_is_counted_while_it_comes(app: Any) -> None:
    def pieces() -> Any:
        for _ in range(BODY_AT_MOST // 65_536 + 1):
            yield b" " * 65_536

    headers = {"Authorization": "Bearer rtr_admin", "Content-Type": "application/json"}
    with serving(app, "127.0.0.1", 0) as url, httpx.Client(base_url=url, headers=headers) as client:
        answer = client.post("/v1/keys", content=pieces())
        assert answer.status_code == 413
        assert answer.json()["type"] == "/problems/too-large"
        assert client.get("/health/live").status_code == 200


def test_a_body_that_is_stated_too_large_is_not_awaited(app: Any) -> None:
    head = b"POST /v1/keys HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n"
    with serving(app, "127.0.0.1", 0) as url:
        address = httpx.URL(url)
        with socket.create_connection((address.host, address.port), timeout=30) as plain:
            plain.sendall(head)
            assert plain.recv(4096).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 100_000, b"\xff", b"", b"nul"])
def test_a_body_that_is_no_json_is_a_problem(anonymous: Any, body: bytes) -> None:
    headers = {"Authorization": "Bearer rtr_admin", "Content-Type": "application/json"}
    answer = anonymous.post("/v1/keys", content=body, headers=headers)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"

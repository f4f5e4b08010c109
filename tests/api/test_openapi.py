"""The API against its own description."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from gateway.decoders import decode_again
from tracker.access import ApiKey
from tracker.alerts import Alert
from tracker.alerts import Event as AlertEvent
from tracker.alerts import State as AlertState
from tracker.audit import PROGRAM, Act
from tracker.class_book import put_class
from tracker.class_files import shipped_class
from tracker.clocks import SystemClock
from tracker.lease_book import save_lease, save_partner
from tracker.lease_terms import Lease
from tracker.leases import Partner
from tracker.model import Asset, Fix, Read
from tracker.notices import Delivery, Notice, State
from tracker.places import Standing
from tracker.recipients import Recipient
from tracker.registry import save_asset
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore
from tracker.work import Done, Order
from tracker.working import open_order

NOON = 1_767_614_400_000
ENDLESS = "/v1/stream"  # test_stream.py asks it
ENTITY_TAGGED = re.compile(r"/v1/(assets|devices|sites|zones|readers|partners|leases)/{\w+}$")
LINE = {"asset": "pallet-1", "from": "2026-01-02", "due": "2026-02-02"}
LEASE = {"id": "L1", "customer": "acme", "site": "cust-1", "lines": [LINE]}
NOTICE = Notice("opened", NOON, "A1 is overdue", "It is.", "/v1/alerts/a", {})
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture
def decode() -> Any:
    """As `retour` starts it: this one can read messages again."""
    return decode_again


@pytest.fixture(scope="module")
def template(filling: Any) -> Any:
    """All that the examples speak of."""
    with filling() as world:
        fill(world)
        return world.store.path


def fill(world: Any) -> None:
    world.site("depot", lon=4.48, lat=51.92)
    world.site("cust-1", lon=4.3, lat=51.8)
    world.site("hub-1", lon=4.6, lat=51.87)
    world.zone("z_inspection", "depot")
    world.device("rdr-1", place=Standing(lat=51.9, lon=4.4, acc=25.0))
    world.device("trk-1")
    world.device("trk-2")
    world.asset("pallet-1", devices=("trk-1",), tags=("tag:E280",))
    with world.store.writing() as tx:
        save_asset(tx, Asset("pallet-1", "pallet", external_ids={"erp": "4711"}))
        save_asset(tx, Asset("pallet-5", "pallet"))
        for partner in ("acme", "bolt"):
            save_partner(tx, Partner(partner, sites=("cust-1",)), PROGRAM)
        save_lease(tx, Lease.model_validate(LEASE), Act("me", NOON, NOON))
        tx.add_key(ApiKey("key_3f2a9c0d1e4b", "old", b"digest", ("read",), 0))
        save_asset(tx, Asset("drill-7", "power_tool", attributes={"made": "2024-01-01"}))
        for name in ("pallet", "power_tool"):
            put_class(tx, shipped_class(name), Act("me", NOON, NOON))
        begun = Order("wo-118", "drill-7", "repair", NOON, "me", Done(), route="repair")
        open_order(tx, begun, Act("me", NOON, NOON), StampPolicy())
    with world.store.writing() as tx:
        times = (NOON, NOON, NOON, NOON)
        alert = Alert("pallet-1", "L1", "1", "overdue", 1, AlertState.OPEN, "serious", 1, *times)
        tx.save_alerts([alert])
        tx.add_alert_events([AlertEvent(alert, "opened", NOON)], NOON)
        tx.put_recipient(Recipient(id="ops", url="https://example.com/hook"))
        for state in (State.SENT, State.PARKED):
            one = Delivery("ops-17", "ops", "a", 17, state, NOON, NOON, NOTICE)
            tx.queue_deliveries([one._replace(id="ops-16") if state == State.SENT else one])
    for n in range(3):
        world.tell("trk-1", 2 * n, (NOON - n, Fix(51.92, 4.48)))
        world.tell("rdr-1", n, (NOON - n, Read("tag:E280")))
        world.tell("trk-9", n, (NOON, Fix(50.0, 4.2)))
        world.bury(b"{%d" % n)


@pytest.fixture
def described(app: FastAPI) -> Any:
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", app)
    return schema.exclude(path=ENDLESS)


@pytest.mark.thorough
def test_answers_are_as_described(described: Any) -> None:
    """Whatever has been asked and changed before, and whatever is asked."""
    for operation in described.get_all_operations():
        answers_as_described(operation.ok())


def answers_as_described(operation: Any) -> None:
    @given(case=operation.as_strategy())
    @settings(max_examples=25, deadline=None, derandomize=True, database=None)
    def ask(case: Any) -> None:
        case.call_and_validate(headers={"Authorization": "Bearer rtr_write"}, checks=CHECKS)

    ask()


@pytest.mark.thorough
def test_nonsense_breaks_nothing(described: Any) -> None:
    """What is asked against the description is refused, or does no harm."""
    for result in described.get_all_operations():
        operation = result.ok()
        if operation.path.startswith("/v1"):  # the others take nothing that could be wrong
            nonsense_breaks_nothing(operation)


def nonsense_breaks_nothing(operation: Any) -> None:
    @given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    @settings(max_examples=10, deadline=None, derandomize=True, database=None)
    def ask(case: Any) -> None:
        headers = {"Authorization": "Bearer rtr_write"}
        case.call_and_validate(headers=headers, checks=[not_a_server_error])

    ask()


def document() -> Any:
    return create_app(SqliteStore.__new__(SqliteStore), SystemClock()).openapi()


def examples() -> Iterator[Any]:
    """Each route as its description has it: its needs alone, then with each choice of its own."""
    described = document()
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            if path == ENDLESS:
                continue
            bodies = bodies_of(operation, described["components"]["schemas"])
            for body in bodies:
                for params in choices(operation):
                    if body is None and "requestBody" in operation and params:
                        continue
                    id = f"{method} {path} {params} {'' if body is None else body}"
                    yield pytest.param(method, path_of(path, operation), params, body, id=id)


def choices(operation: Any) -> list[dict[str, Any]]:
    asked = [one for one in operation.get("parameters", []) if one["in"] == "query"]
    needed = {one["name"]: one["schema"]["examples"][0] for one in asked if one["required"]}
    queries = [
        needed | {one["name"]: example}
        for one in asked
        if one["name"] != "cursor"  # which an answer before must give
        for example in one["schema"]["examples"]
    ]
    return [needed, *queries]


def path_of(path: str, operation: Any) -> str:
    for one in operation.get("parameters", []):
        if one["in"] == "path":
            path = path.replace("{" + one["name"] + "}", one["schema"]["examples"][0])
    return path


def bodies_of(operation: Any, schemas: Any) -> list[Any]:
    if "requestBody" not in operation:
        return [None]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    needless = [] if operation["requestBody"].get("required") else [None]
    (name,) = [
        one["$ref"].rpartition("/")[2]
        for one in [schema, *schema.get("anyOf", []), *schema.get("oneOf", [])]
        if "$ref" in one
    ]
    return (schemas[name].get("examples") or [of_fields(schemas[name])]) + needless


def of_fields(schema: Any) -> dict[str, Any]:
    """What must be given, or where anything may be left out, the first thing."""
    needed = schema.get("required") or [*schema["properties"]][:1]
    return {name: schema["properties"][name]["examples"][0] for name in needed}


@pytest.mark.thorough
@pytest.mark.parametrize(("method", "path", "params", "body"), [*examples()])
def test_every_example_works(
    anonymous: Any, method: str, path: str, params: Any, body: Any
) -> None:
    headers = {"Authorization": "Bearer rtr_admin"}
    answer = anonymous.request(method, path, params=params, json=body, headers=headers)
    assert answer.is_success, answer.text


def test_everything_is_described(app: FastAPI) -> None:
    described = app.openapi()
    assert described["info"]["title"] == "Retour"
    ids = []
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            ids.append(operation["operationId"])
            assert operation["tags"], path
            assert operation["description"], path
            for parameter in operation.get("parameters", []):
                assert parameter["description"], (path, parameter["name"])
                assert parameter["schema"]["examples"], (path, parameter["name"])
            if path.startswith("/v1"):
                assert {"401", "403", "422", "429", "503"} <= operation["responses"].keys(), path
            described_alike(path, method, operation)
    assert len(ids) == len(set(ids))
    for name, model in described["components"]["schemas"].items():
        for field, one in model.get("properties", {}).items():
            assert field == "items" or one.get("description"), f"{name}.{field}"


def described_alike(path: str, method: str, operation: Any) -> None:
    """What a route takes says how else it may be answered."""
    answers = operation["responses"]
    taken = {one["name"] for one in operation.get("parameters", [])}
    assert ({"413", "415"} <= answers.keys()) == ("requestBody" in operation), path
    assert ("400" in answers) == (not taken.isdisjoint({"cursor", "last_event_id"})), path
    if method in ("put", "patch", "delete") and ENTITY_TAGGED.match(path):
        assert {"If-Match", "If-None-Match"} <= taken, path
        assert "412" in answers, path
        assert all("ETag" in one["headers"] for code, one in answers.items() if code[0] == "2")
    if method == "get" and path.startswith("/v1") and path != ENDLESS:
        assert "If-None-Match" in taken, path
        assert "ETag" in answers["200"]["headers"], path
        assert "content" not in answers["304"], path


def test_where_what_is_made_or_taken_is_told_of_the_answers_head(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    for path, method in (("/v1/assets", "post"), ("/v1/assets/{asset}", "put")):
        made = paths[path][method]["responses"]["201"]
        assert made["headers"].keys() == {"ETag", "Location"}
    adopted = paths["/v1/devices/{device}/adopt"]["post"]["responses"]["201"]
    assert adopted["headers"].keys() == {"ETag"}
    assert "Retry-After" in paths["/v1/sites"]["get"]["responses"]["429"]["headers"]
    assert "304" not in paths["/health/live"]["get"]["responses"]


def test_problems_are_described_as_problems(app: FastAPI) -> None:
    for path, operations in app.openapi()["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if path.startswith("/v1") and status[0] in "45":
                    media = set(response["content"])
                    assert media == {"application/problem+json"}, (path, status)
                if path.startswith("/v1") and status in ("401", "503"):
                    assert response["headers"], (path, status)

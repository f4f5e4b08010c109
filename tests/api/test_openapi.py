"""The API against its own description."""

from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tracker.model import Fix, Read
from tracker.places import Standing

NOON = 1_767_614_400_000


@pytest.fixture
def described(app: FastAPI, world: Any) -> Any:
    world.device("trk-1")
    world.device("gate", place=Standing(lat=51.9, lon=4.4, acc=25.0))
    world.asset("pallet-1", devices=("trk-1",), tags=("tag:E280",))
    for n in range(3):
        world.tell("trk-1", 2 * n, (NOON - n, Fix(50.0, 4.2)))
        world.tell("gate", n, (NOON - n, Read("tag:E280")))
        world.tell("stranger", n, (NOON, Fix(50.0, 4.2)))
        world.bury(b"{%d" % n)
    return schemathesis.openapi.from_asgi("/v1/openapi.json", app)


def test_answers_are_as_described(described: Any) -> None:
    for operation in described.get_all_operations():
        answers_as_described(operation.ok())


def answers_as_described(operation: Any) -> None:
    @given(case=operation.as_strategy())
    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    def ask(case: Any) -> None:
        case.call_and_validate(
            headers={"Authorization": "Bearer rtr_read"},
            checks=[
                not_a_server_error,
                status_code_conformance,
                content_type_conformance,
                response_schema_conformance,
            ],
        )

    ask()


def test_everything_is_described(app: FastAPI) -> None:
    document = app.openapi()
    assert document["info"]["title"] == "Retour"
    ids = set()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            ids.add(operation["operationId"])
            assert operation["tags"], path
            assert operation["description"], path
            for parameter in operation.get("parameters", []):
                assert parameter["description"], (path, parameter["name"])
                assert parameter["schema"]["examples"], (path, parameter["name"])
            if path.startswith("/v1"):
                assert {"401", "403", "503"} <= operation["responses"].keys(), path
    assert len(ids) == len(document["paths"])
    for name, model in document["components"]["schemas"].items():
        for field, described in model.get("properties", {}).items():
            assert field == "items" or described.get("description"), f"{name}.{field}"


def test_problems_are_described_as_problems(app: FastAPI) -> None:
    for path, operations in app.openapi()["paths"].items():
        for status, response in operations["get"]["responses"].items():
            media = set(response.get("content", {}))
            if path.startswith("/v1") and status != "200":
                assert media == {"application/problem+json"}, (path, status)
            if path.startswith("/v1") and status in ("401", "503"):
                assert response["headers"], (path, status)

from typing import Any

import pytest
from fastapi import FastAPI


def test_no_route_takes_a_parameter_that_it_does_not_know(app: FastAPI, writer: Any) -> None:
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            answer = writer.request(method, path.replace("{", "").replace("}", ""), params={"x": 1})
            problem = answer.json()
            assert (answer.status_code, problem["type"]) == (422, "/problems/bad-value"), path
            assert ("x", "query") in [(one["name"], one["at"]) for one in problem["errors"]]
            known = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
            there_are = ", ".join(sorted(known)) if known else "none at all"
            assert problem["detail"].endswith(f"there are: {there_are}".replace(": none", " none"))


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("limt=5", "limit"), ("Limit=5", "limit"), ("attributes=a:b", "attribute")],
)
def test_a_misspelt_parameter_is_told_the_right_one(client: Any, asked: str, meant: str) -> None:
    assert f"did you mean `{meant}`?" in client.get(f"/v1/assets?{asked}").json()["detail"]


def test_a_long_name_is_not_repeated_whole(client: Any) -> None:
    assert len(client.get(f"/v1/assets?{'x' * 5_000}=1").json()["detail"]) < 300

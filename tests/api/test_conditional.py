"""Answers carry what tells them apart, and are not sent again to who has them."""

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import StreamingResponse

from api import etags
from api.app import create_app
from api.etags import show_version, version_in


@pytest.fixture(scope="module")
def any_app(any_app: FastAPI) -> FastAPI:
    """One with some routes more, for answers of all sorts."""
    app = create_app(any_app.state.backend.store, any_app.state.backend.clock)
    router = APIRouter()

    @router.get("/v1/test/versioned")
    def versioned(response: Response) -> dict[str, str]:
        show_version(response, 7)
        return {"name": "ä"}

    @router.get("/v1/test/geo")
    def geo() -> Response:
        return Response(b"{}", media_type="application/geo+json; charset=utf-8")

    @router.get("/v1/test/pieces")
    def pieces() -> Response:
        return StreamingResponse(iter([b"[1,", b"2]"]), media_type="application/json")

    @router.get("/v1/test/text")
    def text() -> Response:
        return Response(b"a,b", media_type="text/plain")

    @router.post("/v1/test/versioned")
    def change() -> dict[str, str]:
        return {}

    @router.get("/outside")
    def outside() -> dict[str, str]:
        return {}

    app.include_router(router)
    return app


def test_what_has_not_changed_is_not_sent_again(client: Any, world: Any) -> None:
    world.asset("a1")
    first = client.get("/v1/assets")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    again = client.get("/v1/assets", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert again.headers["cache-control"] == "private, no-cache"
    assert again.headers["x-content-type-options"] == "nosniff"
    assert not {"content-length", "content-type"} & set(again.headers)
    world.asset("a2")
    changed = client.get("/v1/assets", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    assert len(changed.json()["items"]) == 2


@pytest.mark.parametrize(
    ("known", "status"),
    [
        ("{tag}", 304),
        ("W/{tag}", 304),
        ('"x", {tag}', 304),
        ('"x",W/{tag}, "y"', 304),
        ("*", 304),
        ('"x"', 200),
        ("", 200),
        ("tag", 200),
        ('"7"', 200),
    ],
)
def test_what_the_client_may_say_that_it_has(client: Any, known: str, status: int) -> None:
    tag = client.get("/v1/test/versioned").headers["etag"]
    headers = {"If-None-Match": known.replace("{tag}", tag)}
    assert client.get("/v1/test/versioned", headers=headers).status_code == status


def test_a_version_stands_before_the_digest(client: Any) -> None:
    tag = client.get("/v1/test/versioned").headers["etag"]
    assert tag.startswith('"7.')
    assert version_in(tag) == 7


@pytest.mark.parametrize(
    ("method", "path", "tagged"),
    [
        ("GET", "/v1/test/versioned", True),
        ("GET", "/v1/test/geo", True),
        ("GET", "/v1/openapi.json", True),
        ("GET", "/v1/test/text", False),
        ("GET", "/v1/test/pieces", False),
        ("POST", "/v1/test/versioned", False),
        ("GET", "/outside", False),
        ("GET", "/v1/nothing", False),
    ],
)
def test_which_answers_have_a_tag(client: Any, method: str, path: str, tagged: bool) -> None:
    answer = client.request(method, path, headers={"If-None-Match": "*"})
    assert ("etag" in answer.headers) == tagged
    assert (answer.status_code == 304) == tagged
    if path == "/v1/test/pieces":
        assert answer.json() == [1, 2]


def test_a_large_answer_is_not_digested(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(client.get("/v1/test/versioned").content)
    monkeypatch.setattr(etags, "DIGESTED_AT_MOST", size - 1)
    large = client.get("/v1/test/versioned")
    assert large.headers["etag"] == '"7"'
    assert large.json() == {"name": "ä"}
    monkeypatch.setattr(etags, "DIGESTED_AT_MOST", size)
    assert "." in client.get("/v1/test/versioned").headers["etag"]

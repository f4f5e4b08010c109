"""Bodies that cannot be taken: what is wrong with them is told so that it can be mended."""

from typing import Any

import pytest

JSON = {"Content-Type": "application/json"}
SITE = "/v1/sites/depot"


def put(writer: Any, content: bytes, path: str = "/v1/assets/a", **headers: str) -> Any:
    return writer.put(path, content=content, headers={**JSON, **headers})


def refused(answer: Any) -> list[tuple[str, str]]:
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "/problems/bad-value"), problem
    assert all(one["at"] == "body" for one in problem["errors"])
    return [(one["name"], one["detail"]) for one in problem["errors"]]


BROKEN = [
    (b"{", "line 1, column 2 a name in double quotes is wanted"),
    (b"nonsense", "line 1, column 1 a value is wanted"),
    (b'{"name": }', "line 1, column 10 a value is wanted"),
    (b'{"name" "x"}', "line 1, column 9 a colon is wanted"),
    (
        b'{\n  "class": "pallet"\n  "name": "x"\n}',
        "line 3, column 3 a comma is wanted, or the end of the list or object",
    ),
    (b'{"name": "x\n"}', "line 1, column 12 a control character or line end stands in a text"),
    (b'{"name": "x}', "line 1, column 10 a text begins that has no end"),
    (b"{}\n{}", "line 2, column 1 the end is wanted"),
    ('{"name": "ü",\n "ä" 1}'.encode(), "line 2, column 6 a colon is wanted"),
]


@pytest.mark.parametrize(("content", "where"), BROKEN)
def test_broken_json_is_told_where_and_what_is_wanted(
    writer: Any, content: bytes, where: str
) -> None:
    answer = put(writer, content)
    assert refused(answer) == [("body", f"this is no JSON: at {where}")]
    assert answer.json()["detail"] == f"body: this is no JSON: at {where}"


UNREADABLE = [
    (b'{"name": "\xff"}', "this is no JSON in UTF-8: byte 10 cannot be read"),
    (b"[" * 100_000, "lists and objects stand too deep in each other"),
    (
        b'{"attributes": {"n": ' + b"9" * 5_000 + b"}}",
        "this cannot be read as JSON: does it hold a number with very many digits?",
    ),
]


@pytest.mark.parametrize(("content", "detail"), UNREADABLE, ids=["utf-8", "depth", "digits"])
def test_what_is_no_text_of_json_is_refused(writer: Any, content: bytes, detail: str) -> None:
    assert refused(put(writer, content)) == [("body", detail)]


@pytest.mark.parametrize("media", ["application/x-www-form-urlencoded", "text/plain", "json", ""])
def test_a_body_that_does_not_say_that_it_is_json_is_told_how(writer: Any, media: str) -> None:
    answer = put(writer, b"{}", **{"Content-Type": media})
    assert answer.status_code == 415
    assert answer.headers["accept"] == "application/json"
    assert answer.json()["type"] == "/problems/wrong-media-type"
    assert answer.json()["detail"] == (
        f"send the body with the header `Content-Type: application/json`: this request says "
        f"{media!r}"
    )


def test_a_body_that_says_nothing_is_told_so(writer: Any) -> None:
    answer = writer.put("/v1/assets/a", content=b"{}")
    assert answer.status_code == 415
    assert answer.json()["detail"].endswith("this request says none")


@pytest.mark.parametrize(
    "media",
    ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"],
)
def test_json_may_be_said_in_other_ways(writer: Any, media: str) -> None:
    assert put(writer, b"{}", **{"Content-Type": media}).status_code == 201


def test_where_no_body_is_wanted_none_need_say_what_it_is(writer: Any, world: Any) -> None:
    world.tell("trk-9", 0)
    adopt = writer.post("/v1/devices/trk-9/adopt", headers={"Content-Type": "text/plain"})
    assert adopt.status_code == 404  # it has sent nothing that is held
    gone = writer.request("DELETE", SITE, content=b"x", headers={"Content-Type": "text/plain"})
    assert gone.status_code == 404


FENCES = [
    ({"radius_m": 0}, ["geofence.center", "geofence.radius_m"]),
    ({}, ["geofence.center", "geofence.radius_m"]),
    ({"center": [4.4, 95], "radius_m": 5}, ["geofence.center.1"]),
    ({"center": [4.4, 51], "radius_m": 5, "hole": []}, ["geofence.hole"]),
    ({"polygon": [[4, 51], [4, 52]]}, ["geofence.polygon"]),
    (
        {"polygon": [[4, 51], [4, 52], [5, 520]], "radius": 1},
        ["geofence.polygon.2.1", "geofence.radius"],
    ),
    ({"holes": []}, ["geofence.polygon"]),
    ("round", ["geofence"]),
    ([], ["geofence"]),
]


@pytest.mark.parametrize(("fence", "names"), FENCES)
def test_of_a_fence_only_what_is_wrong_with_its_kind_is_told(
    writer: Any, fence: Any, names: list[str]
) -> None:
    told = refused(writer.put(SITE, json={"geofence": fence}))
    assert [name for name, _ in told] == names


def test_a_sound_fence_of_either_kind_is_taken(writer: Any) -> None:
    ring = [[4.3, 51.8], [4.31, 51.8], [4.31, 51.81]]
    for fence in ({"center": [4.4, 51.9], "radius_m": 5}, {"polygon": ring, "holes": []}, None):
        answer = writer.put(SITE, json={"geofence": fence})
        assert answer.is_success, answer.text
        assert answer.json()["history"][0]["value"]["geofence"] == fence


NO_TAGS = ["no tag", "", "urn:epc:id:grai:", "0x3374", "tag:", "f" * 129, "urn:epc:tag:grai-96:1"]


@pytest.mark.parametrize("tag", NO_TAGS)
def test_what_is_no_tag_is_refused_with_the_rule(writer: Any, world: Any, tag: str) -> None:
    world.asset("a")
    in_bulk = {"assets": [{"id": "b"}, {"id": "c", "bindings": [{"tag": tag}]}]}
    for path, body, name in (
        ("/v1/assets/a/bindings", {"tag": tag}, "tag"),
        ("/v1/bulk/assets", in_bulk, "assets.1.bindings.0.tag"),
    ):
        ((told, detail),) = refused(writer.post(path, json=body))
        assert told == name
        assert detail.startswith(f"{tag!r:.60} is no tag: write its hexadecimal number, like ")
        assert "or its URN, like urn:epc:id:" in detail

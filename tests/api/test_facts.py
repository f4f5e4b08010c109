from typing import Any

import pytest

NOON = 1_767_614_400_000
HOUR = 3_600_000


def fact(id: str = "f-1", **changes: Any) -> dict[str, Any]:
    return {"id": id, "asset": "a", "kind": "received", "at": NOON - HOUR} | changes


@pytest.fixture
def facts(writer: Any, world: Any) -> Any:
    """State facts; the answer's status and body."""
    for id in ("a", "b"):
        world.asset(id)

    def given(body: Any) -> tuple[int, Any]:
        answer = writer.post("/v1/facts", json=body)
        return answer.status_code, answer.json()

    return given


def logged(world: Any) -> int:
    with world.store.reading() as reader:
        count: int = reader.counts()["log"]
        return count


def test_a_fact_is_told_of_and_the_same_again_changes_nothing(facts: Any, world: Any) -> None:
    assert facts(fact(by="dock 3", note="wet")) == (200, {"stored": 1, "same": 0})
    assert facts(fact(by="dock 3", note="wet")) == (200, {"stored": 0, "same": 1})
    with world.store.reading() as reader:
        (told,) = reader.transitions("a")
    assert (told.stage, told.at) == ("received", NOON - HOUR)
    assert logged(world) == 1


def test_times_may_be_iso(facts: Any) -> None:
    assert facts(fact())[1] == {"stored": 1, "same": 0}
    assert facts(fact(at="2026-01-05T12:00:00+01:00"))[1] == {"stored": 0, "same": 1}


def test_many_facts_at_once(facts: Any) -> None:
    many = [fact("f-1"), fact("f-2", asset="b"), fact("f-1")]
    assert facts(many) == (200, {"stored": 2, "same": 1})
    assert facts([fact(f"g-{n}") for n in range(1_001)])[0] == 422
    assert facts([])[0] == 422


def test_an_id_says_one_thing_only(facts: Any, world: Any) -> None:
    facts(fact())
    status, problem = facts([fact("f-2"), fact(kind="dispatched")])
    assert (status, problem["type"]) == (409, "/problems/fact-conflict")
    assert "f-1" in problem["detail"]
    assert facts([fact("f-3"), fact("f-3", at=NOON)])[0] == 409
    assert logged(world) == 1


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"asset": "z"}, "asset", "no asset z is registered"),
        ({"kind": "inspected"}, "outcome", "needs `outcome`"),
        ({"kind": "inspected", "outcome": "fixing"}, "outcome", "there is no stage 'fixing'"),
        ({"stage": "repair"}, "stage", "names no other stage"),
        ({"at": NOON + HOUR}, "at", "2026-01-05T12:05:00.000Z"),
        ({"at": NOON - 500 * 24 * HOUR}, "at", "from 2024-12-01T12:00:00.000Z"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_of_it_stored(
    facts: Any, world: Any, changes: Any, key: str, said: str
) -> None:
    status, problem = facts([fact("good"), fact("bad", **changes)])
    assert (status, problem["type"]) == (422, "/problems/bad-fact")
    (error,) = problem["errors"]
    assert (error["name"], error["at"]) == (f"facts.1.{key}", "body")
    assert said in error["detail"]
    assert facts(fact("bad", **changes))[1]["errors"][0]["name"] == f"fact.{key}"
    assert logged(world) == 0


@pytest.mark.parametrize(
    ("changes", "key"),
    [({"kind": "eaten"}, "kind"), ({"at": "noon"}, "at"), ({"id": "a/\n"}, "id"), ({"x": 1}, "x")],
)
def test_what_is_no_fact_is_refused(facts: Any, changes: Any, key: str) -> None:
    status, problem = facts([fact(**changes)])
    assert (status, problem["type"]) == (422, "/problems/bad-value")
    assert problem["errors"][0]["name"] == f"facts.0.{key}"


def test_every_reason_is_told(facts: Any) -> None:
    bad = [fact("1", asset="z"), fact("2"), fact("3", at=NOON + HOUR)]
    names = [error["name"] for error in facts(bad)[1]["errors"]]
    assert names == ["facts.0.asset", "facts.2.at"]


def test_facts_need_the_scope_write_and_are_audited(
    facts: Any, client: Any, anonymous: Any
) -> None:
    assert client.post("/v1/facts", json=fact()).status_code == 403
    facts(fact(by="dock 3"))
    facts(fact(by="dock 3"))
    headers = {"Authorization": "Bearer rtr_admin"}
    (line,) = anonymous.get("/v1/audit", params={"kind": "fact"}, headers=headers).json()["items"]
    assert (line["action"], line["subject"], line["before"]) == ("state", "f-1", None)
    assert line["after"] == fact(by="dock 3")
    assert line["by"].startswith("key write")

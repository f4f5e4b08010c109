"""Facts: what people and business systems know of assets."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag
from pydantic.config import JsonDict

from api.auth import TheCaller
from api.problems import FactsRefused, Refusal, documented
from api.times import Moment
from tracker import worldvalues
from tracker.facts import BadFact, BadFacts, FactConflict, fact_of, note, state
from tracker.model import Fact
from tracker.process import FactKind

router = APIRouter(prefix="/v1/facts", tags=["stages"])

AT_MOST = 1_000
_FACT: JsonDict = {
    "id": "wms-4711",
    "asset": "pallet-1",
    "kind": "inspected",
    "outcome": "repair",
    "at": "2026-01-05T08:00:00Z",
}
_Text = Annotated[str, Field(max_length=1_024)]


class FactBody(BaseModel):
    """Something that happened to an asset, as a person or another system knows it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_FACT]})

    id: worldvalues.AssetId = Field(
        description="Its id, which whoever tells it gives: the same fact again changes nothing.",
        examples=["wms-4711"],
        min_length=1,
        max_length=256,
    )
    asset: worldvalues.AssetId = Field(
        description="The asset.", examples=["pallet-1"], min_length=1, max_length=256
    )
    kind: FactKind = Field(description="What happened.", examples=["inspected"])
    at: Moment = Field(description="When: ISO 8601 with an offset, or epoch ms.")
    outcome: _Text | None = Field(
        None, description="Of `inspected`: the stage that it goes to.", examples=["repair"]
    )
    stage: _Text | None = Field(
        None, description="Of `work_started` and `work_done`: which work.", examples=["repair"]
    )
    route: _Text | None = Field(
        None, description="Of `retired`: the stage that it goes to.", examples=["recycle"]
    )
    by: _Text | None = Field(None, description="Who says so.", examples=["inspector 3"])
    note: _Text | None = Field(
        None, description="What else there is to say.", examples=["one board broken"]
    )

    def as_fact(self) -> tuple[Fact, int]:
        """The domain's fact, and its event time. Raises BadFact."""
        return fact_of(self.model_dump(exclude_none=True))


class FactsAnswer(BaseModel):
    """What came of it."""

    stored: int = Field(description="How many facts are new.", examples=[1])
    same: int = Field(description="How many were known already.", examples=[0])


def _one_or_many(given: Any) -> str:
    return "facts" if isinstance(given, list) else "fact"


Facts = Annotated[
    Annotated[FactBody, Tag("fact")]
    | Annotated[list[FactBody], Field(min_length=1, max_length=AT_MOST), Tag("facts")],
    Discriminator(_one_or_many),
]


@router.post("", responses=documented(FactsRefused, FactConflict))
def state_facts(caller: TheCaller, body: Annotated[Facts, Body()]) -> FactsAnswer:
    """State a fact, or a list of up to 1,000: all or none, with every reason and its place in
    the list. The same fact again changes nothing; another one of the same id is a conflict."""
    many = isinstance(body, list)
    facts = _read(body if isinstance(body, list) else [body], many=many)
    with caller.writing() as (tx, act):
        try:
            stated = state(tx, facts, caller.policy, act.now)
        except BadFacts as bad:
            refused = [(_place(n, why.key, many=many), str(why)) for n, why in bad.refused]
            raise FactsRefused(refused) from None
        note(tx, act, stated)
    new = sum(one.new for one in stated)
    return FactsAnswer(stored=new, same=len(facts) - new)


def _read(bodies: list[FactBody], *, many: bool) -> list[tuple[Fact, int]]:
    """The domain's facts, each with its event time. Raises FactsRefused."""
    facts, refused = list[tuple[Fact, int]](), list[Refusal]()
    for n, body in enumerate(bodies):
        try:
            facts.append(body.as_fact())
        except BadFact as why:
            refused.append((_place(n, why.key, many=many), str(why)))
    if refused:
        raise FactsRefused(refused)
    return facts


def _place(n: int, key: str, *, many: bool) -> tuple[str | int, ...]:
    return ("facts", n, key) if many else ("fact", key)

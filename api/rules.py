"""Rules: which alerts are raised, and when."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import Field

from api.auth import TheCaller
from api.etags import show_version
from api.parameters import Expected
from api.problems import BodyRefused, documented
from tracker.govern import govern
from tracker.registry import Outdated, Unregistered
from tracker.rules import Rules, contradictions

router = APIRouter(prefix="/v1/rules", tags=["alerts"])


class RulesChange(Rules):
    """What came of a change of the rules."""

    changed: bool = Field(description="False where they were in force before, just so.")


@router.get("")
def get_rules(caller: TheCaller, response: Response) -> Rules:
    """The rules in force: those that somebody put here, else those that are shipped."""
    with caller.reading() as reader:
        show_version(response, reader.rules_revision())
        return reader.rules()


@router.put("", responses=documented(Unregistered))
def put_rules(
    caller: TheCaller, response: Response, rules: Rules, expected: Expected
) -> RulesChange:
    """Raise alerts by these rules from now on, and by no others."""
    if found := [*contradictions(rules)]:
        raise BodyRefused(found)
    with caller.writing() as (tx, act):
        version = tx.rules_revision()
        if expected is not None and expected != version:
            raise Outdated("the list of rules", version)
        changed = govern(tx, rules, act)
        show_version(response, tx.rules_revision())
    return RulesChange(rules=rules.rules, changed=changed)

"""Use cases: somebody inspects an asset, and decides what becomes of it. Each in one transaction,
one at a time.

What is done again in the same words changes nothing. What a class contradicts is refused whole,
what telemetry alone contradicts is taken, and flagged.
"""

from __future__ import annotations

from tracker.asset_class import Route
from tracker.audit import Act, audited
from tracker.class_book import UnknownClass
from tracker.disposition import choose
from tracker.facts import BadFact, BadFacts, check_time, state
from tracker.inspection import Inspection, judge
from tracker.life import Life
from tracker.life_ports import Decision, Inspected
from tracker.living import life_of
from tracker.model import Fact
from tracker.overdue import OUT
from tracker.ports import Writer
from tracker.process import LOST
from tracker.registry import Conflict, Unregistered
from tracker.stamps import StampPolicy
from tracker.worldfile import Names

STAGES = {
    "harvest": "dismantle",
    "restock": "ready",
    "redeploy": "ready",
    "clean": "ready",
    "donate": "dispose",
    "resell": "dispose",
    "return_to_supplier": "dispose",
}
"""To which stage a kind of route leads, where that is not called alike."""
ELSEWHERE = "elsewhere"
NOT_THERE = (*OUT, LOST)


class Decided(Conflict):
    """Somebody else has decided meanwhile."""


class NoRoute(Exception):
    """A route that there is not, or that must not be."""


def inspect(
    tx: Writer, id: str, asset: str, at: int, found: Inspection, act: Act, policy: StampPolicy
) -> tuple[Inspected, bool]:
    """Take what somebody found of an asset at an event time; whether it is new. Raises
    Unregistered, UnknownClass, BadFinding, BadFact; Conflict where another one has the id."""
    known = tx.inspection(id)
    if known is not None:  # whatever its class says by now
        if (known.asset, known.at, known.found) != (asset, at, found):
            raise Conflict(f"another inspection has the id {id}, and says something else")
        return known, False
    life = _life(tx, asset, act)
    believe(at, act, policy)
    judged = judge(life.class_, found)
    flags = _elsewhere(tx, life, found)
    made = Inspected(
        id, asset, at, act.now, act.by, found, judged, life.worn.trips, life.rates, flags
    )
    tx.add_inspection(made)
    if found.outcome is not None:
        tell(tx, Fact(asset, "inspected", found.outcome, f"inspection:{id}"), at, act, policy)
    told = {"asset": asset, "at": at, "grade": judged.grade, "failed": judged.failed}
    audited(tx, act, "inspect", "inspection", id, None, told)
    tx.set_timers({asset: act.now})
    return made, True


def _life(tx: Writer, id: str, act: Act) -> Life:
    tx.beliefs([id])  # locked
    asset = tx.asset(id)
    if asset is None:
        raise Unregistered(f"no asset {id} is registered")
    life = life_of(tx, id, act.now)
    if life is None:
        raise UnknownClass(asset.class_, Names(tx.class_book()))
    return life


def _elsewhere(tx: Writer, life: Life, found: Inspection) -> tuple[str, ...]:
    """What telemetry says against an inspection: that the asset is at another site, or out."""
    asset = life.asset.id
    belief, told = tx.belief(asset), tx.presents([asset]).get(asset)
    stay = belief.whereabouts.stay if belief is not None else None
    flags = []
    if found.site is not None and stay is not None and stay.site != found.site:
        flags.append(f"{ELSEWHERE}: by telemetry it is at {stay.site}")
    if told is not None and told.told.stage in NOT_THERE:
        flags.append(f"{ELSEWHERE}: by telemetry it is {told.told.stage}")
    return tuple(flags)


def decide(
    tx: Writer,
    id: str,
    asset: str,
    route: str,
    after: int,
    reason: str | None,
    act: Act,
    policy: StampPolicy,
) -> tuple[Decision, bool]:
    """Decide what becomes of an asset, knowing of decisions up to number `after`; whether that is
    new. Raises Decided where somebody else was quicker, NoRoute, Unregistered, UnknownClass."""
    life = _life(tx, asset, act)
    same = tx.decision(id)
    if same is not None:
        if (same.asset, same.route, same.reason) != (asset, route, reason):
            raise Conflict(f"another decision has the id {id}, and says something else")
        return same, False
    last = life.decisions[-1].number if life.decisions else 0
    if last != after:
        text = f"decision {last} about {asset} was taken meanwhile: look at it, decide after it"
        raise Decided(text)
    choice = choose(life.class_, life.condition(), life.model)
    wanted = _route(life, route)
    valued = {one.route: one for one in choice.routes}
    if (why := valued[route].excluded) is not None:
        raise NoRoute(f"{route} must not be: {why}")
    if route != choice.recommended and not reason:
        best = choice.recommended or "nothing"
        raise NoRoute(f"{best} is recommended: say for which reason it shall be {route}")
    found = life.found
    made = Decision(
        id=id,
        asset=asset,
        number=last + 1,
        at=act.now,
        recorded=act.now,
        by=act.by,
        route=route,
        kind=wanted.kind,
        recommended=choice.recommended,
        value=valued[route].value,
        best=valued[choice.recommended].value if choice.recommended else None,
        reason=reason,
        inspection=found.id if found is not None else None,
    )
    tx.add_decision(made)
    stage = STAGES.get(wanted.kind, wanted.kind)
    fact = Fact(asset, "inspected", stage, f"decision:{id}")
    tell_if_known(tx, fact, act.now, act, policy)
    told = {"asset": asset, "route": route, "recommended": choice.recommended, "reason": reason}
    audited(tx, act, "decide", "decision", id, None, told)
    tx.set_timers({asset: act.now})
    return made, True


def _route(life: Life, id: str) -> Route:
    routes = {route.id: route for route in life.class_.routes}
    if id not in routes:
        raise NoRoute(f"{life.class_.id} has no route {id!r:.60}{Names(routes).hint(id)}")
    return routes[id]


def tell(tx: Writer, fact: Fact, at: int, act: Act, policy: StampPolicy) -> None:
    """Tell the stage filter what a person knows. Raises BadFacts where the asset's process has no
    such stage."""
    state(tx, [(fact._replace(by=act.by[:128]), at)], policy, act.now)


def believe(at: int, act: Act, policy: StampPolicy) -> None:
    """Raise BadFacts where an event time cannot be: what lies in the future would be the last word
    until then."""
    try:
        check_time(at, act.now, policy)
    except BadFact as why:
        raise BadFacts([(0, why)]) from None


def tell_if_known(tx: Writer, fact: Fact, at: int, act: Act, policy: StampPolicy) -> None:
    """The same, where its process has that stage: what follows from a kind of work or route need
    not be a stage of every process."""
    setting = tx.settings([fact.asset])[fact.asset]
    if fact.stage in setting.evidence.chain.stages:
        tell(tx, fact, at, act, policy)

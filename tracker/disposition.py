"""What should become of a returned asset: the net value of every route, term by term. Pure.

    V(d) = P_ok(d) [sum_n gamma^n S_d(n) m - C_fail P_d(fail within N) + gamma^N S_d(N) B]
           + (1 - P_ok(d)) V(otherwise) + R_d e^(-delta tau_d) - C_d - C_transport - C_hold tau_d

n = 1..N, and N is the class's horizon, or as many cycles as a limit leaves; S_d(n) is the share
that lives n cycles after the route, which takes away part of the wear; B is the book value then
(without it, to sell at once would always win over the next twenty cycles). A route that ends an
asset has no bracket. The route of the greatest value is recommended; where the next one is close,
a person should look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import exp, inf
from typing import NamedTuple

from tracker.asset_class import AssetClass, Condition, Route
from tracker.reliability import Model, Prior, lives_on, of_maker

CLOSE = 0.05  # of the value: by less nobody should be sure
REPAIR_CAP = 0.5  # of what the repaired asset brings
SOUND_ONLY = ("resell", "donate")  # of what ends it
NOTHING = {"service": 0.0, "failures": 0.0, "rest": 0.0, "otherwise": 0.0, "revenue": 0.0}


class Valued(NamedTuple):
    """A route's value (None: not known) by its `terms`, which sum to it; `excluded` says why it
    must not be. `dear` tells a repair that costs more than half of what it brings."""

    route: str
    kind: str
    value: float | None
    terms: Mapping[str, float]
    excluded: str | None = None
    dear: bool = False


class Choice(NamedTuple):
    """What is recommended (None: nothing is allowed, or nothing can be valued), by what share of
    its value the next one is behind, whether a person should look, every route, the best first,
    and what figures are missing."""

    recommended: str | None
    margin: float | None
    ask: bool
    routes: Sequence[Valued]
    missing: Sequence[str]


def model_of(class_: AssetClass, rates: int = 0) -> Model | None:
    """The model that the maker's word makes; None where a class has none."""
    if class_.wear is None:
        return None
    return of_maker(Prior(class_.wear.cycles, class_.wear.shape), rates)


def choose(class_: AssetClass, asset: Condition, model: Model | None) -> Choice:
    """What should become of an asset; `model` tells when such assets fail (None: nobody knows).

    >>> from tracker.class_files import read_case
    >>> case = read_case("class: pallet\\nasset: {cycles: 30, failed: true}")
    >>> choose(case.class_, case.asset, model_of(case.class_)).recommended
    'repair'
    """
    valued = dict[str, Valued]()
    last = sorted(class_.routes, key=lambda route: route.otherwise is not None)
    for route in last:  # those first that others lead to
        valued[route.id] = _valued(class_, asset, model, route, valued)
    routes = sorted(valued.values(), key=_rank)
    open_ = [one for one in routes if one.excluded is None and one.value is not None]
    margin, best = None, open_[0].value if open_ else None
    if best is not None and len(open_) > 1:
        margin = (best - (open_[1].value or 0.0)) / max(abs(best), 1e-9)
    return Choice(
        recommended=open_[0].route if open_ else None,
        margin=margin,
        ask=margin is None or margin < CLOSE,
        routes=routes,
        missing=[*_missing(class_, asset, model)],
    )


def _rank(one: Valued) -> tuple[bool, float]:
    return one.excluded is not None, -one.value if one.value is not None else inf


def _valued(
    class_: AssetClass,
    asset: Condition,
    model: Model | None,
    route: Route,
    others: Mapping[str, Valued],
) -> Valued:
    excluded = _excluded(class_, asset, route)
    costs = {
        "cost": -route.cost,
        "transport": -route.transport,
        "holding": -class_.holding_per_day * route.days,
    }
    gains = dict(NOTHING)
    if route.returns:
        found = _in_service(class_, asset, model, route)
        if found is None:
            return Valued(route.id, route.kind, None, costs, excluded)
        gains |= {name: route.success * value for name, value in found.items()}
    else:
        brings = revenue(class_, asset, route)
        if brings is None:
            return Valued(route.id, route.kind, None, costs, excluded)
        share = route.success if route.otherwise is not None else 1.0
        gains["revenue"] = share * brings * exp(-class_.discount_per_day * route.days)
    if route.otherwise is not None and (then := others[route.otherwise]).excluded is None:
        gains["otherwise"] = (1 - route.success) * (then.value or 0.0)
    terms = gains | costs
    brought = gains["service"] + gains["failures"] + gains["rest"]
    dear = route.kind == "repair" and route.cost + route.transport > REPAIR_CAP * brought
    return Valued(route.id, route.kind, sum(terms.values()), terms, excluded, dear)


def _excluded(class_: AssetClass, asset: Condition, route: Route) -> str | None:
    """Why a route must not be; None: it may."""
    if route.forbidden is not None:
        return route.forbidden
    if route.grades and asset.grade is not None and asset.grade not in route.grades:
        return f"only for {' and '.join(route.grades)}, and it is {asset.grade}"
    if not route.returns and route.kind not in SOUND_ONLY:
        return None
    if asset.failed and not route.makes_work:
        return "it does not work, and this mends nothing"
    if route.returns and not route.renews and (left := cycles_left(class_, asset, route.days)) < 1:
        return _limit(class_, asset, route.days) if left <= 0 else "its limit leaves no whole cycle"
    return None


def _limit(class_: AssetClass, asset: Condition, days: float) -> str:
    limits = class_.limits
    if limits.cycles is not None and asset.cycles >= limits.cycles:
        return f"its limit of {limits.cycles:g} cycles is reached"
    if asset.retire_by_days is not None and asset.retire_by_days <= days:
        return "a rule ends its life before it is back in use"
    return f"its limit of {limits.age_days:g} days is reached"


def cycles_left(class_: AssetClass, asset: Condition, days: float = 0) -> float:
    """How many cycles the limits leave after some days: by its own pace, where they are of time.

    >>> from tracker.asset_class import Limits
    >>> scrap = Route(id="scrap", kind="recycle")
    >>> tool = AssetClass(id="tool", limits=Limits(age_days=100), routes=[scrap])
    >>> cycles_left(tool, Condition(cycles=40, age_days=80), 10)
    5.0
    """
    limits, left = class_.limits, inf
    if limits.cycles is not None:
        left = limits.cycles - asset.cycles
    times = [] if limits.age_days is None else [limits.age_days - asset.age_days]
    times += [] if asset.retire_by_days is None else [asset.retire_by_days]
    for time in times:
        pace = asset.cycles / asset.age_days if asset.age_days else 0.0
        rest = time - days
        left = min(left, rest * pace if rest > 0 and pace else (inf if rest > 0 else 0.0))
    return left


def _in_service(
    class_: AssetClass, asset: Condition, model: Model | None, route: Route
) -> dict[str, float] | None:
    """What the cycles after a route bring if it succeeds, what failures among them cost, and what
    it is worth then."""
    if class_.margin_per_cycle is None:
        return None
    left = inf if route.renews else cycles_left(class_, asset, route.days)
    horizon = int(max(min(class_.horizon, left), 0))
    worn = asset.cycles if asset.worn is None else asset.worn
    start = worn * (1 - route.taken_away)
    lives = _survivor(model, start, _rates(model, asset))
    earned = sum(class_.gamma**n * lives(n) for n in range(1, horizon + 1))
    age = asset.age_days * (1 + horizon / asset.cycles) if asset.cycles else asset.age_days
    rest = class_.worth(asset.cycles + horizon, age) or 0.0
    return {
        "service": earned * class_.margin_per_cycle,
        "failures": -class_.failure_cost * (1 - lives(horizon)),
        "rest": class_.gamma**horizon * lives(horizon) * rest,
    }


def _rates(model: Model | None, asset: Condition) -> tuple[float, ...]:
    """An asset's rates in the model's order, which is that of their names."""
    given = tuple(asset.rates[name] for name in sorted(asset.rates))
    wanted = len(model.coefficients) if model is not None else 0
    return given if len(given) == wanted else (0.0,) * wanted


def _survivor(
    model: Model | None, start: float, rates: tuple[float, ...]
) -> Callable[[int], float]:
    if model is None:
        return lambda _: 1.0  # that is told to be missing
    scale, shape = model.scale(rates), model.shape
    return lambda n: lives_on(start, n, scale, shape)


def revenue(class_: AssetClass, asset: Condition, route: Route) -> float | None:
    """What an end brings; None where that is not known."""
    if isinstance(route.revenue, dict):
        return route.revenue.get(asset.grade or "", 0.0)
    if route.revenue is not None:
        return route.revenue
    material = sum(one.kg * one.per_kg for one in class_.materials)
    if route.kind == "harvest":
        return sum(one.count * one.value * one.good for one in class_.parts) + material
    if route.kind == "recycle":
        return material
    if route.kind == "resell":
        return class_.worth(asset.cycles, asset.age_days)
    return 0.0


def _missing(class_: AssetClass, asset: Condition, model: Model | None) -> Iterator[str]:
    """Figures without which something cannot be told, and what."""
    if class_.margin_per_cycle is None:
        yield "margin_per_cycle: what brings it back into use cannot be valued"
    if model is None:
        yield "wear, or failures that were seen: it is taken for granted that nothing fails"
    kinds = {route.kind: route for route in class_.routes}
    resold = kinds.get("resell")
    if resold is not None and revenue(class_, asset, resold) is None:
        yield "price and book_value: what reselling brings is not known"
    graded = any(route.grades or isinstance(route.revenue, dict) for route in class_.routes)
    if graded and asset.grade is None:
        yield "grade: no inspection says how good it is"
    if class_.limits.age_days is not None and not asset.age_days:
        yield "age_days: whether its age is at the limit is not known"


def worth_one_more(
    p_fail: float, margin: float, after: float, scrap: float, failure_cost: float, now: float
) -> bool:
    """Whether one more cycle brings more than to sell it `now`: it fails with `p_fail` and is
    `scrap`, or earns its `margin` and is worth what it is `after`.

    >>> worth_one_more(0.1, 12, 90, 5, 60, 100), worth_one_more(0.4, 12, 90, 5, 60, 100)
    (False, False)
    >>> worth_one_more(0.02, 12, 95, 5, 60, 100)
    True
    """
    return (1 - p_fail) * (margin + after) + p_fail * (scrap - failure_cost) >= now

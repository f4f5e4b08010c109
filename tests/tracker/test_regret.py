"""Dispositions against an oracle that knows the truth, and beside what people do without one."""

from math import log

import numpy as np
import pytest

from tracker.asset_class import Condition
from tracker.class_files import shipped_class
from tracker.disposition import choose
from tracker.reliability import Life, Model, Prior, fit

RETURNS, HISTORY, SEEDS = 1_000, 1_500, 5
AT_MOST = 0.05
CLASSES = ("pallet", "keg", "power_tool", "infusion_pump", "roll_cage")


def truth_of(class_, random):
    """How such assets truly wear, and how their routes truly succeed: not quite as the maker and
    the class say."""
    scale = class_.wear.cycles * random.uniform(0.5, 1.6)
    model = Model(log(scale), (-random.uniform(0.5, 1.5),), random.uniform(1.2, 3))
    routes = [
        route.model_copy(
            update={"success": float(np.clip(route.success + random.normal(0, 0.05), 0.5, 1))}
        )
        if route.success < 1
        else route
        for route in class_.routes
    ]
    return model, class_.model_copy(update={"routes": routes})


def lives_of(model, random, class_):
    """What was seen of a fleet so far."""
    lives = []
    for n in range(HISTORY):
        rates = (random.gamma(2, 0.1),)
        end = model.scale(rates) * random.weibull(model.shape)
        seen = random.uniform(1, model.scale((0.2,)) * 1.5)
        lives.append(Life(str(n), class_.id, min(end, seen), end <= seen, rates))
    return lives


def returned(model, random):
    """Assets as they come back: of any age that they live to, some failed just now."""
    while True:
        rates = (random.gamma(2, 0.1),)
        cycles = random.uniform(1, model.scale(rates) * 1.6)
        if random.uniform() < model.survival(cycles, rates):
            failed = bool(random.uniform() < 0.25)
            grade = "ABCD"[
                min(int(4 * cycles / model.scale(rates) / 1.6 + random.uniform(0, 1)), 3)
            ]
            yield Condition(
                cycles=cycles,
                age_days=cycles * 9,
                failed=failed,
                grade=grade,
                rates={"shock": rates[0]},
            )


def first_allowed(choice, kinds):
    """Of what people do by habit: the first kind that may be, else the best end."""
    open_ = [one for one in choice.routes if one.excluded is None]
    for kind in kinds:
        for one in open_:
            if one.kind == kind:
                return one.route
    ends = [one for one in open_ if one.kind in ("harvest", "recycle", "dispose", "resell")]
    return max(ends, key=lambda one: one.value).route


def habits(class_, asset, choice):
    back = ("restock", "clean")
    cheap = [r for r in class_.routes if r.kind == "repair" and r.cost <= (class_.price or 0) / 2]
    young = class_.limits.age_days is None or asset.age_days < class_.limits.age_days / 2
    return {
        "always restock": first_allowed(choice, back),
        "repair under half the price": first_allowed(
            choice, (("repair",) if cheap and asset.failed else ()) + back
        ),
        "age limit": first_allowed(choice, (*back, "repair") if young else ()),
    }


def worth(told, route):
    return next(one.value for one in told.routes if one.route == route)


@pytest.fixture(scope="module")
def regrets():
    """Of the oracle's value over all returns, which share each way to decide loses."""
    lost, best = dict[str, float](), 0.0
    for name in CLASSES:
        for seed in range(SEEDS):
            random = np.random.default_rng([seed, CLASSES.index(name)])
            class_ = shipped_class(name)
            true_model, true_class = truth_of(class_, random)
            lives = lives_of(true_model, random, class_)
            prior = Prior(class_.wear.cycles, class_.wear.shape)
            model = fit(lives, {class_.id: prior})[class_.id]
            assets = returned(true_model, random)
            unit = class_.price  # so that a container does not outweigh all pallets
            for _ in range(RETURNS // SEEDS):
                asset = next(assets)
                truth = choose(true_class, asset, true_model)
                ours = choose(class_, asset, model)
                decided = {"ours": ours.recommended, **habits(class_, asset, ours)}
                top = worth(truth, truth.recommended)
                best += top / unit
                for way, route in decided.items():
                    lost[way] = lost.get(way, 0.0) + (top - worth(truth, route)) / unit
    return {way: amount / best for way, amount in lost.items()}


def test_little_is_lost_against_who_knows_the_truth(regrets):
    assert 0 <= regrets["ours"] <= AT_MOST


def test_habits_lose_more(regrets):
    for way in ("always restock", "repair under half the price", "age limit"):
        assert regrets[way] > 2 * regrets["ours"] + 0.01, way

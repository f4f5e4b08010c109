"""When assets fail: Weibull accelerated-failure-time models of a class, on cycles. Pure.

An asset that lives has told something too: that it has not failed yet (right-censored). To leave it
out makes every forecast a lie. Covariates are rates per cycle up to the time of prediction, never
running totals: who survives longest has had the most shocks.

    S(t) = exp(-(t / scale)^shape)      scale = exp(b0 + b . rates)

The fit is that of `lifelines`, by maximum likelihood. As long as a class has had fewer than 30
failures, what is missing of them is borrowed: from what its maker says, as failures spread along
the maker's curve, or else from the other classes; each real failure takes the place of a borrowed
one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import exp, inf, log
from typing import NamedTuple
from warnings import catch_warnings, simplefilter

ENOUGH = 30  # failures of a class, to speak for themselves
PRIOR_ROWS = 30  # along the maker's curve
LEAST_CYCLES = 0.5  # of what failed in its first cycle
LEAST_ALIVE = 1e-3  # that an asset was seen before it failed
SHAPE_AT_MOST = 50.0  # as a maker's: above, all fail in the same cycle
CYCLES_AT_MOST = 1e12  # that anybody looks ahead
LOG_SCALE_AT_MOST = 100.0  # either way: rates beyond all measure make no number of cycles
RIDGES = (0.0, 0.01, 0.1)  # the least that converges: few failures cannot tell many rates apart


class Life(NamedTuple):
    """The cycles that an asset has done, whether it failed at the last of them (else it lives, or
    was retired sound), and its covariates: rates per cycle. It is known from `entry` on: after a
    repair it is as worn as after so many cycles, and what failed before that is not among those
    seen (delayed entry). It stands for `weight` alike."""

    asset: str
    class_: str
    cycles: float
    failed: bool
    rates: tuple[float, ...] = ()
    entry: float = 0.0
    weight: float = 1.0


class Prior(NamedTuple):
    """What a maker says: after how many cycles 63 % have failed (`scale`), and the Weibull `shape`
    (1: by chance; above: by wear)."""

    scale: float
    shape: float


class Model(NamedTuple):
    """A class's model: `b0` and `coefficients` of the logarithm of the scale, `shape`, on how many
    lives and failures of its own it rests, and how many it has borrowed."""

    b0: float
    coefficients: tuple[float, ...]
    shape: float
    lives: int = 0
    failures: int = 0
    borrowed: float = 0.0

    def scale(self, rates: Sequence[float]) -> float:
        """After how many cycles 63 % of such assets have failed."""
        log_scale = self.b0 + sum(b * x for b, x in zip(self.coefficients, rates, strict=True))
        return exp(min(max(log_scale, -LOG_SCALE_AT_MOST), LOG_SCALE_AT_MOST))

    def survival(self, cycles: float, rates: Sequence[float] = ()) -> float:
        """Which share of such assets lives after so many cycles."""
        return exp(-power(cycles / self.scale(rates), self.shape))

    def p_fail(self, cycles: float, within: float, rates: Sequence[float] = ()) -> float:
        """How likely an asset that lives after so many cycles fails `within` the next ones.

        >>> round(Model(log(100), (), 2.0).p_fail(50, 20), 3)
        0.213
        """
        return 1 - lives_on(cycles, within, self.scale(rates), self.shape)

    def remaining(self, cycles: float, share: float, rates: Sequence[float] = ()) -> float:
        """After how many more cycles that `share` of such living assets will have failed.

        >>> model = Model(log(100), (), 2.0)
        >>> round(model.p_fail(50, model.remaining(50, 0.9)), 6)
        0.9
        """
        scale = self.scale(rates)
        spent = power(cycles / scale, self.shape)
        if spent == inf:  # it should have failed long ago
            return 0.0
        return min(scale * power(spent - log(1 - share), 1 / self.shape), CYCLES_AT_MOST) - cycles


def power(base: float, exponent: float) -> float:
    """The power of a number that is not negative; inf where no float holds it."""
    try:
        return float(base**exponent)
    except OverflowError:
        return inf


def lives_on(cycles: float, within: float, scale: float, shape: float) -> float:
    """How likely an asset that lives after so many cycles lives `within` the next ones too."""
    after = power((cycles + within) / scale, shape)
    return 0.0 if after == inf else exp(power(cycles / scale, shape) - after)


def of_maker(prior: Prior, names: int = 0) -> Model:
    """The model that a maker's word alone makes, for `names` rates that it says nothing of."""
    return Model(log(prior.scale), (0.0,) * names, prior.shape, borrowed=ENOUGH)


def fit(lives: Sequence[Life], priors: Mapping[str, Prior] | None = None) -> dict[str, Model]:
    """A model for each class that occurs. A class that has not failed, and has nobody to borrow
    from, has none.

    >>> made = [Life(str(n), "keg", 20 + 4 * n, n % 3 > 0) for n in range(60)]
    >>> model = fit(made)["keg"]
    >>> model.failures, model.borrowed, 1 < model.shape < 3
    (40, 0.0, True)
    """
    by_class = defaultdict[str, list[Life]](list)
    for life in lives:
        if life.failed or life.cycles > life.entry:  # who has done nothing tells nothing
            by_class[life.class_].append(life)
    models = {}
    for class_, own in by_class.items():
        failures = sum(life.failed for life in own)
        missing = max(ENOUGH - failures, 0)
        prior = (priors or {}).get(class_)
        others = [life for life in lives if life.class_ != class_]
        borrowed = _along(prior, own) if prior is not None else others
        lent = sum(life.failed for life in borrowed)
        weight = missing / lent if lent and missing else 0.0
        weighed = [(life, life.weight) for life in own]
        if weight:
            weighed += [(life, weight) for life in borrowed]
        found = _fitted(weighed) if failures or weight else None
        if found is not None:
            models[class_] = found._replace(
                lives=len(own), failures=failures, borrowed=float(missing if weight else 0)
            )
    return models


def _along(prior: Prior, own: Sequence[Life]) -> list[Life]:
    """Failures along a maker's curve, of assets with the class's usual rates."""
    usual = tuple(
        sum(column) / len(own) for column in zip(*(life.rates for life in own), strict=True)
    )
    shares = [(n + 0.5) / PRIOR_ROWS for n in range(PRIOR_ROWS)]
    model = of_maker(prior)
    return [Life("", "", model.remaining(0, share), True, usual) for share in shares]


def _fitted(weighed: Sequence[tuple[Life, float]]) -> Model | None:
    """Lives, each with how much it counts. Rates that are all alike tell nothing: their coefficient
    is 0. None: too little is known of too few, or of too much alike, for any curve."""
    if len(weighed) < 2:
        return None
    # They take a second to import, and only who fits needs them.
    from lifelines import WeibullAFTFitter
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning, StatisticalWarning
    from pandas import DataFrame

    columns = list(zip(*(life.rates for life, _ in weighed), strict=True))
    telling = [n for n, column in enumerate(columns) if len(set(column)) > 1]
    table = DataFrame(
        {
            "cycles": [max(life.cycles, LEAST_CYCLES) for life, _ in weighed],
            "failed": [life.failed for life, _ in weighed],
            "weight": [weight for _, weight in weighed],
            "entry": [_entry(life) for life, _ in weighed],
        }
        | {f"x{n}": columns[n] for n in telling}
    )
    entry = "entry" if any(life.entry for life, _ in weighed) else None
    if entry is None:
        table = table.drop(columns="entry")
    with catch_warnings():
        # Weights bias variances, which we do not use; what makes no curve is told by its error.
        for warning in (StatisticalWarning, ConvergenceWarning, RuntimeWarning):
            simplefilter("ignore", warning)
        for ridge in RIDGES:
            fitter = WeibullAFTFitter(penalizer=ridge)
            try:
                fitter.fit(table, "cycles", "failed", weights_col="weight", entry_col=entry)
            except ConvergenceError:
                continue
            break
        else:
            return None
    scale = fitter.params_["lambda_"]
    coefficients = tuple(float(scale.get(f"x{n}", 0.0)) for n in range(len(columns)))
    shape = exp(min(fitter.params_["rho_"]["Intercept"], log(SHAPE_AT_MOST)))
    return Model(float(scale["Intercept"]), coefficients, shape)


def _entry(life: Life) -> float:
    return max(min(life.entry, max(life.cycles, LEAST_CYCLES) - LEAST_ALIVE), 0.0)

"""Chance that is the same for the same seed, on every machine, and the distributions needed."""

from __future__ import annotations

from math import exp, log
from random import Random

HOUR_MS = 3_600_000
SHORTEST_MS = 60_000  # nothing is done in less


def random_of(seed: int, *names: object) -> Random:
    """A stream of chance of its own for each thing that has some: another asset more does not
    change what happens to the others.

    >>> random_of(1, "gps", "trk-1").random() == random_of(1, "gps", "trk-1").random()
    True
    """
    return Random("/".join(map(str, (seed, *names))))  # noqa: S311 (a world, not a secret)


def gamma_ms(random: Random, mean_h: float, shape: float = 2.0) -> int:
    """A length of time (ms), gamma distributed; a shape above 1 makes very short ones rare."""
    return max(SHORTEST_MS, round(random.gammavariate(shape, mean_h / shape) * HOUR_MS))


def lognormal_ms(random: Random, mean_h: float, sigma: float) -> int:
    """A length of time (ms) whose logarithm deviates by `sigma`; `mean_h` is its mean."""
    mu = log(mean_h) - sigma**2 / 2
    return max(SHORTEST_MS, round(random.lognormvariate(mu, sigma) * HOUR_MS))


def poisson(random: Random, mean: float) -> int:
    """A number of events, Poisson distributed (Knuth's product of uniforms; for small means)."""
    threshold, product, number = exp(-mean), random.random(), 0
    while product > threshold:
        product *= random.random()
        number += 1
    return number


def periods(
    random: Random, share: float, mean_h: float, start_ms: int, end_ms: int
) -> list[tuple[int, int]]:
    """When something is so that is so for a `share` of the time and `mean_h` on the average: a
    two-state process from its balance on. Times `(since, until)`, epoch ms.

    >>> found = periods(random_of(1), 0.1, 24, 0, 10_000 * 3_600_000)
    >>> round(sum(until - since for since, until in found) / 3_600_000 / 10_000, 1)
    0.1
    """
    if share <= 0:
        return []
    between_h = mean_h * (1 - share) / share
    found = []
    at = start_ms
    if random.random() >= share:
        at += round(random.expovariate(1 / between_h) * HOUR_MS)
    while at < end_ms:
        until = at + gamma_ms(random, mean_h, 1.0)
        found.append((at, until))
        at = until + gamma_ms(random, between_h, 1.0)
    return found

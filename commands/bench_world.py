"""The world that `retour bench query` asks about: made up, the same for the same number.

A pool of assets between Antwerp and the Ruhr: 300 sites around ten cities, more than half of
the assets at sites, the others on the roads between them. It is stored the way devices would
have it stored: decoded, logged, folded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import accumulate
from random import Random
from typing import NamedTuple

import orjson

from gateway.decoders.native import decode_events
from tracker.arrange import put_place
from tracker.audit import PROGRAM
from tracker.model import Asset, Device, Message
from tracker.places import Circle, Polygon, Site, SiteKind
from tracker.ports import Store, Writer
from tracker.record import record
from tracker.stamps import StampPolicy
from tracker.versions import Version

NOW = 1_790_000_000_000
HOUR = 3_600_000
SITES = 300
BATCH = 2_500  # assets in one transaction: PostgreSQL ends one that idles for long
CITIES = [
    (51.92, 4.48),
    (52.37, 4.90),
    (52.09, 5.12),
    (51.44, 5.48),
    (51.22, 4.40),
    (50.85, 4.35),
    (51.23, 6.78),
    (50.94, 6.96),
    (51.51, 7.47),
    (51.05, 3.72),
]
CLASSES = ["pallet"] * 10 + ["container"] * 4 + ["cage"] * 3 + ["tool"] * 2 + ["pump"]
STAGES = ["in_use", "ready", "in_use", "return_transit", "in_use", "ready", "inspection"]
COLOURS = ["blue", "green", "red", "grey", "white", "yellow"]
RARE = "Quetzal"  # in the name of one asset of 50,000
# Of all assets, the share of each site: the biggest holds 2 %, all of them together 58 %.
SHARES = [0.02 / (n + 1) ** 0.55 for n in range(SITES)]


class Yard(NamedTuple):
    """A site's middle, and how far it reaches (metres)."""

    lat: float
    lon: float
    radius_m: float


def site_id(number: int) -> str:
    """The ids of sites, the biggest first.

    >>> site_id(0)
    'site-001'
    """
    return f"site-{number + 1:03}"


def asset_id(number: int) -> str:
    """The id of an asset, which begins with its class.

    >>> asset_id(0)
    'pallet-000001'
    """
    return f"{_class_of(number)}-{number + 1:06}"


@cache
def yards() -> list[Yard]:
    """The sites, the biggest first."""
    chance = Random("sites")  # noqa: S311
    middles = [chance.choice(CITIES) for _ in range(SITES)]
    return [
        Yard(lat + chance.gauss(0, 0.06), lon + chance.gauss(0, 0.09), 600 if n < 10 else 250)
        for n, (lat, lon) in enumerate(middles)
    ]


def fill(store: Store, assets: int, progress: Callable[[int, int], None]) -> None:
    """Store the sites and so many assets, as far as they are not there yet."""
    with store.writing() as tx:
        for n, yard in enumerate(yards()):
            put_place(tx, "site", site_id(n), _site(n, yard), None, None, PROGRAM)
    for first in range(0, assets, BATCH):
        numbers = range(first, min(first + BATCH, assets))
        with store.writing() as tx:
            if tx.asset(asset_id(numbers[-1])) is None:
                _add(tx, numbers)
        progress(numbers.stop, assets)


def _add(tx: Writer, numbers: range) -> None:
    chance = Random(numbers.start)  # noqa: S311
    tx.put_assets([_asset(chance, n) for n in numbers])
    tx.put_devices(
        [
            Device(_tracker(n), "tracker", first_received=NOW, rest_interval_s=21_600)
            for n in numbers
        ]
    )
    tx.add_bindings(
        [
            Version(0, "binding", subject, None, None, NOW, asset_id(n))
            for n in numbers
            for subject in (_tracker(n), _tag(n))
        ]
    )
    record(tx, [_message(chance, n) for n in numbers], [], StampPolicy())


def _class_of(number: int) -> str:
    return CLASSES[number % len(CLASSES)]


def _tracker(number: int) -> str:
    return f"trk-{number + 1:06}"


def _tag(number: int) -> str:
    return f"urn:epc:id:grai:0614141.12345.{number + 1}"


def _asset(chance: Random, number: int) -> Asset:
    class_, colour = _class_of(number), chance.choice(COLOURS)
    name = f"{RARE if number % 50_000 == 7 else colour.title()} {class_} {number % 1_000}"
    attributes = {"colour": colour, "owner": f"customer-{chance.randrange(200):03}"}
    external = {"erp": f"4{number:07}"}
    home = site_id(chance.randrange(SITES))
    stage = STAGES[number % len(STAGES)]
    return Asset(asset_id(number), class_, name, home, stage, attributes, external)


def _site(number: int, yard: Yard) -> Site:
    lat, lon, radius_m = yard
    if number % 10:
        fence: Circle | Polygon = Circle(center=(lon, lat), radius_m=radius_m)
    else:
        high, wide = radius_m / 111_195, radius_m / 69_000  # in degrees, there
        corners = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
        fence = Polygon(polygon=[(lon + x * wide, lat + y * high) for x, y in corners])
    kind: SiteKind = "customer" if number % 5 else "depot"
    return Site(id=site_id(number), name=f"Yard {number + 1}", kind=kind, geofence=fence)


def _message(chance: Random, number: int) -> Message:
    """What an asset's tracker has sent: where it is, and mostly where it was before."""
    at = NOW - chance.randrange(6 * HOUR)
    events = [_event(at, *place) for at, place in _way(chance, number, at)]
    tracker = _tracker(number)
    payload = orjson.dumps({"boot": "b1", "seq": 0, "events": events})
    return decode_events(f"retour/v1/{tracker}/events", payload, NOW)


def _way(chance: Random, number: int, at: int) -> Iterator[tuple[int, tuple[float, float]]]:
    """One on the road has left a site, every fourth one at a site has come from another."""
    yard = chance.choices([*yards(), None], cum_weights=_weights())[0]
    if yard is None:
        here, there = chance.choice(yards()), chance.choice(yards())
        yield at - 20 * HOUR, _within(chance, here)
        yield at - HOUR, _between(chance, here, there)
        yield at, _between(chance, here, there)
    else:
        if number % 4 == 0:
            yield at - 20 * HOUR, _within(chance, chance.choice(yards()))
            yield at - 3 * HOUR, _within(chance, yard)
        yield at, _within(chance, yard)


@cache
def _weights() -> list[float]:
    return [*accumulate(SHARES), 1.0]


def _within(chance: Random, yard: Yard) -> tuple[float, float]:
    spread = yard.radius_m / 3
    return _off(chance, yard.lat, yard.lon, min(spread, 150))


def _between(chance: Random, one: Yard, other: Yard) -> tuple[float, float]:
    way = chance.random()
    lat = one.lat + way * (other.lat - one.lat)
    return _off(chance, lat, one.lon + way * (other.lon - one.lon), 2_000)


def _off(chance: Random, lat: float, lon: float, metres: float) -> tuple[float, float]:
    """A place some metres off."""
    return lat + chance.gauss(0, metres) / 111_195, lon + chance.gauss(0, metres) / 69_000


def _event(at: int, lat: float, lon: float) -> dict[str, object]:
    return {"at": at, "fix": {"lat": round(lat, 6), "lon": round(lon, 6), "acc": 8.0}}

"""The records that a fleet's figures are made of, out of what is kept: what was told of stages, the
stays at sites and the lines of leases. Answered from one reading transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tracker.alerts import DAY_MS
from tracker.asset_ports import AssetFilter, Position
from tracker.fleet_records import (
    LeaseLine,
    Member,
    Outcome,
    Period,
    Records,
    StageTime,
    Stay,
    Trip,
)
from tracker.fold import Belief
from tracker.leases import BACK, Lease, Line
from tracker.model import Asset
from tracker.overdue import Entered, back
from tracker.past import Past, pasts_of
from tracker.ports import Reader
from tracker.refold import ALWAYS
from tracker.trips import Flow, Way, flow_of, member, spans, stage_times, ways

PAGE = 1_000
BEFORE_MS = 365 * DAY_MS  # before the period a trip that ends in it may have stayed anywhere
BEGINNING = (ALWAYS + 1, "")


class Held(NamedTuple):
    """A lease line, and when its asset was `returned`: seen back, else on paper (None: not by the
    end of the period). `void`: it was cancelled, or another asset took its place."""

    lease: Lease
    line: Line
    returned: int | None
    void: bool


class Known(NamedTuple):
    """An asset and all that was told of it by the end of the period: what it entered, when it was
    first observed, its lease lines, and its stays."""

    asset: Asset
    entered: Sequence[Entered]
    joined: int
    lines: Sequence[Held]
    stays: Sequence[Stay]


def gather(
    reader: Reader,
    since: int | None,
    until: int,
    class_: str | None = None,
    outcomes: Sequence[Outcome] = (),
) -> tuple[Period, Records]:
    """The records of a period, of all assets or those of a class. It begins with the first
    observation of any of them at the earliest: before, there was no fleet. `outcomes` are what
    became of them, as far as somebody has told."""
    period = Period(ALWAYS if since is None else since, until)
    gathered = Gathered(period, Owners.of(reader), _stays(reader, since, until))
    begin = until
    for page in _pages(reader, class_):
        for one in _known(reader, page, gathered.stays, until):
            begin = min(begin, one.joined)
            gathered.take(one, reader)
    of_class = [one for one in outcomes if class_ in (None, one.class_)]
    return Period(max(begin, period.since), until), gathered.records(of_class)


def _pages(reader: Reader, class_: str | None) -> Iterator[list[Asset]]:
    after = ""
    while page := reader.assets(AssetFilter(class_=class_), after, PAGE):
        yield page
        after = page[-1].id


def _known(
    reader: Reader, assets: Sequence[Asset], stays: Mapping[str, list[Stay]], until: int
) -> Iterator[Known]:
    """Those of some assets that were observed by then."""
    ids = [one.id for one in assets]
    placed, lines = reader.placed(ids), reader.lines_of(ids)
    pasts = pasts_of(reader, ids, lines)  # only of what is on leases receipts matter
    leases = reader.leases_by_id({line.lease for some in lines.values() for line in some})
    for asset in assets:
        belief, past = placed.get(asset.id), _by(pasts[asset.id], until)
        joined = _joined(belief, past)
        if joined is not None and joined < until:
            own = lines.get(asset.id, [])
            held = [_held(leases[line.lease], line, past, own, until) for line in own]
            there = [*stays.get(asset.id, ()), *_standing(belief, until)]
            named = [one._replace(asset=asset.id, class_=asset.class_) for one in there]
            yield Known(asset, past.entered, joined, held, named)


def _by(past: Past, until: int) -> Past:
    """What was told of times before one."""
    entered = tuple(one for one in past.entered if one.at < until)
    return Past(entered, tuple(at for at in past.received if at < until))


def _joined(belief: Belief | None, past: Past) -> int | None:
    """When an asset was first observed: in a place, or in a stage."""
    first = [belief.first.at] if belief is not None and belief.first is not None else []
    return min([*first, *(one.at for one in past.entered if one.at > ALWAYS)], default=None)


def _held(lease: Lease, line: Line, past: Past, others: Sequence[Line], until: int) -> Held:
    came, ended = back(line, *past, others), line.ended
    at = came.at if came is not None else ended.at if ended is not None else None
    void = ended is not None and ended.how != BACK
    return Held(lease, line, at if at is not None and at < until else None, void)


def _standing(belief: Belief | None, until: int) -> Iterator[Stay]:
    """The stay of an asset that goes on."""
    stay = belief.whereabouts.stay if belief is not None else None
    if stay is not None and stay.since < until:
        yield Stay("", "", stay.site, None, stay.since, min(stay.last, until))


def _stays(reader: Reader, since: int | None, until: int) -> dict[str, list[Stay]]:
    """The stays at every site that are over, by asset: from well before the period on. One that
    ended after the period goes on at its end."""
    found, from_ = defaultdict[str, list[Stay]](list), None if since is None else since - BEFORE_MS
    for site in reader.layout().sites():
        after = Position(*BEGINNING)
        while page := reader.visits_at(site, from_, until, after, PAGE):
            for asset, visit in page:
                end = visit.until if visit.until < until else None
                last = min(visit.last, until)
                found[asset].append(Stay("", "", site, None, visit.since, last, end))
            after = Position(page[-1].visit.since, page[-1].asset)
    return found


class Owners(NamedTuple):
    """Whose each site is (None: of several), and which are customers' as far as anybody said."""

    partners: Mapping[str, str | None]
    sites: frozenset[str]

    @classmethod
    def of(cls, reader: Reader) -> Owners:
        """By the partners, and by what sites are said to be."""
        partners = dict[str, str | None]()
        for partner in reader.partners().values():
            for site in partner.sites:
                partners[site] = None if site in partners else partner.id
        said = (id for id, site in reader.layout().sites().items() if site.kind == "customer")
        return cls(partners, frozenset([*partners, *said]))

    def of_site(self, site: str | None) -> str | None:
        """Whose a site is."""
        return self.partners.get(site or "")


class Gathered:
    """The records of assets taken one after another, so that not all that was told of all of them
    is held at once."""

    def __init__(self, period: Period, owners: Owners, stays: Mapping[str, list[Stay]]) -> None:
        self.stays = stays
        self._period, self._owners = period, owners
        self._flows = dict[str, Flow]()
        self._trips, self._stays, self._lines = list[Trip](), list[Stay](), list[LeaseLine]()
        self._members, self._times = list[Member](), list[StageTime]()

    def take(self, one: Known, reader: Reader) -> None:
        """The records of an asset."""
        id, class_ = one.asset.id, one.asset.class_
        if class_ not in self._flows:
            self._flows[class_] = flow_of(reader.inference().process_of(class_))
        flow, period, owners = self._flows[class_], self._period, self._owners
        told = [*spans(one.entered, one.joined, period.until)]
        if (found := member(id, class_, told, flow, period)) is not None:
            self._members.append(found)
        self._times += stage_times(id, class_, told, flow, period)
        self._trips += [_trip(one, way, owners, period) for way in ways(one.entered, flow)]
        self._stays += [stay._replace(partner=owners.of_site(stay.site)) for stay in one.stays]
        self._lines += _lines(one)

    def records(self, outcomes: Sequence[Outcome]) -> Records:
        """All that were taken."""
        parts = self._trips, self._stays, self._lines, outcomes, self._members, self._times
        return Records(*parts)


def _trip(one: Known, way: Way, owners: Owners, period: Period) -> Trip:
    """A trip with where it went: to the customer of the lease that it was on for most of its time,
    and to the customers' site where it stayed longest."""
    trip = Period(way.dispatched, way.received if way.received is not None else period.until)
    site = _longest(
        (_overlap(trip, stay.since, stay.last), stay.site or "")
        for stay in one.stays
        if stay.site in owners.sites
    )
    held = {line.line.name: line.lease for line in one.lines}
    line = _longest(
        (_overlap(trip, line.line.start_at, line.returned), line.line.name) for line in one.lines
    )
    partner = owners.of_site(site) if line is None else held[line].customer
    if site is None and line is not None:
        site = next(iter(held[line].sites), None)
    return Trip(one.asset.id, one.asset.class_, site, partner, *way)


def _overlap(trip: Period, since: int, until: int | None) -> int:
    """How much of a trip lies between two times (ms); below 0: nothing."""
    return min(trip.until, trip.until if until is None else until) - max(trip.since, since)


def _longest(some: Iterable[tuple[int, str]]) -> str | None:
    """What overlaps most, if anything does."""
    length, found = max(some, default=(-1, ""))
    return found if length >= 0 else None


def _lines(one: Known) -> Iterator[LeaseLine]:
    for held in one.lines:
        if not held.void:
            site, partner = next(iter(held.lease.sites), None), held.lease.customer
            about = (one.asset.id, one.asset.class_, site, partner)
            yield LeaseLine(*about, held.line.due_at, held.returned)

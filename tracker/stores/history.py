"""What is logged of an asset, found through its bindings."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select

from tracker.case import Cadence, Case, is_tag
from tracker.model import Binding, Observation, fact_subject
from tracker.stores import rows, schema
from tracker.versions import Version
from tracker.whereabouts import Moment


def bindings_of(db: Connection, asset: str, as_of: int | None = None) -> list[Binding]:
    """The bindings to an asset as they hold, or as was recorded by `as_of`."""
    return [binding for binding in _bindings(db, [asset], as_of) if binding.asset == asset]


def _bindings(db: Connection, assets: list[str], as_of: int | None) -> list[Binding]:
    """The bindings of everything that was ever bound to some assets."""
    table = schema.versions
    # Only bindings have an asset. Were their kind named too, SQLite would look through all of them.
    subjects = select(table.c.id).where(table.c.asset.in_(assets))
    query = select(table).where(table.c.kind == "binding", table.c.id.in_(subjects))
    if as_of is not None:
        query = query.where(table.c.recorded <= as_of)
    histories: dict[str, list[Version[str]]] = {}
    for row in db.execute(query.order_by(table.c.revision)):
        histories.setdefault(row.id, []).append(rows.binding_version(row))
    return [binding for versions in histories.values() for binding in rows.bindings(versions)]


def cases(db: Connection, assets: list[str], as_of: int | None = None) -> dict[str, Case]:
    """What is registered of some assets, with their bindings as recorded by `as_of`."""
    registered = select(*schema.assets.c[1:]).where(schema.assets.c.id.in_(assets))
    found = {row[0]: rows.asset(row) for row in db.execute(registered)}
    bindings: dict[str, list[Binding]] = {asset: [] for asset in found}
    for binding in _bindings(db, assets, as_of):
        if binding.asset in bindings:
            bindings[binding.asset].append(binding)
    trackers = {b.subject for held in bindings.values() for b in held if not is_tag(b.subject)}
    devices = schema.devices
    profiles = select(devices.c.id, devices.c.rest_interval_s, devices.c.moving_interval_s)
    stated = {
        row.id: Cadence(row.rest_interval_s, row.moving_interval_s)
        for row in db.execute(profiles.where(devices.c.id.in_(trackers)))
    }
    return {
        id: Case(asset, tuple(held), tuple((s, stated[s]) for s in _trackers(held) if s in stated))
        for id, asset in found.items()
        for held in [sorted(bindings[id], key=_by_subject)]
    }


def _trackers(bindings: list[Binding]) -> list[str]:
    return sorted({b.subject for b in bindings if not is_tag(b.subject)})


def _by_subject(binding: Binding) -> tuple[str, int]:
    return binding.subject, -1 if binding.since is None else binding.since


def history(
    db: Connection,
    asset: str,
    since: int | None = None,
    until: int | None = None,
    after: Moment | None = None,
    limit: int | None = None,
    as_of: int | None = None,
) -> Iterator[Observation]:
    """The observations of an asset in (event time, key) order: from `since` up to but not at
    `until`, those after a moment, at most `limit`, recorded by `as_of`; none from before the
    log's edge."""
    edge = db.scalar(select(func.max(schema.edges.c.at)))
    from_on = max((t for t in (since, after and after.at, edge) if t is not None), default=None)
    # One range of the index for each binding, read as far as it is wanted.
    told = [Binding(asset, fact_subject(asset)), *bindings_of(db, asset, as_of)]
    ranges = [_of_binding(db, binding, from_on, until, after, as_of) for binding in told]
    yield from islice(merge(*ranges, key=lambda o: (o.at, o.key)), limit)


def _of_binding(
    db: Connection,
    binding: Binding,
    since: int | None,
    until: int | None,
    after: Moment | None,
    as_of: int | None,
) -> Iterator[Observation]:
    log = schema.log
    query = (
        select(*log.c[1:14])
        .where(log.c.subject == binding.subject)
        .where(*_between(binding.since, binding.until), *_between(since, until))
        .order_by(log.c.at, log.c.key)
    )
    if after is not None:
        key = bytes.fromhex(after.key)
        query = query.where(or_(log.c.at > after.at, log.c.key > key))
    if as_of is not None:
        query = query.where(log.c.recorded <= as_of)
    for row in db.execute(query):
        yield rows.observation(row)


def from_edge(db: Connection, after: Moment | None) -> list[ColumnElement[bool]]:
    """Conditions for what the log still holds, after a moment."""
    log = schema.log
    edge: int | None = db.scalar(select(func.max(schema.edges.c.at)))
    conditions: list[ColumnElement[bool]] = [] if edge is None else [log.c.at >= edge]
    if after is not None:
        key = bytes.fromhex(after.key)
        conditions += [log.c.at >= after.at, or_(log.c.at > after.at, log.c.key > key)]
    return conditions


def _between(since: int | None, until: int | None) -> list[ColumnElement[Any]]:
    at = schema.log.c.at
    bounds = []
    if since is not None:
        bounds.append(at >= since)
    if until is not None:
        bounds.append(at < until)
    return bounds

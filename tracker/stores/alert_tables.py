"""Alerts, what happened to them, and when to look at what again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Row, delete, insert, select, text, tuple_, update

from tracker.alerts import Alert, Event, State
from tracker.conditions import SHOCK, Reading
from tracker.lease_ports import AlertEvent, AlertFilter, OpenLine, OverdueFilter
from tracker.stores import rows, schema, sql

_LOOK_AT_ALL = text("""
    INSERT INTO timers (asset, at)
    SELECT id, :now + (row_number() OVER (ORDER BY id) - 1) / :at_once * 1000 FROM assets
    WHERE CAST(:class AS TEXT) IS NULL OR class = CAST(:class AS TEXT)
    ON CONFLICT (asset) DO UPDATE
    SET at = CASE WHEN timers.at < excluded.at THEN timers.at ELSE excluded.at END""")


class AlertReads(sql.Speaks):
    """The part of a `tracker.ports.Reader` that concerns alerts."""

    def alert(self, id: str) -> Alert | None:
        table = schema.alerts
        row = self._db.execute(select(table).where(table.c.id == id)).first()
        return _alert(row) if row else None

    def alerts_of(self, assets: Iterable[str]) -> dict[str, list[Alert]]:
        table, found = schema.alerts, defaultdict[str, list[Alert]](list)
        for some in sql.chunks([*assets]):
            query = select(table).where(table.c.asset.in_(some)).order_by(table.c.episode)
            for row in self._db.execute(query):
                found[row.asset].append(_alert(row))
        return dict(found)

    def alerts(self, wanted: AlertFilter, after: tuple[int, str], limit: int) -> list[Alert]:
        table = schema.alerts
        position = (table.c.since, table.c.id)
        query = select(table).where(tuple_(*position) > tuple_(*after))
        for name in ("rule", "asset", "lease", "severity"):
            if (value := getattr(wanted, name)) is not None:
                query = query.where(table.c[name] == value)
        if wanted.states:
            query = query.where(table.c.state.in_(wanted.states))
        if wanted.rules:
            query = query.where(table.c.rule.in_(wanted.rules))
        if wanted.customer is not None:
            leases = schema.leases
            own = select(leases.c.id).where(leases.c.customer == wanted.customer)
            query = query.where(table.c.lease.in_(own))
        query = query.order_by(*position).limit(limit)
        return [_alert(row) for row in self._db.execute(query)]

    def open_lines(self, wanted: OverdueFilter) -> list[OpenLine]:
        alerts, lines, leases = schema.alerts.c, schema.lines.c, schema.leases.c
        assets, beliefs = schema.assets.c, schema.beliefs.c
        told = (alerts.id, alerts.asset, lines.due_at, alerts.why, assets.attributes)
        query = select(*told).where(
            alerts.state.in_(wanted.states),
            alerts.rule.in_(wanted.rules),
            lines.lease == alerts.lease,
            lines.id == alerts.line,
            assets.id == alerts.asset,
        )
        if wanted.customer is not None:
            query = query.where(leases.id == alerts.lease, leases.customer == wanted.customer)
        if wanted.class_ is not None:
            query = query.where(assets["class"] == wanted.class_)
        if wanted.site is not None:
            query = query.where(beliefs.asset == alerts.asset, beliefs.site == wanted.site)
        read = orjson.loads
        return [OpenLine(*row[:3], *map(read, row[3:])) for row in self._db.execute(query)]

    def alert_events(self, alert: str) -> list[AlertEvent]:
        table = schema.alert_events
        query = select(table).where(table.c.alert == alert).order_by(table.c.id)
        return [_event(row) for row in self._db.execute(query)]

    def alert_events_after(self, number: int, limit: int) -> list[AlertEvent]:
        table = schema.alert_events
        query = select(table).where(table.c.id > number).order_by(table.c.id).limit(limit)
        return [_event(row) for row in self._db.execute(query)]

    def timers(self, until: int, limit: int) -> list[str]:
        table = schema.timers
        query = select(table.c.asset).where(table.c.at <= until)
        return list(self._db.scalars(query.order_by(table.c.at, table.c.asset).limit(limit)))

    def timers_of(self, assets: Iterable[str]) -> dict[str, int]:
        table, found = schema.timers, dict[str, int]()
        for some in sql.chunks([*assets]):
            rows_ = self._db.execute(select(table).where(table.c.asset.in_(some)))
            found.update((row.asset, row.at) for row in rows_)
        return found

    def held_of(self, assets: Iterable[str]) -> dict[str, dict[str, int]]:
        table, found = schema.held, dict[str, dict[str, int]]()
        for some in sql.chunks([*assets]):
            rows_ = self._db.execute(select(table).where(table.c.asset.in_(some)))
            found.update((row.asset, orjson.loads(row.body)) for row in rows_)
        return found

    def hits_of(self, assets: Iterable[str]) -> dict[str, list[Reading]]:
        table, found = schema.hits, defaultdict[str, list[Reading]](list)
        for some in sql.chunks([*assets]):
            for row in self._db.execute(select(table).where(table.c.asset.in_(some))):
                found[row.asset].append(Reading(SHOCK, row.device, row.at, row.value))
        return dict(found)


class AlertWrites(AlertReads):
    """The part of a `tracker.ports.Writer` that concerns alerts."""

    def save_alerts(self, alerts: Sequence[Alert]) -> None:
        table, last = schema.alerts, {alert.id: alert for alert in alerts}
        for some in sql.chunks([*last]):
            self._db.execute(delete(table).where(table.c.id.in_(some)))
        values = [
            alert._asdict() | {"id": id, "why": rows.json(dict(alert.why))}
            for id, alert in last.items()
        ]
        if values:
            self._db.execute(insert(table), values)

    def add_alert_events(self, events: Sequence[Event], recorded: int) -> list[int]:
        table = schema.alert_events
        values = [
            {
                "alert": event.alert.id,
                "kind": event.kind,
                "at": event.at,
                "recorded": recorded,
                "by": event.by,
                "note": event.note,
                "body": rows.json(event.alert._asdict()),
            }
            for event in events
        ]
        if not values:
            return []
        added = insert(table).returning(table.c.id, sort_by_parameter_order=True)
        return list(self._db.scalars(added, values))

    def set_timers(self, timers: Mapping[str, int | None]) -> None:
        table = schema.timers
        for some in sql.chunks([*timers]):
            self._db.execute(delete(table).where(table.c.asset.in_(some)))
        values = [{"asset": a, "at": at} for a, at in timers.items() if at is not None]
        if values:
            self._db.execute(insert(table), values)

    def look_at_all(self, now: int, at_once: int, class_: str | None = None) -> None:
        self._db.execute(_LOOK_AT_ALL, {"now": now, "at_once": at_once, "class": class_})

    def note_hits(self, hits: Sequence[tuple[str, Reading]]) -> None:
        table = schema.hits
        for asset, hit in hits:
            values = {"asset": asset, "device": hit.device, "at": hit.at, "value": hit.value}
            kept = select(table.c.value).where(table.c.asset == asset, table.c.device == hit.device)
            before = self._db.scalar(kept)
            if before is None:
                self._db.execute(insert(table).values(values))
            elif hit.value > before:
                same = (table.c.asset == asset) & (table.c.device == hit.device)
                self._db.execute(update(table).where(same).values(values))

    def forget_hits(self, assets: Iterable[str]) -> None:
        for some in sql.chunks([*assets]):
            self._db.execute(delete(schema.hits).where(schema.hits.c.asset.in_(some)))

    def set_held(self, held: Mapping[str, Mapping[str, int]]) -> None:
        table = schema.held
        for some in sql.chunks([*held]):
            self._db.execute(delete(table).where(table.c.asset.in_(some)))
        values = [{"asset": a, "body": rows.json(dict(body))} for a, body in held.items() if body]
        if values:
            self._db.execute(insert(table), values)


def _alert(row: Row[Any]) -> Alert:
    values = row._asdict()
    values.pop("id")
    values["state"], values["why"] = State(values["state"]), orjson.loads(values["why"])
    return Alert(**values)


def _event(row: Row[Any]) -> AlertEvent:
    values = orjson.loads(row.body)
    values["state"] = State(values["state"])
    event = Event(Alert(**values), row.kind, row.at, row.by, row.note)
    return AlertEvent(row.id, row.recorded, event)

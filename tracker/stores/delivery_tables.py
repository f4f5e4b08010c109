"""Recipients of alerts, and the queue of what they are to be told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import Row, delete, func, insert, select, tuple_, update

from tracker.delivery_ports import Backlog
from tracker.notices import Attempt, Delivery, Notice, State
from tracker.recipients import Recipient
from tracker.stores import rows, schema, sql

_recipients, _deliveries = schema.recipients, schema.deliveries
_UNSENT = (State.WAITING, State.GATHERED, State.PARKED)


class DeliveryReads(sql.Speaks):
    """The part of a `tracker.ports.Reader` that concerns them."""

    def recipients(self) -> dict[str, Recipient]:
        found = self._db.execute(select(_recipients).order_by(_recipients.c.id))
        return {row.id: Recipient.model_validate_json(row.body) for row in found}

    def delivery(self, id: str) -> Delivery | None:
        row = self._db.execute(select(_deliveries).where(_deliveries.c.id == id)).first()
        return _delivery(row) if row else None

    def deliveries(
        self,
        before: tuple[int, str] | None,
        limit: int,
        state: str | None = None,
        recipient: str | None = None,
    ) -> list[Delivery]:
        position = (_deliveries.c.queued, _deliveries.c.id)
        query = select(_deliveries)
        if before is not None:
            query = query.where(tuple_(*position) < tuple_(*before))
        if state is not None:
            query = query.where(_deliveries.c.state == state)
        if recipient is not None:
            query = query.where(_deliveries.c.recipient == recipient)
        query = query.order_by(*(column.desc() for column in position)).limit(limit)
        return [_delivery(row) for row in self._db.execute(query)]

    def due_recipients(self, now: int) -> list[str]:
        waits = (_deliveries.c.state == State.WAITING, _deliveries.c.due <= now)
        theirs = select(_deliveries.c.id).where(*waits, _deliveries.c.recipient == _recipients.c.id)
        query = select(_recipients.c.id).where(theirs.exists()).order_by(_recipients.c.id)
        return list(self._db.scalars(query))

    def delivery_backlog(self, now: int) -> Backlog:
        state, due = _deliveries.c.state, _deliveries.c.due
        waiting = select(func.count()).where(state == State.WAITING)
        since = select(func.min(due)).where(state == State.WAITING, due <= now)
        parked = select(func.count()).where(state == State.PARKED)
        asked = (waiting, since, parked)
        found = self._db.execute(select(*(query.scalar_subquery() for query in asked)))
        return Backlog._make(found.one())


class DeliveryWrites(DeliveryReads):
    """The part of a `tracker.ports.Writer` that concerns them."""

    def put_recipient(self, recipient: Recipient) -> None:
        self._db.execute(delete(_recipients).where(_recipients.c.id == recipient.id))
        body = recipient.model_dump_json(exclude_defaults=True)
        values = (recipient.id, body, recipient.version)
        self._db.execute(insert(_recipients).values(values))

    def drop_recipient(self, id: str) -> None:
        self._db.execute(delete(_recipients).where(_recipients.c.id == id))
        unsent = (_deliveries.c.recipient == id, _deliveries.c.state.in_(_UNSENT))
        self._db.execute(delete(_deliveries).where(*unsent))

    def queue_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        self._many(self._sql.queue_delivery, [_row(one) for one in deliveries])

    def claim_deliveries(self, recipient: str, now: int, until: int, limit: int) -> list[Delivery]:
        table = _deliveries
        waits = (table.c.state == State.WAITING, table.c.recipient == recipient)
        due = select(table).where(*waits, table.c.due <= now).order_by(table.c.due, table.c.event)
        claimed = [_delivery(row) for row in self._db.execute(self._unlocked(due.limit(limit)))]
        ids = [one.id for one in claimed]
        self._db.execute(update(table).where(table.c.id.in_(ids)).values(due=until))
        return [one._replace(due=until) for one in claimed]

    def travelling_with(self, leads: Iterable[str]) -> list[Delivery]:
        found = list[Delivery]()
        for some in sql.chunks([*leads]):
            own = (_deliveries.c.lead.in_(some), _deliveries.c.id != _deliveries.c.lead)
            query = select(_deliveries).where(*own).order_by(_deliveries.c.event)
            found += [_delivery(row) for row in self._db.execute(query)]
        return found

    def save_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        values = [
            (str(one.state), one.due, rows.json([*map(list, one.attempts)]), one.lead, one.id)
            for one in deliveries
        ]
        self._many(self._sql.save_delivery, values)

    def forget_deliveries(self, before: int, limit: int) -> int:
        table = _deliveries
        old = (table.c.state == State.SENT, table.c.queued < before)
        some = select(table.c.id).where(*old).order_by(table.c.queued, table.c.id).limit(limit)
        return self._db.execute(delete(table).where(table.c.id.in_(some))).rowcount


def _row(one: Delivery) -> tuple[Any, ...]:
    """The columns of a new one, in order."""
    notice = rows.json([*one.notice[:5], dict(one.notice.data)])
    attempts = rows.json([*map(list, one.attempts)])
    told = (one.id, one.recipient, one.alert, one.event, str(one.state), one.queued, one.due)
    return (*told, notice, attempts, one.lead)


def _delivery(row: Row[Any]) -> Delivery:
    notice = Notice(*orjson.loads(row.notice))
    attempts = tuple(Attempt(*one) for one in orjson.loads(row.attempts))
    told = (row.id, row.recipient, row.alert, row.event, State(row.state), row.queued, row.due)
    return Delivery(*told, notice, attempts, row.lead)

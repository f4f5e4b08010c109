"""Reading what was set up: devices, bindings, sites, zones, readers, keys, and who did it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby

from sqlalchemy import func, select

from tracker.access import ApiKey
from tracker.audit import Change
from tracker.inference import Inference, Setting
from tracker.layout import Layout, PlaceValue
from tracker.model import Binding, Device
from tracker.process import Process
from tracker.receipts import Progress
from tracker.rules import Rules, shipped
from tracker.setup_ports import DeviceStatus, Vital
from tracker.stores import rows, schema, sql
from tracker.stores.history import bindings_of, cases
from tracker.stores.outage_table import OutageReads
from tracker.versions import Version

PLACES = ("site", "zone", "reader")


class SetupReads(OutageReads):
    """The part of a `tracker.ports.Reader` that concerns what people set up."""

    def bindings_of(self, asset: str, as_of: int | None = None) -> list[Binding]:
        return bindings_of(self._db, asset, as_of)

    def every_binding(self) -> Iterator[Binding]:
        table = schema.versions
        query = select(table).where(table.c.kind == "binding")
        ordered = self._db.execute(query.order_by(table.c.id, table.c.revision))
        for _, versions in groupby(ordered, key=lambda row: row.id):
            yield from rows.bindings(rows.binding_version(row) for row in versions)

    def binding_versions(self, subject: str) -> list[Version[str]]:
        table = schema.versions
        query = select(table).where(table.c.kind == "binding", table.c.id == subject)
        return [rows.binding_version(row) for row in self._db.execute(query)]

    def bound_at(self, subject: str, at: int) -> list[str]:
        bindings = rows.bindings(self.binding_versions(subject))
        return [binding.asset for binding in bindings if binding.holds_at(at)]

    def versions(self, kind: str, id: str | None = None) -> list[Version[PlaceValue]]:
        table = schema.versions
        query = select(table).where(table.c.kind == kind).order_by(table.c.revision)
        if id is not None:
            query = query.where(table.c.id == id)
        return [rows.place_version(row) for row in self._db.execute(query)]

    def layout(self, as_of: int | None = None) -> Layout:
        table = schema.versions
        query = select(table).where(table.c.kind.in_(PLACES)).order_by(table.c.revision)
        if as_of is not None:
            query = query.where(table.c.recorded <= as_of)
        return Layout([rows.place_version(row) for row in self._db.execute(query)])

    def inference(self, as_of: int | None = None) -> Inference:
        table = schema.versions
        query = select(table).where(table.c.kind == "process").order_by(table.c.revision)
        if as_of is not None:
            query = query.where(table.c.recorded <= as_of)
        found = {row.id: row for row in self._db.execute(query)}
        processes = [
            Process.model_validate_json(row.body) for row in found.values() if row.body is not None
        ]
        newest = max((row.revision for row in found.values()), default=0)
        return Inference(self.layout(as_of), processes, newest).knowing(self.outages(as_of))

    def rules(self) -> Rules:
        table = schema.versions
        newest = select(table.c.body).where(table.c.kind == "rules")
        body = self._db.scalar(newest.order_by(table.c.revision.desc()).limit(1))
        return shipped() if body is None else _rules(body)

    def rules_revision(self) -> int:
        table = schema.versions
        newest = select(func.max(table.c.revision)).where(table.c.kind == "rules")
        return self._db.scalar(newest) or 0

    def settings(self, assets: Iterable[str], as_of: int | None = None) -> dict[str, Setting]:
        inference, wanted = self.inference(as_of), list(assets)
        return {
            id: inference.setting(case)
            for some in sql.chunks(wanted)
            for id, case in cases(self._db, some, as_of).items()
        }

    def device(self, id: str) -> DeviceStatus | None:
        row = self._db.execute(select(schema.devices).where(schema.devices.c.id == id)).first()
        return self._with_status([rows.device(row)])[0] if row else None

    def device_list(self, after: str, limit: int) -> list[DeviceStatus]:
        table = schema.devices
        query = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
        return self._with_status([rows.device(row) for row in self._db.execute(query)])

    def _with_status(self, devices: list[Device]) -> list[DeviceStatus]:
        boots: dict[str, list[tuple[str, Progress]]] = {device.id: [] for device in devices}
        vitals: dict[str, dict[str, Vital]] = {device.id: {} for device in devices}
        last: dict[str, int] = {}
        table = schema.progress
        query = select(table).where(table.c.device.in_(boots)).order_by(table.c.received.desc())
        for row in self._db.execute(query):
            last.setdefault(row.device, row.received)
            progress = rows.progress(row.top, row.first, row.holes, row.lost)
            boots[row.device].append((row.boot, progress))
        reported = schema.vitals
        for row in self._db.execute(select(reported).where(reported.c.device.in_(boots))):
            vitals[row.device][row.name] = Vital(row.value, row.at)
        return [DeviceStatus(d, last.get(d.id), boots[d.id], vitals[d.id]) for d in devices]

    def changes(
        self, before: int | None, limit: int, kind: str | None = None, subject: str | None = None
    ) -> list[tuple[int, Change]]:
        table = schema.audit
        query = select(table).order_by(table.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(table.c.id < before)
        if kind is not None:
            query = query.where(table.c.kind == kind)
        if subject is not None:
            query = query.where(table.c.subject == subject)
        return [(row[0], rows.change(row[1:])) for row in self._db.execute(query)]

    def api_key(self, digest: bytes) -> ApiKey | None:
        table = schema.api_keys
        row = self._db.execute(select(table).where(table.c.digest == digest)).first()
        return rows.api_key(row) if row else None

    def api_keys(self) -> list[ApiKey]:
        query = select(schema.api_keys).order_by(schema.api_keys.c.created)
        return [rows.api_key(row) for row in self._db.execute(query)]


@lru_cache(maxsize=8)
def _rules(body: str) -> Rules:
    """Rules as they are stored; whoever watches assets asks for them again and again."""
    return Rules.model_validate_json(body)

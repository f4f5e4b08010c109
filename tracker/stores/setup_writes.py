"""Writing what people set up: devices, assets, bindings, sites, zones, readers, keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, delete, func, insert, select, text, update

from tracker.access import ApiKey
from tracker.audit import Change
from tracker.layout import PlaceValue
from tracker.model import Asset, Binding, Device
from tracker.stores import rows, schema, sql
from tracker.stores.cache import Cache
from tracker.versions import Version


class SetupWrites:
    """The part of a `tracker.ports.Writer` that concerns what people set up."""

    _db: Connection
    _cache: Cache

    def devices(self, ids: Iterable[str]) -> Mapping[str, Device]:
        known = self._cache.devices
        wanted = list(ids)
        unknown = [id for id in wanted if id not in known]
        for some in sql.chunks(unknown):
            found = select(schema.devices).where(schema.devices.c.id.in_(some))
            known.update((row.id, rows.device(row)) for row in self._db.execute(found))
        return {id: known[id] for id in wanted if id in known}

    def bindings(self, subjects: Iterable[str]) -> Mapping[str, Sequence[Binding]]:
        known = self._cache.bindings
        wanted = list(subjects)
        unknown = [subject for subject in wanted if subject not in known]
        histories: dict[str, list[Version[str]]] = {subject: [] for subject in unknown}
        table = schema.versions
        for some in sql.chunks(unknown):
            found = select(table).where(table.c.kind == "binding", table.c.id.in_(some))
            for row in self._db.execute(found):
                histories[row.id].append(rows.binding_version(row))
        for subject, versions in histories.items():
            known[subject] = rows.bindings(versions) if versions else []
        return {subject: known[subject] for subject in wanted}

    def first_heard(self, device: str, received: int) -> None:
        table = schema.devices
        unheard = (table.c.id == device) & table.c.first_received.is_(None)
        self._db.execute(update(table).where(unheard).values(first_received=received))
        self._cache.devices.pop(device, None)

    def put_device(self, device: Device) -> None:
        table = schema.devices
        row = rows.device_row(device)
        del row["first_received"]
        changed = self._db.execute(update(table).where(table.c.id == device.id).values(**row))
        if not changed.rowcount:
            self._db.execute(insert(table).values(**row, first_received=device.first_received))
        self._cache.devices.pop(device.id, None)

    def put_asset(self, asset: Asset) -> None:
        table, labels = schema.assets, schema.labels
        row = rows.asset_row(asset)
        number = self._db.scalar(select(table.c.number).where(table.c.id == asset.id))
        if number is None:
            number = (self._db.scalar(select(func.max(table.c.number))) or 0) + 1
            self._db.execute(insert(table).values(number=number, **row))
        else:
            self._db.execute(update(table).where(table.c.number == number).values(**row))
            self._db.execute(delete(labels).where(labels.c.asset == asset.id))
            self._db.execute(text("DELETE FROM words WHERE rowid = :n"), {"n": number})
        if found_by := labels_of(asset):
            self._db.execute(
                insert(labels),
                [{"name": name, "value": value, "asset": asset.id} for name, value in found_by],
            )
        self._db.execute(
            text("INSERT INTO words (rowid, text) VALUES (:n, :words)"),
            {"n": number, "words": _words(asset)},
        )

    def add_binding(
        self, subject: str, asset: str | None, since: int | None, until: int | None, recorded: int
    ) -> None:
        self._db.execute(
            insert(schema.versions).values(
                kind="binding",
                id=subject,
                asset=asset,
                since=since,
                until=until,
                recorded=recorded,
            )
        )
        self._cache.bindings.pop(subject, None)

    def add_place(self, version: Version[PlaceValue]) -> int:
        value = version.value
        added = self._db.execute(
            insert(schema.versions).values(
                kind=version.kind,
                id=version.id,
                since=version.since,
                until=version.until,
                recorded=version.recorded,
                body=None if value is None else value.model_dump_json(exclude_defaults=True),
            )
        )
        self._cache.layout = None
        return int(added.lastrowid)

    def audit(self, change: Change) -> None:
        self._db.execute(insert(schema.audit).values(**rows.change_row(change)))

    def add_key(self, key: ApiKey) -> None:
        self._db.execute(
            insert(schema.api_keys).values(
                id=key.id,
                name=key.name,
                digest=key.digest,
                scopes=" ".join(key.scopes),
                created=key.created,
                expires=key.expires,
                revoked=key.revoked,
            )
        )

    def revoke_key(self, id: str, at: int) -> bool:
        table = schema.api_keys
        in_force = (table.c.id == id) & table.c.revoked.is_(None)
        return self._db.execute(update(table).where(in_force).values(revoked=at)).rowcount > 0


def labels_of(asset: Asset) -> list[tuple[str, str]]:
    """The names and values that an asset is found by.

    >>> labels_of(Asset("A1", attributes={"wet": True}, external_ids={"sap": "7"}))
    [('id:sap', '7'), ('is:wet', 'true')]
    """
    external = [(f"id:{system}", id) for system, id in asset.external_ids.items()]
    return external + [(f"is:{name}", label(value)) for name, value in asset.attributes.items()]


def label(value: str | int | float | bool) -> str:
    """An attribute's value as one writes it in a question."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _words(asset: Asset) -> str:
    values = [value for _, value in labels_of(asset)]
    return " ".join([asset.id, asset.class_, asset.name, *values])

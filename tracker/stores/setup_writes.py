"""Writing what people set up: devices, assets, bindings, sites, zones, readers, keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import orjson
from sqlalchemy import bindparam, func, insert, select, update

from tracker.access import ApiKey
from tracker.audit import Change
from tracker.layout import PlaceValue
from tracker.model import Asset, Binding, Device
from tracker.process import Process, as_json
from tracker.rules import Rules
from tracker.rules import as_json as rules_as_json
from tracker.stores import rows, schema, sql
from tracker.stores.cache import Cache
from tracker.versions import Version


class SetupWrites(sql.Speaks):
    """The part of a `tracker.ports.Writer` that concerns what people set up."""

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

    def first_heard(self, received: Mapping[str, int]) -> None:
        if not received:
            return
        table = schema.devices
        unheard = (table.c.id == bindparam("device")) & table.c.first_received.is_(None)
        noted = update(table).where(unheard).values(first_received=bindparam("at"))
        self._db.execute(noted, [{"device": one, "at": at} for one, at in received.items()])
        for device in received:
            self._cache.devices.pop(device, None)

    def put_device(self, device: Device) -> None:
        self.put_devices([device])

    def put_devices(self, devices: Sequence[Device]) -> None:
        self._many(self._sql.put_device, [rows.device_row(device) for device in devices])
        for device in devices:
            self._cache.devices.pop(device.id, None)
        self._cache.settings = {}

    def put_asset(self, asset: Asset) -> None:
        self.put_assets([asset])

    def put_assets(self, assets: Sequence[Asset]) -> None:
        numbers = self._forget_how_found([asset.id for asset in assets])
        new = (asset.id for asset in assets if asset.id not in numbers)
        last = self._db.scalar(select(func.max(schema.assets.c.number))) or 0
        numbers |= {id: n for n, id in enumerate(new, last + 1)}
        self._many(self._sql.put_asset, [(numbers[a.id], *rows.asset_row(a)) for a in assets])
        self._many(self._sql.add_label, [label for a in assets for label in _label_rows(a)])
        self._many(self._sql.add_words, [(numbers[a.id], _words(a)) for a in assets])
        self._cache.settings = {}

    def _forget_how_found(self, assets: list[str]) -> dict[str, int]:
        """Delete the labels and words of the known ones among some assets; their numbers."""
        found = self._db.exec_driver_sql(self._sql.assets, (sql.as_json(assets),)).all()
        known = [rows.asset(row[1:]) for row in found]
        self._many(
            self._sql.forget_label, [label for asset in known for label in _label_rows(asset)]
        )
        self._many(self._sql.forget_words, [(row[0],) for row in found])
        return {row[1]: row[0] for row in found}

    def add_binding(
        self, subject: str, asset: str | None, since: int | None, until: int | None, recorded: int
    ) -> None:
        self.add_bindings([Version(0, "binding", subject, since, until, recorded, asset)])

    def add_bindings(self, versions: Sequence[Version[str]]) -> None:
        self._many(
            self._sql.add_version,
            [(None, v.kind, v.id, v.since, v.until, v.recorded, v.value, None) for v in versions],
        )
        for version in versions:
            self._cache.bindings.pop(version.id, None)
        self._cache.settings = {}

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
        self._cache.layout = self._cache.inference = None
        return int(added.inserted_primary_key[0])  # type: ignore[index]  # it has one

    def put_process(self, process: Process, recorded: int) -> int:
        body = orjson.dumps(as_json(process)).decode()  # in its order: the first stage is first
        added = self._db.execute(
            insert(schema.versions).values(
                kind="process", id=process.process, recorded=recorded, body=body
            )
        )
        self._cache.inference = None
        return int(added.inserted_primary_key[0])  # type: ignore[index]  # it has one

    def put_rules(self, rules: Rules, recorded: int) -> int:
        added = self._db.execute(
            insert(schema.versions).values(
                kind="rules", id="rules", recorded=recorded, body=rows.json(rules_as_json(rules))
            )
        )
        return int(added.inserted_primary_key[0])  # type: ignore[index]  # it has one

    def audit(self, changes: Sequence[Change]) -> None:
        self._many(self._sql.add_change, [(None, *rows.change_row(change)) for change in changes])

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
                partner=key.partner,
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


def _label_rows(asset: Asset) -> list[tuple[str, str, str]]:
    return [(name, value, asset.id) for name, value in labels_of(asset)]


def _words(asset: Asset) -> str:
    values = [value for _, value in labels_of(asset)]
    return " ".join([asset.id, asset.class_, asset.name, *values])

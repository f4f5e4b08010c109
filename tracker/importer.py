"""Use case: what a world says becomes what is registered: all of it, or nothing.

What the file says of a thing takes the place of what is stored, for the time that it speaks of;
what it does not speak of stays. So the same file again changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from tracker.arrange import id_of, kind_of, put_place
from tracker.audit import Act, Change
from tracker.layout import PlaceValue
from tracker.lease_book import LeasesRefused, partner_fields, put_partner, save_leases
from tracker.leases import Partner
from tracker.model import Asset, Binding, Device
from tracker.ports import Reader, Writer
from tracker.rebind import Rebinding, rebind
from tracker.refold import ALWAYS, tell_unseen
from tracker.registry import (
    BeforeEdge,
    asset_fields,
    bindings_fields,
    concerns_stage,
    refuse_before_edge,
    save_device,
    touched_from,
)
from tracker.stamps import StampPolicy
from tracker.times import iso
from tracker.versions import Spell, Version
from tracker.world import AssetEntry, BadWorld, Fault, Known, Timed, World

Path = tuple[str | int, ...]


class Difference(NamedTuple):
    """What an import does about a thing: `kind` is `site`, `zone`, `reader`, `device`, `asset`,
    `partner`, `lease` or `binding`, whose `id` is its tag or device."""

    action: Literal["create", "change", "same"]
    kind: str
    id: str
    detail: str = ""


def known_of(reader: Reader) -> Known:
    """What a world file may refer to without holding it."""
    layout = reader.layout()
    sites, zones = frozenset(layout.sites()), frozenset(layout.zones())
    return Known(sites, zones, frozenset(reader.asset_ids()), frozenset(reader.partners()))


def import_world(tx: Writer, world: World, policy: StampPolicy, act: Act) -> list[Difference]:
    """Register and change what a world says, in which every reference leads somewhere: as
    `read_world` sees to, told what is `known_of` the same store. What came of it, in the file's
    order. Beliefs that it touches are marked as stale.

    Raises BadWorld, with all that contradicts what is stored; the transaction must end with it.
    """
    run = _Import(tx, world, policy, act)
    differences = [
        *run.places("sites"),
        *run.places("zones"),
        *run.readers(),
        *run.trackers(),
        *run.assets(),
        *run.partners(),
        *run.leases(),
    ]
    if run.faults:
        raise BadWorld(run.faults)
    return differences


class _Import:
    """One import; what stands against it is gathered in `faults`."""

    def __init__(self, tx: Writer, world: World, policy: StampPolicy, act: Act) -> None:
        self.faults: list[Fault] = []
        self._tx, self._world, self._policy, self._act = tx, world, policy, act

    def places(self, section: Literal["sites", "zones"]) -> Iterator[Difference]:
        for n, item in enumerate(getattr(self._world, section)):
            yield self._place(item, (section, n))

    def _place(self, item: Timed[Any], path: Path) -> Difference:
        value: PlaceValue = item.value
        since, until = item.since, item.until
        kind, id = kind_of(value), id_of(value)
        before, after = put_place(self._tx, kind, id, value, since, until, self._act)
        if before == after:
            return Difference("same", kind, id)
        self._not_before_edge(since, path)
        met = [spell.value for spell in before if spell.overlaps(since, until)]
        names = [name for name in type(value).model_fields if _differs(name, value, met)]
        detail = f"{', '.join(names)} {_period(since, until)}".strip()
        return Difference("change" if met else "create", kind, id, detail)

    def readers(self) -> Iterator[Difference]:
        """The readers' devices, and what they watch."""
        items = self._world.readers
        self._tx.devices({item.value.device for item in items})  # all at once: it remembers
        seen = set()
        for n, item in enumerate(items):
            device = item.value.device
            if device not in seen:
                seen.add(device)
                yield self._device(device, "reader", {}, ("readers", n, "device"))
            yield self._place(item, ("readers", n))

    def trackers(self) -> Iterator[Difference]:
        """The trackers that are listed, then those that are only bound to assets."""
        listed = self._world.trackers
        self._tx.devices(tracker.device for tracker in listed)
        for n, tracker in enumerate(listed):
            profile = tracker.model_dump(exclude={"device"})
            yield self._device(tracker.device, "tracker", profile, ("trackers", n, "device"))
        bound = dict.fromkeys(one.device for asset in self._world.assets for one in asset.trackers)
        known = self._tx.devices(bound)
        for device in bound:
            if device not in known:
                yield self._device(device, "tracker", {}, ())

    def _device(self, id: str, kind: str, profile: Mapping[str, Any], path: Path) -> Difference:
        """Register a device, or change its profile; what people call it stays."""
        known = self._tx.devices([id]).get(id)
        if known is not None and known.kind != kind:
            self._fault(f"device {id} is registered already, as {known.kind}", path)
        wanted = replace(known or Device(id, kind), **profile)
        if wanted == known:
            return Difference("same", "device", id)
        adopted = save_device(self._tx, wanted, self._policy, self._act)
        if known is None:
            told = [kind, *([f"{adopted} observations adopted"] if adopted else [])]
            return Difference("create", "device", id, ", ".join(told))
        changed = [name for name, value in profile.items() if getattr(known, name) != value]
        return Difference("change", "device", id, ", ".join(changed))

    def assets(self) -> Iterator[Difference]:
        """The assets, each with its bindings."""
        entries = self._world.assets
        own = self._save(entries)
        bindings = self._bind()
        changed = [entry.id for n, entry in enumerate(entries) if own[n].action != "same"]
        tell_unseen(self._tx, changed, self._act.now)
        for n, entry in enumerate(entries):
            yield own[n]
            for path in _paths_of_bindings(n, entry):
                yield bindings[path]

    def _save(self, entries: Sequence[AssetEntry]) -> list[Difference]:
        """Store new and changed assets all at once: one by one a great file takes minutes."""
        known = self._tx.assets_by_id(entry.id for entry in entries)
        differences, saved, lines = [], list[Asset](), []
        for entry in entries:
            old = known.get(entry.id)
            new = _asset_of(entry, 1 if old is None else old.version + 1)
            before, after = None if old is None else asset_fields(old), asset_fields(new)
            difference = _of_asset(entry, before, after)
            differences.append(difference)
            if difference.action != "same":
                saved.append(new)
                lines.append(self._line(difference.action, "asset", new.id, before, after))
        self._tx.put_assets(saved)
        changed = [a.id for a in saved if a.id in known and concerns_stage(known[a.id], a)]
        self._tx.mark_stale(dict.fromkeys(self._tx.beliefs(changed), ALWAYS))
        self._tx.audit(lines)
        if any(asset.external_ids for asset in saved):
            self._refuse_shared_ids()
        return differences

    def _refuse_shared_ids(self) -> None:
        """Only now, for the file may give one asset the external id of another that it gives
        a new one."""
        places = {entry.id: n for n, entry in enumerate(self._world.assets)}
        for system, id, assets in self._tx.shared_external_ids():
            for asset in assets:
                if asset in places:
                    other = next(one for one in assets if one != asset)
                    path = ("assets", places[asset], "external_ids", system)
                    self._fault(f"{id!r} is asset {other!r} already", path)

    def _bind(self) -> dict[Path, Difference]:
        """Bind what the file says is bound; what comes of each, by its path."""
        said: dict[str, dict[Path, Binding]] = defaultdict(dict)
        for n, entry in enumerate(self._world.assets):
            for path in _paths_of_bindings(n, entry):
                _, _, key, m = path
                bound = getattr(entry, str(key))[m]
                binding = Binding(entry.id, bound.subject, bound.since, bound.until)
                said[bound.subject][path] = binding
        stored = self._tx.bindings(said)
        differences, new = dict[Path, Difference](), list[Version[str]]()
        for subject, own in said.items():
            plan = rebind(stored[subject], [*own.values()])
            changes = any(one.changes for one in plan)
            for path, one in zip(own, plan, strict=True):
                new += self._versions(one, path)
                differences[path] = _of_binding(one, changes)
        self._write(new, stored)
        return differences

    def _versions(self, one: Rebinding, path: Path) -> Iterator[Version[str]]:
        """What is to be written for a binding, unless something stands against it."""
        for other in one.against:
            self._fault(f"{other.subject} is bound to asset {_in_words(other)} already", path)
        for part in one.lost:
            self._refuse_orphans(part, path)
        spells = [Spell[str | None](part.since, part.until, None) for part in one.lost]
        if one.new:
            spells.append(Spell(one.said.since, one.said.until, one.said.asset))
        for since, until, asset in spells:
            self._not_before_edge(since, path)
            yield Version(0, "binding", one.said.subject, since, until, self._act.now, asset)

    def _refuse_orphans(self, lost: Binding, path: Path) -> None:
        rows = self._tx.history(lost.asset, lost.since, lost.until)
        orphans = sum(row.subject == lost.subject for row in rows)
        if orphans:
            when = _period(lost.since, lost.until) or "at any time"
            self._fault(
                f"{orphans} observations of {lost.subject} that are logged {when} would belong "
                f"to no asset any more: it is bound to asset {lost.asset} then",
                path,
            )

    def _write(self, new: Sequence[Version[str]], before: Mapping[str, Sequence[Binding]]) -> None:
        """Store versions of bindings, and mark the assets that they touch as stale."""
        subjects = {version.id: None for version in new}
        self._tx.add_bindings(new)
        after = self._tx.bindings(subjects)
        self._tx.audit(
            [
                self._line(
                    "bind", "binding", id, bindings_fields(before[id]), bindings_fields(after[id])
                )
                for id in subjects
            ]
        )
        observed = self._tx.observed(subjects)
        touched: dict[str, int] = {}
        for version in new:
            at = touched_from(version.id, version.since)
            for asset in _assets_of(version, before[version.id]):
                touched[asset] = min(at, touched.get(asset, at))
        known = self._tx.beliefs(touched)
        seen = {a for v in new if v.id in observed for a in _assets_of(v, before[v.id])}
        self._tx.mark_stale({a: at for a, at in touched.items() if a in known or a in seen})

    def partners(self) -> Iterator[Difference]:
        known = self._tx.partners()
        for one in self._world.partners:
            old = known.get(one.id)
            said = Partner(one.id, one.name, one.kind, tuple(one.sites))
            new = put_partner(self._tx, old, said, self._act)
            if old is None:
                yield Difference("create", "partner", one.id, one.kind)
            else:
                was, told = partner_fields(old), partner_fields(new)
                changed = [name for name, value in told.items() if was[name] != value]
                action: Literal["change", "same"] = "change" if changed else "same"
                yield Difference(action, "partner", one.id, ", ".join(changed))

    def leases(self) -> Iterator[Difference]:
        try:
            saved = save_leases(self._tx, self._world.leases, self._act)
        except LeasesRefused as refused:
            for place, path, error in refused.flaws:
                self._fault(str(error), ("leases", place, *path))
            return
        for action, lease, changed in saved:
            yield Difference(action, "lease", lease.id, ", ".join(changed))

    def _line(self, action: str, kind: str, id: str, before: Any, after: Any) -> Change:
        return Change(self._act.wall, self._act.by, action, kind, id, before, after)

    def _not_before_edge(self, since: int | None, path: Path) -> None:
        try:
            refuse_before_edge(self._tx, since)
        except BeforeEdge as error:
            self._fault(str(error), (*path, "since"))

    def _fault(self, detail: str, path: Path) -> None:
        self.faults.append(self._world.fault(detail, *path))


def _asset_of(entry: AssetEntry, version: int) -> Asset:
    home, stage = entry.home, entry.initial_stage
    attributes, external_ids = entry.attributes, entry.external_ids
    return Asset(entry.id, entry.kind, entry.name, home, stage, attributes, external_ids, version)


def _of_asset(
    entry: AssetEntry, before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> Difference:
    if before is None:
        return Difference("create", "asset", entry.id, entry.kind)
    changed = [name for name, value in after.items() if before[name] != value]
    return Difference("change" if changed else "same", "asset", entry.id, ", ".join(changed))


def _of_binding(one: Rebinding, changes: bool) -> Difference:
    """`changes` says whether anything changes for the tag or device."""
    if not changes or one.said in one.replaced:
        return Difference("same", "binding", one.said.subject)
    action: Literal["create", "change"] = "change" if one.replaced else "create"
    return Difference(action, "binding", one.said.subject, f"to {_in_words(one.said)}")


def _paths_of_bindings(n: int, entry: AssetEntry) -> Iterator[Path]:
    for key in ("tags", "trackers"):
        for m in range(len(getattr(entry, key))):
            yield "assets", n, key, m


def _assets_of(version: Version[str], before: Iterable[Binding]) -> set[str]:
    """The assets that a new version of a binding gives a subject to, or takes it from."""
    met = {one.asset for one in before if one.overlaps(version.since, version.until)}
    return met if version.value is None else {*met, version.value}


def _differs(name: str, value: PlaceValue, others: Iterable[PlaceValue]) -> bool:
    return any(getattr(value, name) != getattr(other, name) for other in others)


def _in_words(binding: Binding) -> str:
    return f"{binding.asset} {_period(binding.since, binding.until)}".strip()


def _period(since: int | None, until: int | None) -> str:
    """A period in words; nothing for always."""
    begins = None if since is None else f"from {iso(since)}"
    ends = None if until is None else f"until {iso(until)}"
    return " ".join(filter(None, (begins, ends)))

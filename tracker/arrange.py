"""Use cases: set up and change sites, zones and readers, and give them up.

A change never lies about the past: it adds a version that holds from `since` on (None: from
always), and marks as stale the beliefs that it touches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from tracker.audit import PROGRAM, Act, audited
from tracker.case import ROLES
from tracker.geofence import Box, faults_of, looks_swapped, shape_of
from tracker.layout import Layout, PlaceValue
from tracker.places import Fence, Reader, Site, Value, Zone
from tracker.ports import Writer
from tracker.queries import every_lease
from tracker.refold import ALWAYS
from tracker.registry import Conflict, Unregistered, refuse_before_edge
from tracker.versions import Spell, Version, timeline
from tracker.worldchecks import SWAPPED

Spells = list[Spell[PlaceValue]]
UNTELLING = {"name", "timezone", "open_days", "holidays"}  # of a site: no belief depends on them


class BadPlace(Conflict):
    """A site, zone or reader that cannot be: the text says what is wrong with it."""


def arrange(
    tx: Writer,
    value: PlaceValue,
    since: int | None = None,
    until: int | None = None,
    act: Act = PROGRAM,
) -> bool:
    """Let a site, zone or reader be as `value` says, from `since` up to but not at `until`;
    whether that changes anything.

    Raises BadPlace where it cannot be, Unregistered where it speaks of what there is not, and
    BeforeEdge.
    """
    if since is not None and until is not None and since >= until:
        raise BadPlace(f"{kind_of(value)} {id_of(value)} would end before it begins")
    refuse_before_edge(tx, since)
    _check(tx, value)
    before, after = put_place(tx, kind_of(value), id_of(value), value, since, until, act)
    return before != after


def give_up(tx: Writer, kind: str, id: str, since: int | None = None, act: Act = PROGRAM) -> None:
    """From `since` on (None: as if there had never been one) there is no such site, zone or
    reader. Raises Conflict where something else needs it, Unregistered where there is none."""
    refuse_before_edge(tx, since)
    if users := [*_users(tx, kind, id, since), *_leases(tx, kind, id)]:
        raise Conflict(f"{kind} {id} is needed by {', '.join(users[:5])}: change that first")
    before, after = put_place(tx, kind, id, None, since, None, act)
    if before == after:
        raise Unregistered(f"there is no {kind} {id} then")


def _users(tx: Writer, kind: str, id: str, since: int | None) -> list[str]:
    """Which zones or readers need a site or zone at any time from `since` on."""
    if kind == "reader":
        return []
    user = "zone" if kind == "site" else "reader"
    histories: dict[str, list[Version[PlaceValue]]] = defaultdict(list)
    for version in tx.versions(user):
        histories[version.id].append(version)
    return [
        f"{user} {name}"
        for name, versions in histories.items()
        if any(
            spell.overlaps(since, None) and _needs(spell.value, id) for spell in timeline(versions)
        )
    ]


def _leases(tx: Writer, kind: str, id: str) -> list[str]:
    """Which leases of which something is out need a site."""
    if kind != "site":
        return []
    return [
        f"lease {lease.id}"
        for lease in every_lease(tx)
        if id in (*lease.sites, lease.return_to) and any(one.ended is None for one in lease.lines)
    ]


def _needs(user: PlaceValue, id: str) -> bool:
    """Whether a zone lies at a site, or a reader watches a zone."""
    if isinstance(user, Reader):
        return id in user.zones()
    return isinstance(user, Zone) and user.site == id


def kind_of(value: PlaceValue) -> str:
    """`site`, `zone` or `reader`."""
    return type(value).__name__.lower()


def id_of(value: PlaceValue) -> str:
    """A site's or zone's id, or a reader's device."""
    return value.device if isinstance(value, Reader) else value.id


def put_place(
    tx: Writer,
    kind: str,
    id: str,
    value: PlaceValue | None,
    since: int | None,
    until: int | None,
    act: Act,
) -> tuple[Spells, Spells]:
    """Write a version of what is known to be fine; the spells before it and after it, which are
    the same where it changes nothing."""
    versions = tx.versions(kind, id)
    revision = versions[-1].revision + 1 if versions else 1
    new = Version[PlaceValue](revision, kind, id, since, until, act.now, value)
    before, after = timeline(versions), timeline([*versions, new])
    if before == after:
        return before, after
    touched = _touched(tx, before, after)
    tx.add_place(new)
    if kind == "reader":
        tx.suspect({id: ALWAYS})  # its outages are those of a reader now, and of its cadence
    action = "create" if not before else "change" if value is not None else "give up"
    audited(tx, act, action, kind, id, _as_json(before), _as_json(after))
    tx.mark_stale(dict.fromkeys(touched, ALWAYS if since is None else since))
    return before, after


def _check(tx: Writer, value: PlaceValue) -> None:
    layout = tx.layout()
    if isinstance(value, Site):
        if value.geofence is not None:
            _check_fence(layout, value.id, value.geofence)
    elif isinstance(value, Zone):
        if value.site not in layout.sites():
            raise Unregistered(f"zone {value.id}: there is no site {value.site}")
        _need_zones(
            layout.zones(), [z for z in value.adjacent if z != value.id], f"zone {value.id}"
        )
    else:
        if not tx.devices([value.device]):
            raise Unregistered(f"reader {value.device}: no device of that id is registered")
        _need_zones(layout.zones(), value.zones(), f"reader {value.device}")


def _check_fence(layout: Layout, site: str, fence: Fence) -> None:
    others = [s.geofence for s in layout.sites().values() if s.id != site and s.geofence]
    faults = faults_of(fence)
    if looks_swapped(fence, others):
        faults.append(SWAPPED)
    if faults:
        raise BadPlace(f"the geofence of site {site}: {'; '.join(faults)}")


def _need_zones(known: Iterable[str], wanted: Iterable[str], who: str) -> None:
    if missing := sorted(set(wanted).difference(known)):
        raise Unregistered(f"{who}: there is no zone {missing[0]}")


def _touched(tx: Writer, before: Spells, after: Spells) -> set[str]:
    """The assets whose beliefs a change may touch."""
    if [_telling(s) for s in before] == [_telling(s) for s in after]:
        return set()
    changed = [spell.value for spell in before if spell not in after]
    changed += [spell.value for spell in after if spell not in before]
    sites, subjects = set[str](), set[str]()
    for value in changed:
        if isinstance(value, Site):
            if _is_a_first(tx, value):
                return set(tx.believed())
            sites.add(value.id)
            if value.geofence is not None:
                subjects.update(_around(tx, value.geofence))
        elif isinstance(value, Zone):
            sites.add(value.site)
        else:
            subjects.update(tx.seen_by(value.device))
            sites.update(zone.site for zone in _zones(tx) if zone.id in value.zones())
    return concerned(tx, sites, subjects)


def concerned(tx: Writer, sites: set[str], subjects: set[str]) -> set[str]:
    """The assets one of whose stages may ever have meant one of some sites, and those that some
    tags or devices have ever told about. Adds to `subjects` what was observed at the sites."""
    assets = {asset for site in sites for asset in _concerned(tx, site, subjects)}
    return assets | tx.bound_to(subjects)


def _concerned(tx: Writer, site: str, subjects: set[str]) -> set[str]:
    """The assets one of whose stages may ever have meant a site; adds to `subjects` what was
    observed there."""
    subjects.update(_read_at(tx, {zone.id for zone in _zones(tx) if zone.site == site}))
    for version in tx.versions("site", site):
        if isinstance(version.value, Site) and version.value.geofence is not None:
            subjects.update(_around(tx, version.value.geofence))
    assets = {*tx.visitors(site), *tx.at_home(site)}
    return assets.union(tx.at_home(None)) if tx.layout().first_depot() == site else assets


def _around(tx: Writer, fence: Fence) -> set[str]:
    """What was ever seen in the region of a fence."""
    box = shape_of(fence).box
    return {*tx.near(box), *_read_within(tx, box)}


def _is_a_first(tx: Writer, site: Site) -> bool:
    """Whether a site may be the only one of its kind with a fence, or of its stage: then it
    tells something of assets that were never near."""
    layout = tx.layout()
    if site.kind == "depot" and layout.first_depot() is None:
        return True
    others = [other for id, other in layout.lasting_sites().items() if id != site.id]
    fenced = site.kind not in ROLES or any(
        other.kind == site.kind and other.geofence is not None for other in others
    )
    staged = site.stage is None or any(other.stage == site.stage for other in others)
    return not (staged and (fenced or site.geofence is None))


def _telling(spell: Spell[PlaceValue]) -> tuple[int | None, int | None, str]:
    """What of a spell a belief depends on: not what people call it."""
    unimportant = UNTELLING if isinstance(spell.value, Site) else set()
    return spell.since, spell.until, spell.value.model_dump_json(exclude=unimportant)


def _zones(tx: Writer) -> list[Zone]:
    """Every zone that there ever was."""
    return [v.value for v in tx.versions("zone") if isinstance(v.value, Zone)]


def _read_at(tx: Writer, zones: set[str]) -> set[str]:
    """What was ever read by readers that ever watched one of these zones."""
    return _read_by(tx, lambda reader: not zones.isdisjoint(reader.zones()))


def _read_within(tx: Writer, box: Box) -> set[str]:
    """What was ever read by readers that ever stood in a box."""
    return _read_by(tx, lambda r: r.place is not None and box.contains(r.place.lat, r.place.lon))


def _read_by(tx: Writer, was_so: Callable[[Reader], bool]) -> set[str]:
    readers = {
        v.id for v in tx.versions("reader") if isinstance(v.value, Reader) and was_so(v.value)
    }
    return {subject for reader in readers for subject in tx.seen_by(reader)}


def _as_json(spells: Spells) -> dict[str, Any] | None:
    if not spells:
        return None
    return {"spells": [{"since": s.since, "until": s.until, **_plain(s.value)} for s in spells]}


def _plain(value: Value) -> dict[str, Any]:
    return value.model_dump(mode="json", exclude_defaults=True)

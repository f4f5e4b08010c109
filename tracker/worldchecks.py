"""What contradicts what in a world file whose items are sound by themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tracker.geofence import faults_of, looks_swapped
from tracker.places import Fence
from tracker.versions import Spell
from tracker.worldfile import Map, Names, Path, locate

Sound = dict[str, dict[int, Any]]  # section -> place in the file -> item
Finding = tuple[Path, str]
TIMED = ("sites", "zones", "readers")
ALWAYS = Spell(None, None, None)
FENCES_COMPARED = 25
SWAPPED = "latitude and longitude look swapped: write the longitude first"


def contradictions(tree: Map, sound: Sound, names: Mapping[str, Names]) -> Iterator[Finding]:
    """Where the items of a file contradict each other, and how. `names` may be referred to."""
    for path, section, meant in _references(sound):
        if meant not in names[section]:
            yield path, f"there is no {section[:-1]} {meant!r}{names[section].hint(meant)}"
    by_name = defaultdict(list)
    for name, use in _uses(sound):
        by_name[name].append(use)
    for uses in by_name.values():
        yield from _clashes(tree, uses)
    yield from _two_kinds(tree, sound)
    yield from _odd_fences(sound)


def _references(sound: Sound) -> Iterator[tuple[Path, str, str]]:
    """Where something refers to something else: by which path, to what section, which name."""
    for n, zone in sound["zones"].items():
        yield ("zones", n, "site"), "sites", zone.value.site
        for m, name in enumerate(zone.value.adjacent):
            yield ("zones", n, "adjacent", m), "zones", name
    for n, reader in sound["readers"].items():
        if reader.value.zone is not None:
            yield ("readers", n, "zone"), "zones", reader.value.zone
        for antenna, name in reader.value.antennas.items():
            yield ("readers", n, "antennas", str(antenna)), "zones", name
    for n, asset in sound["assets"].items():
        if asset.home is not None:
            yield ("assets", n, "home"), "sites", asset.home
    for n, partner in sound["partners"].items():
        for m, name in enumerate(partner.sites):
            yield ("partners", n, "sites", m), "sites", name
    for n, lease in sound["leases"].items():
        yield ("leases", n, "customer"), "partners", lease.customer
        yield ("leases", n, "site"), "sites", lease.site
        for m, line in enumerate(lease.lines):
            yield ("leases", n, "lines", m, "asset"), "assets", line.asset


class _Use(NamedTuple):
    """What takes a name for a time: where, and in words."""

    period: Spell[None]
    path: Path
    words: str


def _uses(sound: Sound) -> Iterator[tuple[tuple[str, str], _Use]]:
    """All uses of names that only one thing may have at a time."""
    for section, items in sound.items():
        key = "device" if section in ("readers", "trackers") else "id"
        for n, item in items.items():
            name = getattr(item.value if section in TIMED else item, key)
            words = f"{section[:-1]} {name!r} is given"
            period = _period(item) if section in TIMED else ALWAYS
            yield (section, name), _Use(period, (section, n, key), words)
    for n, asset in sound["assets"].items():
        for key in ("tags", "trackers"):
            for m, bound in enumerate(getattr(asset, key)):
                words = f"{bound.subject} is bound to asset {asset.id!r}"
                yield ("subject", bound.subject), _Use(_period(bound), ("assets", n, key, m), words)
        for system, id in asset.external_ids.items():
            path, words = ("assets", n, "external_ids", system), f"{id!r} is asset {asset.id!r}"
            yield (f"external id {system}", id), _Use(ALWAYS, path, words)


def _period(item: Any) -> Spell[None]:
    return Spell(item.since, item.until, None)


def _clashes(tree: Map, uses: Iterable[_Use]) -> Iterator[Finding]:
    """Uses of one name at one time. Each is compared with the one before it that lasts longest:
    if it overlaps any, it overlaps that."""
    first, *others = sorted(uses, key=lambda use: (use.period.since is not None, use.period.since))
    for use in others:
        if first.period.overlaps(use.period.since, use.period.until):
            earlier, later = sorted((first, use), key=lambda one: locate(tree, one.path)[0])
            when = "" if first.period == use.period == ALWAYS else " at that time"
            yield (
                later.path,
                f"{earlier.words} already{when}, on line {locate(tree, earlier.path)[0]}",
            )
        if _lasts_longer(use, first):
            first = use


def _lasts_longer(use: _Use, other: _Use) -> bool:
    if other.period.until is None:
        return False
    return use.period.until is None or use.period.until > other.period.until


def _two_kinds(tree: Map, sound: Sound) -> Iterator[Finding]:
    readers = {reader.value.device: n for n, reader in sound["readers"].items()}
    for n, tracker in sound["trackers"].items():
        if tracker.device in readers:
            line, _ = locate(tree, ("readers", readers[tracker.device]))
            yield ("trackers", n, "device"), f"{tracker.device!r} is a reader, on line {line}"


def _odd_fences(sound: Sound) -> Iterator[Finding]:
    fences: dict[int, Fence] = {
        n: site.value.geofence
        for n, site in sound["sites"].items()
        if site.value.geofence is not None
    }
    # The middle of some of the fences is as good as that of all, and all pairs would be too many.
    some = [*fences.items()][:: len(fences) // FENCES_COMPARED + 1]
    for n, fence in fences.items():
        path = ("sites", n, "geofence")
        for fault in faults_of(fence):
            yield path, fault
        if looks_swapped(fence, [other for m, other in some if m != n]):
            yield path, SWAPPED

"""What contradicts what in a world file: between its items, rather than within one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tracker.geofence import faults_of, looks_swapped
from tracker.places import Fence
from tracker.versions import Spell
from tracker.worldfile import Map, Names, Path, Seq, locate

Sound = dict[str, dict[int, Any]]  # section -> place in the file -> item
Finding = tuple[Path, str]
TIMED = ("sites", "zones", "readers")
ALWAYS = Spell(None, None, None)
FENCES_COMPARED = 25
SWAPPED = "latitude and longitude look swapped: write the longitude first"


EACH = "*"  # of a list's items, or of a mapping's values
REFERENCES: dict[tuple[str, ...], str] = {  # what refers to something: to the ids of what section
    ("zones", "site"): "sites",
    ("zones", "adjacent", EACH): "zones",
    ("readers", "zone"): "zones",
    ("readers", "antennas", EACH): "zones",
    ("assets", "home"): "sites",
    ("partners", "sites", EACH): "sites",
    ("leases", "customer"): "partners",
    ("leases", "consignees", EACH): "partners",
    ("leases", "site"): "sites",
    ("leases", "sites", EACH): "sites",
    ("leases", "return_to"): "sites",
    ("leases", "lines", EACH, "asset"): "assets",
}


def contradictions(tree: Map, sound: Sound, names: Mapping[str, Names]) -> Iterator[Finding]:
    """Where the items of a file contradict each other, and how. `sound` is what of them makes
    sense by itself; `names` may be referred to."""
    for path, section, meant in _references(tree):
        if meant not in names[section]:
            yield path, f"there is no {section[:-1]} {meant!r}{names[section].hint(meant)}"
    by_name = defaultdict(list)
    for name, use in _uses(sound):
        by_name[name].append(use)
    for uses in by_name.values():
        yield from _clashes(tree, uses)
    yield from _two_kinds(tree, sound)
    yield from _odd_fences(sound)


def _references(tree: Map) -> Iterator[tuple[Path, str, str]]:
    """Where something refers to something else: by which path, to what section, which name. Read
    from the tree, for an item that has a fault refers to others all the same."""
    for (section, *steps), meant in REFERENCES.items():
        for path, name in _texts(tree.get(section), (EACH, *steps), (section,)):
            yield path, meant, name


def _texts(node: Any, steps: Path, path: Path) -> Iterator[tuple[Path, str]]:
    """The texts of a tree that some steps lead to, with their paths."""
    if not steps:
        if isinstance(node, str):
            yield path, node
        return
    step, *rest = steps
    inner: Iterable[tuple[str | int, Any]] = ()
    if step != EACH:
        inner = [(step, node.get(str(step)))] if isinstance(node, Map) else ()
    elif isinstance(node, Map):
        inner = node.items()
    elif isinstance(node, Seq):
        inner = enumerate(node)
    for key, value in inner:
        yield from _texts(value, tuple(rest), (*path, key))


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

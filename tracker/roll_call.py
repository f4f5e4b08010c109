"""Use case: when readers were down is told from the log anew, where something came that may have
changed it.

Who records only names the readers concerned. They are looked at in a transaction that nobody
records beside, for a changed outage makes beliefs stale as a changed place does: those of the
assets that were stepped across it at the reader's sites.
"""

from __future__ import annotations

from itertools import pairwise

from tracker import places
from tracker.arrange import concerned
from tracker.chain import TICK_MS
from tracker.outages import BEGINNING, Spells
from tracker.ports import Reader, Writer
from tracker.versions import Spell
from tracker.watch import CYCLE_S


def call_roll(tx: Writer, recorded: int) -> list[str]:
    """Look at all suspects; the assets whose beliefs are out of date by what was found."""
    stale = list[str]()
    found = tx.suspects()
    for device, at in sorted(found.items()):
        known = tx.inference().outages.of(device)
        since = _beginning(tx, known, device, max(at, BEGINNING))
        old = [_from(since, spell) for spell in known if _lasts(since, spell)]
        new = _told(tx, device, since)
        if old != new:
            tx.set_outages(device, since, new, recorded)
            stale += _mark_stale(tx, device, _first_difference(old, new))
    tx.cleared(found)
    return stale


def _beginning(reader: Reader, known: Spells, device: str, at: int) -> int | None:
    """From where on (None: from always) an absence may be another one, by what came at a time."""
    since = reader.sign_before(device, at)
    for spell in reversed(known):
        if since is not None and (spell.holds_at(since) or spell.until == since):
            since = spell.since
    return since


def _lasts(since: int | None, spell: Spell[bool]) -> bool:
    return since is None or spell.until is None or spell.until > since


def _from(since: int | None, spell: Spell[bool]) -> Spell[bool]:
    if since is None or (spell.since is not None and spell.since >= since):
        return spell
    return spell._replace(since=since)


def _told(reader: Reader, device: str, since: int | None) -> list[Spell[bool]]:
    """When the log tells that a reader was away, from a sign of life on (None: from always)."""
    spells, longest_ms = list[Spell[bool]](), _longest_ms(reader, device)
    at: int | None = BEGINNING if since is None else since
    while at is not None and (will := reader.will_from(device, at)) is not None:
        away, at = reader.sign_before(device, will), reader.back_after(device, will)
        for one, other in pairwise([away, *reader.signs(device, will, at), at]):
            deaf = one is None or other is None or other - one > longest_ms
            joins = spells and spells[-1][1:] == (one, deaf)
            spells.append(Spell(spells.pop().since if joins else one, other, deaf))
    return spells


def _longest_ms(reader: Reader, device: str) -> float:
    """For how long nothing may come of a reader that hears all: two inventories."""
    now = reader.layout().readers().get(device)
    return 2_000 * ((now.cycle_s if now is not None else None) or CYCLE_S)


def _first_difference(old: Spells, new: Spells) -> int:
    one, other = ({*map(_bounds, spells)} for spells in (old, new))
    return min(since for since, *_ in one ^ other)


def _bounds(spell: Spell[bool]) -> tuple[int, int | None, bool]:
    return BEGINNING if spell.since is None else spell.since, spell.until, spell.value


def _mark_stale(tx: Writer, device: str, since: int) -> list[str]:
    """The assets that a reader's outage concerns, and whose beliefs go beyond its beginning."""
    zones = {
        zone
        for version in tx.versions("reader", device)
        if isinstance(version.value, places.Reader)
        for zone in version.value.zones()
    }
    sites = {
        version.value.site
        for version in tx.versions("zone")
        if isinstance(version.value, places.Zone) and version.id in zones
    }
    assets = concerned(tx, sites, set(tx.seen_by(device)))
    stepped = tx.stepped(assets, since // TICK_MS)
    tx.mark_stale(dict.fromkeys(stepped, since))
    return stepped

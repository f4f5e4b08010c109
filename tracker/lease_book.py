"""Use cases: partners and leases as people state them become what is stored.

What is said of a lease takes the place of what was stored of it. Its lines are added to and
changed, never taken away: a line that is not mentioned stays, and so do extensions of a due date
that is merely said again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Literal, NamedTuple

from tracker import lease_terms as terms
from tracker.audit import Act, audited
from tracker.lease_clash import clash, clash_at_once, in_words
from tracker.lease_record import Step, in_order, lease_fields, line_fields, write
from tracker.leases import Agreement, End, Lease, Line, Partner, ends_at, starts_at, time_zone
from tracker.past import EVERY, Past, past_of
from tracker.places import Site
from tracker.ports import Writer
from tracker.registry import Conflict, Outdated, Unregistered
from tracker.times import iso

Path = tuple[str | int, ...]


class BadLease(Conflict):
    """A lease, or a change of one, that cannot be: the text says what is wrong with it."""


class Flaw(NamedTuple):
    """What is wrong with one of several leases, by its place among them, and where in it."""

    place: int
    path: Path
    error: Conflict | Unregistered


class LeasesRefused(Exception):
    """Of leases that were stated together some cannot be; so none is stored."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        super().__init__("; ".join(str(flaw.error) for flaw in flaws))
        self.flaws = flaws


class Saved(NamedTuple):
    """What came of a statement: the lease as it is then, and what of it changed."""

    action: Literal["create", "change", "same"]
    lease: Lease
    changed: tuple[str, ...] = ()


def save_partner(tx: Writer, partner: Partner, act: Act, expected: int | None = None) -> Partner:
    """Register a partner, or change one. Raises Outdated where its version is not the `expected`
    one (0: that there is none), and Unregistered where a site is none."""
    known = tx.partners().get(partner.id)
    version = known.version if known else 0
    if expected not in (None, version):
        raise Outdated(f"partner {partner.id}", version)
    missing = sorted(set(partner.sites).difference(tx.layout().sites()))
    if missing:
        raise Unregistered(f"partner {partner.id}: there is no site {missing[0]}")
    return put_partner(tx, known, partner, act)


def put_partner(tx: Writer, known: Partner | None, partner: Partner, act: Act) -> Partner:
    """Write what is known to be fine of a partner; as it is then, which is `known` where that
    changes nothing."""
    version = known.version if known else 0
    saved = replace(partner, version=version + 1)
    if known is not None and replace(saved, version=version) == known:
        return known
    tx.put_partner(saved)
    before = partner_fields(known) if known else None
    action = "create" if known is None else "change"
    audited(tx, act, action, "partner", saved.id, before, partner_fields(saved))
    touched = {*saved.sites} ^ {*(known.sites if known else ())}
    there = {one.asset for site in touched for one in tx.standing_at(site, "", EVERY)}
    tx.set_timers(dict.fromkeys(sorted(there), act.now))
    return saved


def partner_fields(partner: Partner) -> dict[str, Any]:
    """What people say of a partner."""
    return {"name": partner.name, "kind": partner.kind, "sites": [*partner.sites]}


def save_lease(tx: Writer, stated: terms.Lease, act: Act, expected: int | None = None) -> Saved:
    """Register a lease, or change one. Raises Outdated where its version is not the `expected`
    one (0: that there is none), and Unregistered, BadLease or Conflict where it cannot be."""
    if expected is not None:
        known = tx.lease(stated.id)
        version = known.version if known else 0
        if version != expected:
            raise Outdated(f"lease {stated.id}", version)
    try:
        return save_leases(tx, [stated], act)[0]
    except LeasesRefused as refused:
        raise refused.flaws[0].error from None


def save_leases(tx: Writer, stated: Sequence[terms.Lease], act: Act) -> list[Saved]:
    """Register and change leases, all or none: what came of each. Raises LeasesRefused."""
    desk = _Desk(tx, stated, act)
    steps = [desk.step(n, one) for n, one in enumerate(stated)]
    desk.refuse_clashes(stated, steps)
    if desk.flaws:
        raise LeasesRefused(desk.flaws)
    write(tx, act, [step for step in steps if step.action != "same"])
    return [_saved(step) for step in steps]


def _saved(step: Step) -> Saved:
    if step.before is None or step.action == "same":
        return Saved("create" if step.before is None else "same", step.after)
    was, told = lease_fields(step.before), lease_fields(step.after)
    old = {*step.before.lines}
    names = [name for name in told if told[name] != was[name]]
    names += [f"line {line.id}" for line in step.after.lines if line not in old]
    return Saved("change", step.after, tuple(names))


class Calendar(NamedTuple):
    """The sites, by whose zones and opening days a lease's days are counted."""

    sites: Mapping[str, Site]

    def zone(self, named: str | None, delivery: str) -> str:
        """The time zone of a lease that names one, or none, and is delivered to a site."""
        own = self.sites[delivery].timezone if delivery in self.sites else None
        depots = [site.timezone for _, site in sorted(self.sites.items()) if site.kind == "depot"]
        return time_zone(named, own, depots)

    def due_at(self, due: date, lease: Lease) -> int:
        """When a lease's day is over on which something is due (epoch ms)."""
        site = self.sites.get(lease.sites[0])
        day = site.open_from(due) if lease.open_days and site is not None else due
        return ends_at(day, lease.timezone)


class _Desk:
    """What is known besides the leases that are stated; what stands against them is gathered in
    `flaws`."""

    def __init__(self, tx: Writer, stated: Sequence[terms.Lease], act: Act) -> None:
        self.flaws: list[Flaw] = []
        self._tx, self._act = tx, act
        self._calendar = Calendar(tx.layout().sites())
        self._partners = tx.partners()
        self._known = tx.leases_by_id(one.id for one in stated)
        assets = {line.asset for one in stated for line in one.lines if line.asset is not None}
        self._assets = tx.assets_by_id(assets)

    def step(self, place: int, stated: terms.Lease) -> Step:
        """What a statement makes of its lease."""
        self._check_names(place, stated)
        before = self._known.get(stated.id)
        head = self._head(stated, before)
        old = {line.id: line for line in before.lines} if before else {}
        lines = {id: line if line.ended else self._timed(line, head) for id, line in old.items()}
        agreed = list[Agreement]()
        for n, line in enumerate(stated.lines):
            known = old.get(line.id)
            made = self._line(head, line, known)
            if known is not None and known.ended is not None:
                if (_says(made), made.ended) != (_says(known), known.ended):
                    self._refuse(place, ("lines", n), Conflict(f"line {line.id} {ended(known)}"))
                continue
            lines[line.id] = made
            if known is None or _says(made) != _says(known):
                body = _says(made) | {"due": line.due.isoformat()}
                agreed.append(self._agreed(made, "leased", made.start_at, body))
            if made.ended is not None:
                agreed.append(self._agreed(made, made.ended.how, made.ended.at, {}))
        after = replace(head, lines=in_order(lines.values()))
        if before is None:
            return Step("create", None, after, tuple(agreed))
        if replace(after, version=before.version, lines=before.lines) == before and {
            *after.lines
        } == {*before.lines}:
            return Step("same", before, before, ())
        return Step("change", before, after, (*self._changed(before, after), *agreed))

    def _head(self, stated: terms.Lease, before: Lease | None) -> Lease:
        """A lease without its lines. Whoever was handed something stays its consignee."""
        consignees = [*stated.consignees]
        if before is not None and not {*before.consignees} <= {*consignees}:
            rows = self._tx.agreements(stated.id)
            consignees += [str(row.body["to"]) for row in rows if row.kind == "handed_over"]
        return Lease(
            stated.id,
            stated.customer,
            tuple(dict.fromkeys([stated.site, *stated.sites])),
            self._calendar.zone(stated.timezone, stated.site),
            stated.return_to,
            stated.grace_h,
            stated.open_days,
            tuple(dict.fromkeys(consignees)),
            attributes=stated.attributes,
            version=before.version + 1 if before else 1,
        )

    def _line(self, head: Lease, stated: terms.LeaseLine, known: Line | None) -> Line:
        """What a statement makes of a line: an asset that was dispatched for it, an extension
        and an end stay, where they are not contradicted."""
        asset, due, end = stated.asset, stated.due, None
        if stated.ended is not None:
            end = End(stated.ended.how, stated.ended.at)
        if known is not None:
            asset = asset or known.asset
            if due != known.due:
                rows = self._tx.agreements(head.id)
                due = known.due if due == stated_due(rows, known.id) else due
            end = end or known.ended
        made = Line(head.id, stated.id, asset, stated.kind, stated.start, due, 0, 0, end)
        return self._timed(made, head)

    def _timed(self, line: Line, head: Lease) -> Line:
        """A line whose days are those of a lease."""
        start_at = starts_at(line.start, head.timezone)
        return replace(line, start_at=start_at, due_at=self._calendar.due_at(line.due, head))

    def _check_names(self, place: int, stated: terms.Lease) -> None:
        """Refuse what is not registered."""
        named: list[tuple[Path, str, str, Collection[str]]] = [
            (("customer",), "partner", stated.customer, self._partners),
            (("site",), "site", stated.site, self._calendar.sites),
        ]
        if stated.return_to is not None:
            named.append((("return_to",), "site", stated.return_to, self._calendar.sites))
        for n, name in enumerate(stated.sites):
            named.append((("sites", n), "site", name, self._calendar.sites))
        for n, name in enumerate(stated.consignees):
            named.append((("consignees", n), "partner", name, self._partners))
        for n, line in enumerate(stated.lines):
            if line.asset is not None:
                named.append((("lines", n, "asset"), "asset", line.asset, self._assets))
        for path, kind, name, known in named:
            if name not in known:
                self._refuse(place, path, Unregistered(f"there is no {kind} {name}"))

    def refuse_clashes(self, stated: Sequence[terms.Lease], steps: Sequence[Step]) -> None:
        """Refuse new and changed lines with assets that are on another one."""
        own = defaultdict[str, list[Line]](list)
        for step in steps:
            for line in step.after.lines:
                own[line.asset or ""].append(line)
        others = self._tx.lines_of(asset for asset in own if asset)
        ids = {step.after.id for step in steps}
        pasts = dict[str, Past]()
        for place, step in enumerate(steps):
            before = {*step.before.lines} if step.before else set[Line]()
            places = {line.id: n for n, line in enumerate(stated[place].lines)}
            for line in step.after.lines:
                asset = line.asset
                if asset is None or line in before or line.id not in places:
                    continue
                elsewhere = [one for one in others.get(asset, ()) if one.lease not in ids]
                if len(own[asset]) + len(elsewhere) == 1:
                    continue
                if asset not in pasts:
                    pasts[asset] = past_of(self._tx, asset)
                past, now = pasts[asset], self._act.now
                found = clash(line, elsewhere, past, now)
                found = found or clash_at_once(line, own[asset], past, now)
                if found is not None:
                    path = ("lines", places[line.id])
                    self._refuse(place, path, Conflict(in_words(found)))

    def _changed(self, before: Lease, after: Lease) -> Iterator[Agreement]:
        """What is agreed about all of a lease by a change."""
        was, told = lease_fields(before), lease_fields(after)
        body = {name: value for name, value in told.items() if value != was[name]}
        if body:
            now = self._act.now
            yield Agreement(after.id, None, "changed", now, now, self._act.by, body)

    def _agreed(self, line: Line, kind: str, at: int, body: Mapping[str, Any]) -> Agreement:
        return Agreement(line.lease, line.id, kind, at, self._act.now, self._act.by, body)

    def _refuse(self, place: int, path: Path, error: Conflict | Unregistered) -> None:
        self.flaws.append(Flaw(place, path, error))


def stated_due(agreements: Iterable[Agreement], line: str) -> date | None:
    """The due day that was stated of a line last, whatever extensions have made of it."""
    days = [a.body["due"] for a in agreements if a.line == line and a.kind == "leased"]
    return date.fromisoformat(days[-1]) if days else None


def ended(line: Line) -> str:
    """How a line that is closed ended, in words."""
    assert line.ended is not None
    return f"has ended: it was {line.ended.how} at {iso(line.ended.at)}"


def _says(line: Line) -> dict[str, Any]:
    """What is agreed about a line that begins."""
    said = line_fields(line)
    return {name: said[name] for name in ("asset", "class", "from", "due")}

"""Writing what is believed of assets, and what the journal tells of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import orjson
from sqlalchemy import delete, func, or_, select, tuple_, union, update

from tracker.cells import cells_near
from tracker.fold import Belief, Entry, Place
from tracker.geofence import Box
from tracker.present import Now, Present
from tracker.stage import Transition
from tracker.stores import rows, schema, sql
from tracker.stores.asset_reads import KEPT, between, cell
from tracker.stores.cache import Cache
from tracker.usage import Totals, summed
from tracker.whereabouts import Moment, Visit

_OF_ASSET = (
    schema.beliefs,
    schema.standings,
    schema.usages,
    schema.snapshots,
    schema.visits,
    schema.transitions,
    schema.presents,
)


class AssetWrites(sql.Speaks):
    """The part of a `tracker.ports.Writer` that concerns beliefs."""

    _cache: Cache

    def beliefs(self, assets: Iterable[str]) -> dict[str, Belief]:
        known = self._cache.beliefs
        wanted = list(assets)
        if unknown := [asset for asset in wanted if asset not in known]:
            known.update(dict.fromkeys(unknown))
            for row in self._db.exec_driver_sql(self._sql.beliefs, (sql.as_json(unknown),)):
                belief = rows.belief(row)
                known[belief.asset] = belief
        return {asset: found for asset in wanted if (found := known[asset]) is not None}

    def save_beliefs(self, beliefs: Sequence[Belief], revision: int) -> None:
        known = self._cache.beliefs
        moved, stayed, standings, usages = [], [], [], []
        for belief in beliefs:
            body, found_by = rows.placed_body(belief), _found_by(belief)
            before = known.get(belief.asset)
            if belief.standing and (before is None or belief.standing != before.standing):
                standings.append((belief.asset, rows.standing_body(belief.standing)))
            if before is None or belief.usage[1:] != before.usage[1:]:
                usages.append(rows.usage_row(belief))
            if before is not None and _found_by(before) == found_by:
                stayed.append((body, revision, belief.asset))
            else:
                moved.append((belief.asset, body, revision, *found_by))
            known[belief.asset] = belief
        self._many(self._sql.save_body, stayed)
        self._many(self._sql.save_belief, moved)
        self._many(self._sql.save_standing, standings)
        self._many(self._sql.save_usage, usages)

    def drop_belief(self, asset: str) -> None:
        for table in _OF_ASSET:
            self._db.execute(delete(table).where(table.c.asset == asset))
        self._cache.beliefs.pop(asset, None)
        self._cache.presents.pop(asset, None)

    def snapshot_before(self, asset: str, moment: Moment) -> Belief | None:
        table = schema.snapshots
        found = self._db.execute(
            select(*KEPT)
            .where(table.c.asset == asset, tuple_(table.c.at, table.c.key) < tuple_(*moment))
            .order_by(table.c.at.desc(), table.c.key.desc())
            .limit(1)
        ).first()
        return rows.snapshot(found) if found else None

    def save_snapshots(self, snapshots: Sequence[Belief], *, base: bool = False) -> None:
        self._many(
            self._sql.save_snapshot,
            [rows.snapshot_row(belief, base) for belief in snapshots],
        )

    def drop_snapshots(self, asset: str, after: Moment | None, until: Moment | None = None) -> None:
        table = schema.snapshots
        droppable = delete(table).where(table.c.asset == asset, table.c.base.is_(False))
        self._db.execute(droppable.where(*between(table.c.at, table.c.key, after, until)))

    def shift_snapshots(self, asset: str, after: Moment, more: int, first: Place | None) -> None:
        table = schema.snapshots
        later = between(table.c.at, table.c.key, after, None)
        more_of_them = {"observations": table.c.observations + more}
        self._db.execute(update(table).where(table.c.asset == asset, *later).values(more_of_them))
        if first is not None:
            place = rows.json(list(first))
            self._db.exec_driver_sql(self._sql.set_first, (place, asset, *after))

    def take_off(self, asset: str, after: Moment, gone: Totals) -> None:
        if not gone:
            return
        table = schema.snapshots
        later = between(table.c.at, table.c.key, after, None)
        next_ = select(table.c.at, table.c.key, table.c.used).where(table.c.asset == asset, *later)
        found = self._db.execute(next_.order_by(table.c.at, table.c.key).limit(1)).first()
        if found is None:
            belief = self.beliefs([asset])[asset]
            tail = summed(belief.usage.tail, gone, -1)
            changed = belief._replace(usage=belief.usage._replace(tail=tail))
            self._cache.beliefs[asset] = changed
            self._many(self._sql.save_usage, [rows.usage_row(changed)])
            return
        used = rows.json(summed(orjson.loads(found.used), gone, -1))
        here = (table.c.asset == asset, table.c.at == found.at, table.c.key == found.key)
        self._db.execute(update(table).where(*here).values(used=used))

    def add_visits(self, visits: Sequence[tuple[str, Visit]]) -> None:
        self._many(self._sql.add_visit, [rows.visit_row(*one) for one in visits])

    def drop_visits(self, asset: str, after: Moment | None, until: Moment | None = None) -> None:
        table = schema.visits
        decided = between(table.c.closed_at, table.c.closed_key, after, until)
        self._db.execute(delete(table).where(table.c.asset == asset, *decided))

    def add_transitions(self, transitions: Sequence[tuple[str, Transition]]) -> None:
        self._many(self._sql.add_transition, [rows.transition_row(*one) for one in transitions])

    def drop_transitions(
        self, asset: str, after: Moment | None, until: Moment | None = None
    ) -> None:
        table = schema.transitions
        told = between(table.c.at, table.c.key, after, until)
        self._db.execute(delete(table).where(table.c.asset == asset, *told))

    def presents(self, assets: Iterable[str]) -> dict[str, Present]:
        known, wanted = self._cache.presents, list(assets)
        if unknown := [asset for asset in wanted if asset not in known]:
            known.update(dict.fromkeys(unknown))
            found = self._db.exec_driver_sql(self._sql.presents, (sql.as_json(unknown),))
            known.update((row[0], rows.present(row)) for row in found)
        return {asset: told for asset in wanted if (told := known[asset]) is not None}

    def save_presents(self, told: Sequence[Now]) -> None:
        profiles = {one.profile.id: one.profile for one in told}
        new = [p for id, p in profiles.items() if id not in self._cache.profiles]
        self._many(self._sql.add_profile, [rows.profile_row(profile) for profile in new])
        self._cache.profiles.update(profiles)
        self._many(self._sql.save_present, [rows.present_row(one) for one in told])
        self._cache.presents.update((one.present.asset, one.present) for one in told)

    def mark_stale(self, assets: Mapping[str, int]) -> None:
        if assets:
            self._many(self._sql.mark_stale, list(assets.items()))
            self._cache.anything_stale = True

    def freshened(self, asset: str) -> None:
        self._db.execute(delete(schema.stale).where(schema.stale.c.asset == asset))
        self._cache.anything_stale = None

    def seen_by(self, device: str) -> list[str]:
        table = schema.sightings
        return list(self._db.scalars(select(table.c.subject).where(table.c.device == device)))

    def near(self, box: Box) -> list[str]:
        table = schema.cells
        subjects: set[str] = set()
        for level in self._db.scalars(select(table.c.level).distinct()).all():
            for _, row, first, last in cells_near(box, level):
                here = (table.c.level == level) & (table.c.row == row)
                query = select(table.c.subject).where(here, table.c.col.between(first, last))
                subjects.update(self._db.scalars(query))
        return sorted(subjects)

    def observed(self, subjects: Iterable[str]) -> set[str]:
        found = self._db.exec_driver_sql(self._sql.observed, (sql.as_json(list(subjects)),))
        return set(found.scalars())

    def bound_to(self, subjects: Iterable[str]) -> set[str]:
        table, assets = schema.versions, set[str]()
        for some in sql.chunks(list(subjects)):
            query = select(table.c.asset).where(table.c.kind == "binding", table.c.id.in_(some))
            assets.update(a for a in self._db.scalars(query.distinct()) if a is not None)
        return assets

    def believed(self) -> list[str]:
        return list(self._db.scalars(select(schema.beliefs.c.asset)))

    def at_home(self, site: str | None) -> list[str]:
        beliefs, assets = schema.beliefs, schema.assets
        query = select(beliefs.c.asset).join(assets, assets.c.id == beliefs.c.asset)
        return list(self._db.scalars(query.where(assets.c.home == site)))

    def classes(self) -> list[str]:
        name = schema.assets.c["class"]
        return list(self._db.scalars(select(name).distinct().order_by(name)))

    def of_class(self, name: str) -> list[str]:
        beliefs, assets = schema.beliefs, schema.assets
        query = select(assets.c.id).outerjoin(beliefs, assets.c.id == beliefs.c.asset)
        stated = or_(beliefs.c.asset.is_not(None), assets.c.initial_stage.is_not(None))
        return list(self._db.scalars(query.where(assets.c["class"] == name, stated)))

    def visitors(self, site: str) -> list[str]:
        beliefs, visits = schema.beliefs, schema.visits
        return list(
            self._db.scalars(
                union(
                    select(beliefs.c.asset).where(beliefs.c.site == site),
                    select(visits.c.asset).where(visits.c.site == site),
                )
            )
        )

    def journal(self, entries: Sequence[Entry], recorded: int) -> Sequence[int]:
        last = self._db.scalar(select(func.max(schema.journal.c.id))) or 0
        numbers = range(last + 1, last + 1 + len(entries))
        lines = zip(numbers, entries, strict=True)
        self._many(self._sql.add_line, [(n, *rows.line_row(one, recorded)) for n, one in lines])
        return numbers

    def last_line(self, asset: str, about: str) -> int | None:
        table = schema.journal
        line: int | None = self._db.scalar(
            select(func.max(table.c.id)).where(table.c.asset == asset, table.c.about == about)
        )
        return line


def _found_by(belief: Belief) -> tuple[int | None, int | None, str | None, int | None]:
    """The columns that an asset is found by: its last place's, its site, and since when it stays
    there."""
    last, whereabouts = belief.last, belief.whereabouts
    row, col = (None, None) if last is None else (cell(last.lat), cell(last.lon))
    stay = whereabouts.stay
    return row, col, whereabouts.site, None if stay is None else stay.since

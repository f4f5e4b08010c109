"""Between rows of the tables and values of the domain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import orjson
from sqlalchemy import Row

from tracker.access import ApiKey
from tracker.account import Explained, Reason
from tracker.audit import Change
from tracker.fold import Belief, Entry, decode, encode
from tracker.layout import PlaceValue
from tracker.log_ports import Line
from tracker.model import (
    Asset,
    Binding,
    DeadLetter,
    Device,
    Kind,
    Observation,
    Quarantined,
    what_of,
)
from tracker.places import Reader, Site, Zone
from tracker.present import Now, Present
from tracker.profile import Profile
from tracker.receipts import Hole, Progress, Span
from tracker.stage import Standing, Told, Transition, plain, standing
from tracker.usage import Usage
from tracker.versions import Version, timeline
from tracker.whereabouts import Moment, Visit


def observation_row(o: Observation) -> tuple[Any, ...]:
    """The columns of `log` after the id, and the first ones of `quarantine`."""
    return (*o[:12], o.body.decode())


def observation(row: Sequence[Any]) -> Observation:
    """An observation from those columns."""
    kind = Kind(row[2])
    body = row[12]
    return Observation._make((*row[:2], kind, *row[3:12], body.encode(), what_of(kind, body)))


def quarantined(row: Sequence[Any]) -> Quarantined:
    """What is held back, from its columns after the id."""
    return Quarantined(observation(row[:13]), row[13], row[14])


def progress_columns(p: Progress) -> tuple[int, int | None, str, str]:
    """Top, first, holes, lost."""
    return p.top, p.first, _json(p.holes), _json(p.lost)


def progress(top: int, first: int | None, holes: str, lost: str) -> Progress:
    """The inverse of `progress_columns`."""
    return Progress(
        top,
        tuple(Hole(*h) for h in orjson.loads(holes)) if holes != "[]" else (),
        tuple(Span(*s) for s in orjson.loads(lost)) if lost != "[]" else (),
        first,
    )


def _json(spans: tuple[tuple[int, ...], ...]) -> str:
    return orjson.dumps([list(span) for span in spans]).decode() if spans else "[]"


def device(row: Sequence[Any]) -> Device:
    return Device(*row)


def device_row(d: Device) -> tuple[Any, ...]:
    return tuple(getattr(d, name) for name in Device.__dataclass_fields__)


def asset(row: Sequence[Any]) -> Asset:
    """An asset from its columns after the number."""
    id, class_, name, home, stage, attributes, external_ids, version = row
    return Asset(
        id,
        class_,
        name,
        home,
        stage,
        orjson.loads(attributes),
        orjson.loads(external_ids),
        version,
    )


def asset_row(a: Asset) -> tuple[Any, ...]:
    """The columns of an asset after the number."""
    attributes, external_ids = json(dict(a.attributes)), json(dict(a.external_ids))
    return a.id, a.class_, a.name, a.home, a.initial_stage, attributes, external_ids, a.version


def visit(row: Sequence[Any]) -> Visit:
    """A visit from its columns after the asset: opened, what it was, closed."""
    return Visit._make((*row[2:8], Moment(*row[:2]), Moment(*row[8:])))


def visit_row(asset: str, v: Visit) -> tuple[Any, ...]:
    return (asset, *v.opened, *v[:6], *v.closed)


def transition_row(asset: str, t: Transition) -> tuple[Any, ...]:
    why = [*t.why[:4], [list(reason) for reason in t.why.reasons]]
    return (asset, *t[:6], json(why))


def transition(row: Sequence[Any]) -> Transition:
    """A transition from its columns after the asset."""
    at, key, stage, was, p, chain, why = row
    *explained, reasons = orjson.loads(why)
    explanation = Explained._make((*explained, [Reason(*one) for one in reasons]))
    return Transition(at, key, stage, was, p, chain, explanation)


def present_row(now: Now) -> tuple[Any, ...]:
    told, posterior = now.present, now.standing.row().astype(np.float32)
    what = (*told[:3], *told.told, *told.path, told.at, told.behind)
    return (*what, now.standing.tick, now.profile.id, posterior.tobytes())


def present(row: Sequence[Any]) -> Present:
    """A present from its first columns."""
    return Present._make((*row[:3], Told(*row[3:6]), Told(*row[6:9]), *row[9:11]))


def profile_row(profile: Profile) -> tuple[Any, ...]:
    heard, deaf = profile.heard.tobytes(), profile.deaf.tobytes()
    return profile.id, profile.process, profile.tracked, heard, deaf


def line_row(entry: Entry, recorded: int) -> tuple[Any, ...]:
    """The columns of a line of the journal after the id."""
    return (*entry[:4], recorded, json(entry.body), entry.supersedes)


def line(row: Row[Any]) -> Line:
    """A line of the journal."""
    body = orjson.loads(row.body)
    entry = Entry(row.asset, row.kind, row.about, row.at, body, row.supersedes)
    return Line(row.id, row.recorded, entry)


def placed_body(belief: Belief) -> str:
    """A belief but for its standing, and for what it has been through in all."""
    return encode(belief._replace(standing=None, usage=Usage(belief.usage.seen))).decode()


def standing_body(standing: Standing) -> str:
    """A belief's standing."""
    return orjson.dumps(plain(standing)).decode()


def belief(row: Sequence[Any]) -> Belief:
    """A belief from those two and its usage; these two may be missing."""
    body, known, total, tail = row
    placed = decode(body)
    if known:
        placed = placed._replace(standing=standing(orjson.loads(known)))
    if total:
        used = Usage(placed.usage.seen, orjson.loads(total), orjson.loads(tail))
        placed = placed._replace(usage=used)
    return placed


def usage_row(belief: Belief) -> tuple[str, str, str]:
    return belief.asset, json(dict(belief.usage.total)), json(dict(belief.usage.tail))


def snapshot_row(belief: Belief, base: bool) -> tuple[Any, ...]:
    body = encode(belief._replace(observations=0)).decode()
    used = json(dict(belief.usage.tail))
    return (belief.asset, *belief.moment, body, base, belief.observations, used)


def snapshot(row: Sequence[Any]) -> Belief:
    """A snapshot from its body, its count of observations, and what was used on the way."""
    made = decode(row[0])
    used = made.usage._replace(tail=orjson.loads(row[2]))
    return made._replace(observations=row[1], usage=used)


_PLACES: dict[str, type[PlaceValue]] = {"site": Site, "zone": Zone, "reader": Reader}


def place_version(row: Row[Any]) -> Version[PlaceValue]:
    """A version of a site, zone or reader."""
    body = None if row.body is None else _PLACES[row.kind].model_validate_json(row.body)
    return Version(row.revision, row.kind, row.id, row.since, row.until, row.recorded, body)


def binding_version(row: Row[Any]) -> Version[str]:
    return Version(row.revision, row.kind, row.id, row.since, row.until, row.recorded, row.asset)


def bindings(versions: Iterable[Version[str]]) -> list[Binding]:
    """What a subject's history of bindings comes to."""
    listed = list(versions)
    return [Binding(s.value, listed[0].id, s.since, s.until) for s in timeline(listed)]


def change(row: Sequence[Any]) -> Change:
    """A line of the audit log from its columns after the id."""
    told = (None if text is None else orjson.loads(text) for text in row[5:])
    return Change._make((*row[:5], *told))


def change_row(c: Change) -> tuple[Any, ...]:
    """The columns of a line of the audit log after the id."""
    return (*c[:5], *(None if told is None else json(told) for told in (c.before, c.after)))


def json(value: Any) -> str:
    """Canonical JSON as text."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def dead_letter(row: Sequence[Any]) -> DeadLetter:
    """A dead letter from its columns after the id."""
    return DeadLetter(*row)


def api_key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        row.id,
        row.name,
        row.digest,
        tuple(row.scopes.split()),
        row.created,
        row.expires,
        row.revoked,
        row.partner,
    )

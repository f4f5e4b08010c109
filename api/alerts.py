"""Alerts: what needs somebody's attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field, TypeAdapter

from api.auth import TheCaller
from api.cursors import Cursor, Limit, Listing, Page, cut
from api.problems import documented
from api.times import MS_AT_MOST, Moment, Time
from tracker import alert_book
from tracker.alert_book import AlertIsOver, AlreadyPast, UnknownAlert
from tracker.alerts import Alert as Told
from tracker.audit import Act
from tracker.lease_ports import AlertFilter
from tracker.ports import Writer

router = APIRouter(prefix="/v1", tags=["alerts"])

_Ms = Annotated[int, Field(ge=-MS_AT_MOST, le=MS_AT_MOST)]
_alerts = Listing("alerts", TypeAdapter(tuple[str, tuple[_Ms, str]]))
BEGINNING = (-MS_AT_MOST - 1, "")
StateName = Literal["open", "acknowledged", "snoozed", "resolved", "retracted"]
AlertId = Annotated[
    str, Path(description="The alert.", examples=["al_11596bf6a498e47d5236"], max_length=64)
]
_Note = Annotated[str, Field(max_length=1_024)]


class Alert(BaseModel):
    """Something that needs attention: what, since when, and why."""

    id: str = Field(description="Its id.", examples=["al_11596bf6a498e47d5236"])
    asset: str = Field(
        description="The asset; of an alert about a reader, the reader.", examples=["pallet-1"]
    )
    lease: str | None = Field(description="The lease; null: none.", examples=["L-17"])
    line: str | None = Field(description="The line of it.", examples=["1"])
    rule: str = Field(description="The rule that it came of.", examples=["overdue"])
    episode: int = Field(description="Which time that is, from 1.", examples=[1])
    state: StateName = Field(description="What it is in.", examples=["open"])
    severity: str = Field(description="How severe it is.", examples=["serious"])
    level: int = Field(description="Its level on the rule's ladder, from 1.", examples=[1])
    since: Time = Field(description="From when on it has held, UTC.")
    opened: Time = Field(description="When it was told first, UTC.")
    changed: Time = Field(description="When it changed last, UTC.")
    by: str | None = Field(description="Who did that; null: nobody.", examples=["key console"])
    until: Time | None = Field(description="Until when it is snoozed, UTC.")
    resolution: str | None = Field(description="How it ended.", examples=["returned"])
    why: dict[str, Any] = Field(description="What it was decided by.", examples=[{"p": 0.93}])


class AlertPage(Page[Alert]):
    """Alerts, those first that have held longest."""


class Happened(BaseModel):
    """Something that happened to an alert."""

    kind: str = Field(description="What.", examples=["opened"])
    at: Time = Field(description="When, UTC.")
    by: str | None = Field(description="Who did it; null: nobody.", examples=["key console"])
    note: str | None = Field(description="What was said.", examples=["called them"])
    level: int = Field(description="Its level then.", examples=[1])


class AlertHistory(Alert):
    """An alert, and all that happened to it."""

    events: list[Happened] = Field(description="What happened, in order.")


class Note(BaseModel):
    """What there is to say."""

    note: _Note | None = Field(None, description="A word for others.", examples=["called them"])


class Comment(BaseModel):
    """What there is to say."""

    note: _Note = Field(description="A word for others.", examples=["they look for it"])


class Snooze(Note):
    """Until when nobody wants to hear of it."""

    until: Moment = Field(
        description="Until when: ISO 8601 with an offset, or epoch ms.",
        examples=["2030-01-07T08:00:00Z"],
    )


@router.get("/alerts")
def list_alerts(
    caller: TheCaller,
    state: Annotated[
        list[StateName],
        Query(description="Only those in one of these.", examples=[["open"]], max_length=5),
    ] = [],  # noqa: B006  FastAPI copies it
    rule: Annotated[
        str | None, Query(description="Only of this rule.", examples=["overdue"])
    ] = None,
    asset: Annotated[
        str | None, Query(description="Only of this asset.", examples=["pallet-1"])
    ] = None,
    lease: Annotated[
        str | None, Query(description="Only of this lease.", examples=["L-17"])
    ] = None,
    severity: Annotated[
        str | None, Query(description="Only of this severity.", examples=["serious"])
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> AlertPage:
    """Alerts, those first that have held longest."""
    filters = (*sorted(state), rule, asset, lease, severity)
    after = _alerts.position(cursor, *filters) or BEGINNING
    wanted = AlertFilter(tuple(state), rule, asset, lease, severity)
    with caller.reading_for() as reader:
        found, last = cut(reader.alerts(wanted, after, limit + 1), limit)
    return AlertPage(
        items=[Alert(**_fields(one)) for one in found],
        next=_alerts.cursor((last.since, last.id), *filters) if last else None,
    )


@router.get("/alerts/{alert}", responses=documented(UnknownAlert))
def get_alert(caller: TheCaller, alert: AlertId) -> AlertHistory:
    """An alert, and what happened to it."""
    with caller.reading_for() as reader:
        found = reader.alert(alert)
        if found is None:
            raise UnknownAlert(alert)
        events = [one.event for one in reader.alert_events(alert)]
    happened = [
        Happened(kind=e.kind, at=e.at, by=e.by, note=e.note, level=e.alert.level) for e in events
    ]
    return AlertHistory(**_fields(found), events=happened)


@router.post("/alerts/{alert}/acknowledge", responses=documented(UnknownAlert, AlertIsOver))
def acknowledge_alert(caller: TheCaller, alert: AlertId, body: Note) -> Alert:
    """Take an alert on: it is no longer repeated."""
    return _do(caller, lambda tx, act: alert_book.acknowledge(tx, alert, body.note, act))


@router.post("/alerts/{alert}/snooze", responses=documented(UnknownAlert, AlertIsOver, AlreadyPast))
def snooze_alert(caller: TheCaller, alert: AlertId, body: Snooze) -> Alert:
    """Hear nothing of an alert until a time."""
    return _do(caller, lambda tx, act: alert_book.snooze(tx, alert, body.until, body.note, act))


@router.post("/alerts/{alert}/resolve", responses=documented(UnknownAlert, AlertIsOver))
def resolve_alert(caller: TheCaller, alert: AlertId, body: Note) -> Alert:
    """Say that an alert was seen to. It is opened anew only when what it says comes again."""
    return _do(caller, lambda tx, act: alert_book.resolve(tx, alert, body.note, act))


@router.post("/alerts/{alert}/comment", responses=documented(UnknownAlert))
def comment_on_alert(caller: TheCaller, alert: AlertId, body: Comment) -> Alert:
    """Say something about an alert."""
    return _do(caller, lambda tx, act: alert_book.comment(tx, alert, body.note, act))


def _do(caller: TheCaller, action: Callable[[Writer, Act], Told]) -> Alert:
    with caller.writing() as (tx, act):
        return Alert(**_fields(action(tx, act)))


def _fields(alert: Told) -> dict[str, Any]:
    fields = alert._asdict() | {"id": alert.id, "state": str(alert.state)}
    return {name: fields[name] for name in Alert.model_fields}

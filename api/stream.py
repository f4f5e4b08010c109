"""The live stream: server-sent events about where things are, where they stay and in which stage.

Each client reads the feed from a position of its own, and is sent no more than it takes: a
slow one is told less, for on a page an asset has only its newest place, and delays nobody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Literal, NamedTuple

import anyio
import structlog
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from prometheus_client import Counter, Gauge
from starlette.types import Message, Receive, Scope, Send

from api import feed as feeds
from api.auth import Caller, InvalidKey, ScopeTooSmall, TheCaller
from api.cursors import BadCursor
from api.feed import Event, Feed, Page, Position, start
from api.problems import TooManyStreams, documented
from tracker.ports import StoreUnavailable
from tracker.queries import UnknownAsset, UnknownPlace, known_asset, known_place

router = APIRouter(prefix="/v1/stream", tags=["live"])

MEDIA_TYPE = "text/event-stream"
RETRY_MS = 2_000  # after which a browser connects again
HEARTBEAT_S = 15.0
CHECK_S = 30.0  # how long a key may still listen after it was revoked
STUCK_S = 60.0  # how long a client may take nothing
AT_ONCE = 50  # events
EXAMPLE = b"""id: 1042.17
event: location
data: {"asset":"pallet-1","lat":51.92,"lon":4.48,"acc":7.5,"at":"2026-01-05T08:00:00.000Z",\
"source":"fix","device":"trk-1","site":"depot-1","zone":null}

"""
STREAMS = Gauge("retour_api_streams", "Clients that listen to the live stream")
EVENTS = Counter("retour_api_stream_events", "Events sent to clients that listen", ["event"])
log = structlog.get_logger()


async def _feed(request: Request) -> Feed:
    feed: Feed = request.app.state.feed
    return feed


class Wanted(NamedTuple):
    """Which events a client wants; None and empty: whichever there are."""

    assets: frozenset[str]
    class_: str | None
    site: str | None
    names: frozenset[str]

    def fits(self, event: Event) -> bool:
        """Whether an event is one of them."""
        return (
            (not self.assets or event.asset in self.assets)
            and (self.class_ is None or event.class_ == self.class_)
            and (self.site is None or self.site in event.sites)
            and (not self.names or event.name in self.names)
        )


@router.get(
    "",
    response_class=Response,
    responses={
        **documented(UnknownAsset, UnknownPlace, BadCursor, StoreUnavailable, TooManyStreams),
        200: {
            "description": "Events, as they happen, until the client goes away",
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": EXAMPLE.decode()}},
        },
    },
)
def stream(
    caller: TheCaller,
    feed: Annotated[Feed, Depends(_feed)],
    asset: Annotated[
        list[str],
        Query(description="Only of this asset; may come again.", examples=[["pallet-1"]]),
    ] = [],  # noqa: B006
    class_: Annotated[
        str | None,
        Query(alias="class", description="Only of assets of this class.", examples=["pallet"]),
    ] = None,
    site: Annotated[
        str | None, Query(description="Only what concerns this site.", examples=["depot-1"])
    ] = None,
    event: Annotated[
        list[Literal["location", "visit", "stage", "alert", "correction"]],
        Query(description="Only events of this sort; may come again.", examples=[["visit"]]),
    ] = [],  # noqa: B006
    last_event_id: Annotated[
        str | None,
        Query(description="Go on after the event of this id.", examples=["1042.17"]),
    ] = None,
    resumed: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            description="Go on after the event of this id: a browser sends it by itself.",
            examples=["1042.17"],
        ),
    ] = None,
) -> Response:
    """Tell where assets are, when they come to sites and leave them, and in which stage they
    are, as it becomes known.

    Server-sent events. Without an id it begins with what comes from now on."""
    with caller.reading() as reader:
        for one in asset:
            known_asset(reader, one)
        if site is not None:
            known_place(reader, "site", site)
        position = start(reader, last_event_id if resumed is None else resumed)
    wanted = Wanted(frozenset(asset), class_, site, frozenset(event))
    return _EventStream(feed, caller.key, _told(feed, caller, wanted, position))


class _EventStream(StreamingResponse):
    media_type = MEDIA_TYPE

    def __init__(self, feed: Feed, key: str, told: AsyncIterator[bytes]) -> None:
        headers = {"X-Accel-Buffering": "no"}  # a proxy shall not collect what is live
        super().__init__(told, headers=headers)
        self._feed = feed
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._feed.listening(self._key), STREAMS.track_inprogress():
            try:
                await super().__call__(scope, receive, send)
            except TimeoutError:
                log.info("stream ended: its client takes nothing")

    async def stream_response(self, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            with anyio.fail_after(STUCK_S):
                await send(message)

        await super().stream_response(send_in_time)


async def _told(
    feed: Feed, caller: Caller, wanted: Wanted, position: Position
) -> AsyncIterator[bytes]:
    """What a client is sent, from a position on."""
    yield b"retry: %d\n%b" % (RETRY_MS, _mark(position))
    spoke = checked = anyio.current_time()
    while not feed.stopped:
        page = await _page(feed, position)
        if page is not None:
            for piece in _pieces(page, wanted):
                yield piece
                spoke = anyio.current_time()
            position = page.end
        if anyio.current_time() - checked >= CHECK_S:
            checked = anyio.current_time()
            if not await anyio.to_thread.run_sync(_may_listen, caller):
                return
        if anyio.current_time() - spoke >= HEARTBEAT_S:
            spoke = anyio.current_time()
            yield _mark(position)
        if page is None:
            await anyio.sleep(feeds.POLL_S)


async def _page(feed: Feed, position: Position) -> Page | None:
    try:
        return await feed.after(position)
    except StoreUnavailable as error:
        log.warning("store unavailable", error=str(error))
        return None


def _may_listen(caller: Caller) -> bool:
    try:
        caller.admit()
    except (InvalidKey, ScopeTooSmall):
        return False
    except StoreUnavailable:
        pass  # nobody is sent anything now anyway
    return True


def _mark(position: Position) -> bytes:
    """A comment for proxies that end what is silent; its id is where the client may resume."""
    return b":\nid: %b\n\n" % str(position).encode()


def _pieces(page: Page, wanted: Wanted) -> Iterator[bytes]:
    """The wanted events of a page, some at once."""
    events = [event for event in page.events if wanted.fits(event)]
    for first in range(0, len(events), AT_ONCE):
        yield _as_text(events[first : first + AT_ONCE])


def _as_text(events: Sequence[Event]) -> bytes:
    for event in events:
        EVENTS.labels(event.name).inc()
    return b"".join(
        b"id: %b\nevent: %b\ndata: %b\n\n"
        % (str(event.id).encode(), event.name.encode(), event.data)
        for event in events
    )

"""Who asks. A route has no other way to the store than through its caller's key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, cast

from fastapi import Depends, Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import ASGIApp, Receive, Scope, Send

from api.backend import Backend, TheBackend
from api.foreseen import Foreseen
from tracker.access import ApiKey, digest_of
from tracker.audit import Act
from tracker.delivery_ports import Channels, NoChannels
from tracker.partner_view import NotForPartners, PartnerView, is_partner_view
from tracker.ports import Reader, Series, Writer
from tracker.queries import fresh, known_asset
from tracker.stamps import StampPolicy

WITH_BODY = ("POST", "PUT", "PATCH")
_bearer = HTTPBearer(
    scheme_name="key",
    bearerFormat="rtr_...",
    description="A key made with `retour key create`. Scopes: read < write < admin.",
    auto_error=False,
)


class MissingKey(Exception):
    """The request carries no key."""

    def __init__(self) -> None:
        super().__init__("send a key as `Authorization: Bearer rtr_...`")


class InvalidKey(Exception):
    """The key is unknown, expired or revoked: which of these is nobody's business."""

    def __init__(self) -> None:
        super().__init__("the key is not valid")


class ScopeTooSmall(Exception):
    """The key is valid, but not for this."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"this takes a key with the scope {scope}")
        self.scope = scope


class Caller:
    """Whoever holds the secret of this request."""

    def __init__(self, backend: Backend, request: Request, secret: str) -> None:
        self._backend = backend
        self._request = request
        self._secret = secret

    def admit(self, scope: str = "read") -> None:
        """Raise InvalidKey or ScopeTooSmall unless the key is in force and has the scope."""
        with self.reading(scope):
            pass

    @contextmanager
    def reading(self, scope: str = "read") -> Iterator[Reader]:
        """One reading transaction, for a key that has the scope and is no partner's."""
        # Not a dependency with `yield`: its transaction would outlast the handler, and hold
        # a connection while it waits for a thread.
        with self._backend.store.reading() as reader:
            if self._known(reader).partner is not None:
                raise NotForPartners
            self._admit(reader, scope)
            yield reader

    @contextmanager
    def reading_for(self) -> Iterator[Reader]:
        """One reading transaction, for any key: of a partner's it sees what that one has."""
        with self._backend.store.reading() as reader:
            yield self._view(reader, self._admit(reader, "read"))

    @contextmanager
    def writing(self, scope: str = "write") -> Iterator[tuple[Writer, Act]]:
        """One writing transaction, for a key that may do so, and the act to put into the audit
        log."""
        with self.reading(scope) as reader:
            by = self._by(reader)
        # Admitted before: who may not write does not make others wait for the writer's lock.
        with self._backend.store.writing() as tx:
            yield tx, Act(by, self.now(), self._backend.clock.wall())

    @contextmanager
    def about(self, asset: str) -> Iterator[Reader]:
        """A reading transaction in which the belief of an asset is up to date."""
        self.admit()
        with fresh(self._backend.store, asset, self.now()) as reader:
            yield reader

    @contextmanager
    def about_for(self, asset: str) -> Iterator[Reader]:
        """The same with the belief of an asset up to date. Raises UnknownAsset where a partner
        has no such one."""
        with self._backend.store.reading() as whole:
            key = self._admit(whole, "read")
            if key.partner is not None:
                known_asset(self._view(whole, key), asset)  # others' are not folded for it
        with fresh(self._backend.store, asset, self.now()) as reader:
            yield self._view(reader, key)

    @property
    def key(self) -> str:
        """The id of the key, once it is admitted."""
        return str(self._request.state.key)

    @property
    def series(self) -> Series | None:
        """The time-series store, if there is one."""
        return self._backend.series

    @property
    def channels(self) -> Channels:
        """The ways to who is told of alerts. Raises NoChannels."""
        if self._backend.channels is None:
            raise NoChannels
        return self._backend.channels

    @property
    def policy(self) -> StampPolicy:
        """Which stamps to believe of what is recorded again."""
        return self._backend.policy

    def foresight(self, reader: Reader, now: int | None, customer: str | None) -> Foreseen:
        """The forecast of a time, or of about now, as far as the reader may see it; perhaps of more
        than a customer's lines."""
        foresight, clock = self._backend.foresight, self._backend.clock
        if is_partner_view(reader):
            return foresight.own(reader, clock, now, customer)
        return foresight.of(reader, clock, now)

    def _by(self, reader: Reader) -> str:
        key = reader.api_key(digest_of(self._secret))
        assert key is not None  # it was admitted in this transaction
        return f"key {key.name} ({key.id})"

    def now(self) -> int:
        """The domain's time."""
        return self._backend.clock.now()

    def wall(self) -> int:
        """Real time."""
        return self._backend.clock.wall()

    def _known(self, reader: Reader) -> ApiKey:
        key = _in_force(self._backend, reader, self._secret)
        self._request.state.key = key.id  # for the log
        return key

    def _admit(self, reader: Reader, scope: str) -> ApiKey:
        key = self._known(reader)
        if not key.allows(scope):
            raise ScopeTooSmall(scope)
        return key

    def _view(self, reader: Reader, key: ApiKey) -> Reader:
        """What a key may see. Raises InvalidKey where its partner is not there."""
        if key.partner is None:
            return reader
        partner = reader.partners().get(key.partner)
        if partner is None:
            raise InvalidKey
        # It has a few questions of a reader and refuses all others, which no type can say.
        return cast(Reader, PartnerView(reader, partner, self.now()))


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that name, in small letters."""
    return next((value for other, value in scope["headers"] if other == name), None)


def secret_in(scope: Scope) -> str | None:
    """The key that a request carries, whoever made it."""
    scheme, _, secret = (header(scope, b"authorization") or b"").decode("latin-1").partition(" ")
    return secret.strip() or None if scheme.lower() == "bearer" else None


def _in_force(backend: Backend, reader: Reader, secret: str) -> ApiKey:
    """The key of a secret. Raises InvalidKey."""
    digest = digest_of(secret)
    key = reader.api_key(digest)
    if key is None or not key.in_force(backend.clock.wall()):
        backend.admitted.discard(digest)
        raise InvalidKey
    backend.admitted.add(digest)
    return key


class Guarded:
    """ASGI middleware: before a body is read, raises MissingKey, InvalidKey or NotForPartners. To
    read and check one costs more than whoever has no key may cost."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and scope["method"] in WITH_BODY:
            if (secret := secret_in(scope)) is None:
                raise MissingKey
            await run_in_threadpool(_check, scope["app"].state.backend, secret)
        await self._app(scope, receive, send)


def _check(backend: Backend, secret: str) -> None:
    with backend.store.reading() as reader:
        if _in_force(backend, reader, secret).partner is not None:
            raise NotForPartners  # it changes nothing


async def _caller(
    request: Request,
    backend: TheBackend,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Caller:
    if credentials is None:
        raise MissingKey
    return Caller(backend, request, credentials.credentials)


TheCaller = Annotated[Caller, Depends(_caller)]

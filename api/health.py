"""Whether this process lives, whether it is ready, and what it counts. No key is needed."""

from __future__ import annotations

import structlog
from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from api.backend import Backend, TheBackend
from tracker.ports import StoreUnavailable

router = APIRouter(tags=["health"])
log = structlog.get_logger()


class Life(BaseModel):
    """The process answers."""

    live: bool = Field(description="Always true.", examples=[True])


class Readiness(BaseModel):
    """Whether everything behind the process works."""

    ready: bool = Field(description="Whether there is no problem.", examples=[False])
    problems: list[str] = Field(
        description="What does not work.", examples=[["the database does not answer"]]
    )


@router.get("/health/live")
async def live() -> Life:
    """Whether the process answers: always, and without waiting for a thread."""
    return Life(live=True)


@router.get("/health/ready", responses={503: {"model": Readiness, "description": "Not ready"}})
def ready(backend: TheBackend, response: Response) -> Readiness:
    """Whether the database answers, what waits in it moves, and the other parts of the process
    are well."""
    problems = [*_of_store(backend), *backend.health()]
    if problems:
        response.status_code = 503
    return Readiness(ready=not problems, problems=problems)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(backend: TheBackend) -> Response:
    """What the process counts, and what waits in the database, for Prometheus."""
    _of_store(backend)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _of_store(backend: Backend) -> list[str]:
    try:
        with backend.store.reading() as reader:
            reader.asset("")  # any question: a transaction alone touches nothing
        backend.queues.look()
    except StoreUnavailable as error:
        log.warning("store unavailable", error=str(error))
        return ["the database does not answer"]
    return backend.queues.problems()

"""At which site an asset stays: entering and leaving, inferred without inventing either.

An observation says that the asset is surely inside a site, surely outside of the one where it
stays, or neither (the border is within the fix's accuracy): the last changes nothing. A change
is believed when a second observation, at least a minute after the first, says the same; then
it happened at the first one. So a single outlier, or a vehicle that drives past, makes no
visit. A read by a fixed reader needs no second one.

The first place ever known of an asset, and the first after a gap, tell where it is, not when
it came or went: such a visit begins as `seen` and not as `entered`, or ends as `lost sight`
and not as `left`.
"""

from __future__ import annotations

from typing import NamedTuple

CONFIRM_MS = 60_000  # two outliers of one moment are one outlier
GAP_MS = 86_400_000  # without any certain word for so long, a change has no known time

ENTERED, SEEN = "entered", "seen"
LEFT, LOST_SIGHT = "left", "lost_sight"


class Moment(NamedTuple):
    """An observation's place in the order of the log."""

    at: int
    key: str


class Stay(NamedTuple):
    """Where an asset is: at `site` since its first observation there, `began` as entered or as
    seen; `last` is its newest one there, `opened` the observation that decided it."""

    site: str
    since: int
    began: str
    last: int
    opened: Moment


class Turn(NamedTuple):
    """A first sign, at `at`, that an asset is at another site now, or (None) at none. `gap`:
    nothing certain was known for long before it."""

    site: str | None
    at: int
    gap: bool


class Visit(NamedTuple):
    """A stay that is over: `last` seen there, first seen elsewhere at `until`, `ended` as left
    or as out of sight, decided by the observation `closed`."""

    site: str
    since: int
    began: str
    last: int
    until: int
    ended: str
    opened: Moment
    closed: Moment


class Whereabouts(NamedTuple):
    """What is known of an asset's stays. `sure` is when something certain was last known of
    where it is (None: never), `visits` are the stays that were closed by the last step."""

    sure: int | None = None
    stay: Stay | None = None
    turn: Turn | None = None

    @property
    def site(self) -> str | None:
        """The site where the asset is, or where a first sign says that it has arrived."""
        if self.stay is not None:
            return self.stay.site
        return self.turn.site if self.turn is not None else None


NOWHERE_YET = Whereabouts()


def step(
    known: Whereabouts, site: str | None, moment: Moment, *, certain: bool = False
) -> tuple[Whereabouts, Visit | None]:
    """What is known after an observation that says surely: at `site`, or (None) at no site; and
    the visit that it ends. `certain` needs no confirmation.

    >>> inside, _ = step(NOWHERE_YET, "depot", Moment(0, "a"))
    >>> inside.stay.began
    'seen'
    >>> outlier, _ = step(inside, None, Moment(100_000, "b"))
    >>> step(outlier, "depot", Moment(200_000, "c"))[0].stay.last
    200000
    >>> step(outlier, None, Moment(200_000, "c"))[1].until
    100000
    """
    at = moment.at
    if known.sure is None:
        stay = Stay(site, at, SEEN, at, moment) if site is not None else None
        return Whereabouts(at, stay), None
    here = known.stay.site if known.stay is not None else None
    if site == here:
        stay = known.stay._replace(last=at) if known.stay is not None else None
        return Whereabouts(at, stay), None
    turn = known.turn
    if turn is None or turn.site != site:
        turn = Turn(site, at, at - known.sure > GAP_MS)
    if not certain and at - turn.at < CONFIRM_MS:
        return known._replace(turn=turn), None
    return _turned(known, turn, moment)


def _turned(known: Whereabouts, turn: Turn, moment: Moment) -> tuple[Whereabouts, Visit | None]:
    """What is known once a turn is confirmed."""
    visit = None
    if known.stay is not None:
        site, since, began, last, opened = known.stay
        ended = LOST_SIGHT if turn.gap else LEFT
        visit = Visit(site, since, began, last, turn.at, ended, opened, moment)
    stay = None
    if turn.site is not None:
        began = SEEN if turn.gap else ENTERED
        stay = Stay(turn.site, turn.at, began, moment.at, moment)
    return Whereabouts(moment.at, stay), visit

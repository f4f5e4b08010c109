"""Why a stage is believed, in words: one plain sentence, then what moved the odds, by weight. Pure.

Weights are differences of log-odds, so `exp(weight)` is how many times likelier something made
the stage than the one it is compared with; together they are the odds between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from math import exp, floor, log, log10
from typing import NamedTuple

from tracker.account import DWELL, SILENCE, Explained, Reason
from tracker.layout import Layout
from tracker.times import iso

TERMS_AT_MOST = 5
GRID = 2.0**-30  # weights are told in whole parts of this, so that they sum to the last bit
FAR_MORE = 1e6  # times: beyond, no number helps
MUCH = log(2)
SAME = 1.05  # times: below, nothing has changed
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FACTS = {
    "dispatched": "it was dispatched",
    "lease_started": "its lease began",
    "lease_ended": "its lease ended",
    "return_requested": "its return was requested",
    "return_cancelled": "its return was called off",
    "collected": "it was collected",
    "received": "it was received",
    "inspected": "it was inspected",
    "work_started": "work on it began",
    "work_done": "work on it was finished",
    "retired": "it was taken out of use",
    "reported_lost": "it was reported lost",
    "found": "it was found",
}


class Term(NamedTuple):
    """Something that moved the odds: `what` in words, and what it did to them (`weight`)."""

    what: str
    weight: float

    @property
    def effect(self) -> str:
        """The weight in words.

        >>> Term("", 4.1).effect, Term("", -0.7).effect, Term("", 0.01).effect
        ('60 times likelier', '2 times less likely', 'hardly changes anything')
        """
        if exp(min(abs(self.weight), 100)) < SAME:
            return "hardly changes anything"
        return f"{times(self.weight)} {'likelier' if self.weight > 0 else 'less likely'}"


class Explanation(NamedTuple):
    """Why `stage` is believed rather than `instead`: a sentence, and the terms behind it, whose
    weights sum to `total`, the log-odds between the two."""

    sentence: str
    stage: str
    instead: str
    total: float
    terms: list[Term]


class Told(NamedTuple):
    """What is to be explained: whether a stage is told at all, and since when (epoch ms); the
    time now, in the `zone` of whoever reads it."""

    known: bool
    since: int
    now: int
    zone: tzinfo = UTC


def explanation(why: Explained, told: Told, layout: Layout) -> Explanation:
    """An explanation in words, with the places' names.

    >>> from tracker.layout import EMPTY
    >>> read = Reason("read", "bench", 6, 30_000_000, 34_800_000, 4.1)
    >>> quiet = Reason("silence", "", 6, 30_000_000, 34_800_000, -1.0)
    >>> why = Explained("inspection", "received", 3.5, 0.4, [read, quiet])
    >>> known = explanation(why, Told(True, 34_800_000, 36_000_000), EMPTY)
    >>> known.sentence
    'Inspection since 09:40 UTC: read 6 times at bench; received is 33 times less likely'
    >>> [(term.what, term.effect) for term in known.terms]  # doctest: +NORMALIZE_WHITESPACE
    [('read 6 times at bench', '60 times likelier'),
     ('what was not heard meanwhile', '2.7 times less likely'),
     ('everything before', '1.5 times likelier')]
    """
    total = _on_grid(why.total)
    shown = [Term(worded(one, layout), _on_grid(one.weight)) for one in why.reasons]
    terms = [*shown[:TERMS_AT_MOST], Term("everything before", _on_grid(why.before))]
    rest = total - sum(term.weight for term in terms)  # exact: all lie on the grid
    if len(shown) > TERMS_AT_MOST:
        terms.append(Term("the rest", rest))
    else:  # what the grid has cut off
        terms[-1] = terms[-1]._replace(weight=terms[-1].weight + rest)
    return Explanation(_sentence(why, told, layout), why.stage, why.instead, total, terms)


def happened(why: Explained) -> bool:
    """Whether something was observed that speaks for the stage, more than time alone does."""
    lead = _lead(why)
    return lead is not None and lead.kind not in (DWELL, SILENCE)


def worded(reason: Reason, layout: Layout) -> str:
    """What happened, in words.

    >>> from tracker.layout import EMPTY
    >>> worded(Reason("fix", "", 1, 0, 0, 1.0), EMPTY)
    'located once away from all known sites'
    >>> worded(Reason("fact", "received", 1, 0, 0, 1.0), EMPTY)
    'it was received'
    """
    return _WORDS[reason.kind](reason, layout) if reason.kind in _WORDS else reason.kind


def times(weight: float) -> str:
    """How many times likelier, or less likely, a difference of log-odds makes something.

    >>> times(4.1), times(-0.5), times(7), times(40)
    ('60 times', '1.6 times', '1,100 times', 'more than a million times')
    """
    ratio = exp(min(abs(weight), 100))
    if ratio > FAR_MORE:
        return "more than a million times"
    if ratio < 10:
        return f"{ratio:.2g} times"
    unit = 10 ** (floor(log10(ratio)) - 1)
    return f"{round(ratio / unit) * unit:,} times"


def stage_words(stage: str) -> str:
    """A stage as people write it.

    >>> stage_words("return_requested")
    'return requested'
    """
    return stage.replace("_", " ")


def _sentence(why: Explained, told: Told, layout: Layout) -> str:
    since, stage = clock(told.since, told), stage_words(why.stage)
    odds = f"{stage_words(why.instead)} is {_odds(why.total)}"
    if not told.known:
        return f"Not sure since {since}: perhaps {stage}; {odds}"
    lead = _lead(why)
    place = _bench(lead, why.stage, layout) if lead is not None else None
    if lead is None or place is None or why.total <= 0:
        because = _PASSIVE.get(lead.kind) or worded(lead, layout) if lead else _BEFORE
        return f"{stage.capitalize()} since {since}: {because}; {odds}"
    since = clock(min(told.since, lead.first), told)
    stray = f"a stray read is {_odds(lead.weight)}"
    return f"At {place} since {since}: {_often('read', lead.often)}; {stray}"


def _lead(why: Explained) -> Reason | None:
    """What a sentence tells of: what speaks most for the stage. Rather than how long stages last,
    which nobody has seen, something that happened, if it says anything much; and rather than
    silence what a person stated, who looks for that."""
    speaking = sorted(why.reasons, key=lambda one: -one.weight)
    happened = [one for one in speaking if one.kind != DWELL and one.weight >= MUCH]
    if happened and happened[0].kind == SILENCE:
        happened = [one for one in happened if one.kind == "fact"] + happened
    return next((one for one in (*happened, *speaking) if one.weight > 0), None)


def _odds(weight: float) -> str:
    """How likely something else is, where this is the log-odds against it."""
    if exp(min(abs(weight), 100)) < SAME:
        return "about as likely"
    return f"{times(weight)} less likely" if weight > 0 else f"by now {times(weight)} likelier"


def _bench(lead: Reason, stage: str, layout: Layout) -> str | None:
    """The zone of the leading reads, where it is the one of the stage."""
    if lead.kind != "read":
        return None
    zone = layout.zone(lead.what, lead.last)
    return _zone(lead, layout) if zone is not None and zone.stage == stage else None


def clock(at: int, told: Told) -> str:
    """A time of the day, with its date where that is not today's."""
    try:
        local, today = (
            (_EPOCH + timedelta(milliseconds=ms)).astimezone(told.zone) for ms in (at, told.now)
        )
    except OverflowError:
        return iso(at)
    day = "" if local.date() == today.date() else f"{local.day} {local:%B %Y}, "
    return f"{day}{local:%H:%M %Z}"


def _on_grid(weight: float) -> float:
    return round(weight / GRID) * GRID


def _often(did: str, often: int) -> str:
    return f"{did} once" if often == 1 else f"{did} {often:,} times"


def _zone(reason: Reason, layout: Layout) -> str:
    """A zone, which has an id alone, and the name of its site."""
    zone = layout.zone(reason.what, reason.last)
    named = site_name(zone.site, reason.last, layout) if zone is not None else ""
    return f"{reason.what} ({named})" if zone is not None and named != zone.site else reason.what


def site_name(site: str, at: int, layout: Layout) -> str:
    """What people call a site; its id, where it has no name."""
    found = layout.site(site, at)
    return (found.name if found is not None else "") or site


def _fix(reason: Reason, layout: Layout) -> str:
    here = site_name(reason.what, reason.last, layout)
    where = f"at {here}" if reason.what else "away from all known sites"
    return f"{_often('located', reason.often)} {where}"


def _fact(reason: Reason, _: Layout) -> str:
    what = FACTS.get(reason.what, stage_words(reason.what))
    return what if reason.often == 1 else _often(what, reason.often)


_WORDS: Mapping[str, Callable[[Reason, Layout], str]] = {
    "read": lambda one, layout: f"{_often('read', one.often)} at {_zone(one, layout)}",
    "passage": lambda one, layout: f"{_often('passed', one.often)} at {_zone(one, layout)}",
    "fix": _fix,
    "report": lambda one, _: f"its tracker {one.what} reported {_times(one.often)}",
    "no fix": lambda one, _: f"its tracker {one.what} reported {_times(one.often)} without a place",
    "fact": _fact,
    SILENCE: lambda *_: "what was not heard meanwhile",
    DWELL: lambda *_: "how long stages usually last",
}
_BEFORE = "by all that was known before"
_PASSIVE = {SILENCE: "by what was not heard since", DWELL: "by how long stages usually last"}


def _times(often: int) -> str:
    return "once" if often == 1 else f"{often:,} times"

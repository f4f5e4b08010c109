"""What is asked of lines under way: how likely each comes back late, when it will be back, and why.
Answered from one reading transaction, by the stage model and by what earlier lines have taught."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tracker.chain import Array
from tracker.explain import Told, clock, stage_words
from tracker.fold import Belief
from tracker.inference import Setting
from tracker.lateness import Course, Lateness, Passage
from tracker.leases import HOUR_MS, Lease, Line
from tracker.model import Asset
from tracker.overdue import OUT, WITH_CUSTOMER, Entered, Return, back
from tracker.pace import Pace, Spell, learned, spells
from tracker.ports import Reader
from tracker.present import known
from tracker.process import Process
from tracker.punctuality import Customers, Punctuality, customers
from tracker.stage import begin, predicted

TAUGHT_MS = 365 * 24 * HOUR_MS  # lines that began before that teach nothing: customers change
PAGE = 1_000
PLACES = 4  # decimal ones: what lies beyond depends on which other lines are worked out with one


class Learned(NamedTuple):
    """What earlier lines have taught: how fast stages go by class, how punctual customers are."""

    paces: Mapping[str, Pace] = {}
    customers: Customers = Customers()


class Expected(NamedTuple):
    """A line under way at `now`: how likely it comes back late (`p`), by when it is back with a
    probability of .1, .5 and .9 (epoch ms; None: beyond sight), the stage that its asset is told
    to be in and since when, and what is known of the customer."""

    lease: Lease
    line: Line
    now: int
    p: float
    back: tuple[int | None, int | None, int | None]
    stage: str | None
    since: int | None
    customer: Punctuality

    @property
    def place(self) -> tuple[float, str]:
        """Where it stands among others, the likeliest first."""
        return -self.p, self.line.name

    @property
    def deadline(self) -> int:
        """When it is late."""
        return self.line.due_at + self.lease.grace_ms

    @property
    def sentence(self) -> str:
        """Why, in a sentence, in the lease's time zone."""
        told = Told(True, self.now, self.now, ZoneInfo(self.lease.timezone))
        if self.stage is None or self.since is None:
            words = "Its stage is not known"
        else:
            words = f"{stage_words(self.stage).capitalize()} since {clock(self.since, told)}"
        words += f"; late from {clock(self.deadline, told)} on"
        expected = self.back[1]
        words += f", probably back by {clock(expected, told)}" if expected is not None else ""
        who = self.customer
        if who.lines:
            words += f"; {who.late} of {who.lines} lines of {self.lease.customer} that fell due "
            words += f"were late, where {who.expected:.1f} were to be expected"
        return words


class _Known(NamedTuple):
    """A line that has begun, what was told of its asset, and when it was back."""

    lease: Lease
    line: Line
    asset: Asset
    entered: Sequence[Entered]
    came: Return | None

    @property
    def deadline(self) -> int:
        return self.line.due_at + self.lease.grace_ms

    @property
    def over(self) -> int | None:
        """When it was back, or ended on paper; None: it is still under way."""
        ended = self.line.ended.at if self.line.ended is not None else None
        return self.came.at if self.came is not None else ended


def learn(reader: Reader, now: int) -> Learned:
    """What the lines teach that began in the year before `now`, over or not."""
    lines = _lines(reader, now, lambda line: line.start_at > now - TAUGHT_MS and not _void(line))
    paces, due = dict[str, Pace](), defaultdict[str, list[tuple[float, bool]]](list)
    for process, some in _by_process(reader, lines):
        passage = Passage(process)
        pace = learned(passage.chain, [(one.line, _spells(one, now)) for one in some])
        paces[some[0].asset.class_] = pace
        fell_due = [one for one in some if one.deadline <= now]
        courses = [_from_start(one, passage) for one in fell_due]
        for one, found in zip(fell_due, passage.late_each(courses, pace, sight_h=1), strict=True):
            late = one.over is None or one.over > one.deadline
            due[one.lease.customer].append((found.p, late))
    return Learned(paces, customers(due))


def late_lines(
    reader: Reader, now: int, taught: Learned, customer: str | None = None
) -> list[Expected]:
    """Every line (of a customer) that is under way at `now`, by how likely it is late, the
    likeliest first."""
    lines = _lines(reader, now, lambda line: line.ended is None, customer)
    under_way = [one for one in lines if one.came is None]
    found = [
        expected
        for process, some in _by_process(reader, under_way)
        for expected in _expected(reader, process, some, taught, now)
    ]
    return sorted(found, key=lambda one: one.place)


def expected(
    reader: Reader, now: int, taught: Learned, lines: Sequence[tuple[Lease, Line]]
) -> dict[str, Expected]:
    """What is to be expected of some lines under way, by their names."""
    return {
        one.line.name: one
        for process, some in _by_process(reader, _known_of(reader, lines))
        for one in _expected(reader, process, some, taught, now)
    }


def _lines(
    reader: Reader, now: int, wanted: Callable[[Line], bool], customer: str | None = None
) -> list[_Known]:
    """Those of registered assets that have begun."""
    lines = [
        (lease, line)
        for lease in _leases(reader, customer)
        for line in lease.lines
        if line.asset is not None and line.start_at <= now and wanted(line)
    ]
    return _known_of(reader, lines)


def _known_of(reader: Reader, lines: Sequence[tuple[Lease, Line]]) -> list[_Known]:
    """Those of registered assets, with what was told of them."""
    assets = reader.assets_by_id(sorted({line.asset for _, line in lines if line.asset}))
    changes = reader.entered(assets)
    told = {
        asset: [Entered(stage, at) for _, stage, at in changes.get(asset, ())] for asset in assets
    }
    of_asset = defaultdict[str, list[Line]](list)
    for _, line in lines:
        of_asset[line.asset or ""].append(line)
    return [
        _Known(lease, line, assets[line.asset], told[line.asset], came)
        for lease, line in lines
        if line.asset in assets
        for came in [back(line, told[line.asset], (), of_asset[line.asset])]
    ]


def _leases(reader: Reader, customer: str | None) -> Iterator[Lease]:
    after = ""
    while page := reader.leases(after, PAGE, customer):
        yield from page
        after = page[-1].id


def _by_process(
    reader: Reader, lines: Sequence[_Known]
) -> Iterator[tuple[Process, Sequence[_Known]]]:
    """Lines by the class of their assets, with the process that it follows."""
    classes = defaultdict[str, list[_Known]](list)
    for one in lines:
        classes[one.asset.class_].append(one)
    for name, some in classes.items():
        yield reader.inference().process_of(name), some


def _void(line: Line) -> bool:
    """Whether a line came to nothing: how it ended tells nothing of how long others last."""
    return line.ended is not None and line.ended.how != "returned"


def _spells(one: _Known, now: int) -> list[Spell]:
    until = now if one.over is None else min(now, one.over)
    return spells(one.line, [told for told in one.entered if told.at <= until], until)


def _from_start(one: _Known, passage: Passage) -> Course:
    """A line as it began: its use begins with it."""
    use, start = WITH_CUSTOMER[0], one.line.start_at
    p = passage.chain.start(use)
    return Course(p, use, start, True, start, start, one.line.due_at, one.deadline)


def _expected(
    reader: Reader, process: Process, lines: Sequence[_Known], taught: Learned, now: int
) -> Iterator[Expected]:
    passage = Passage(process)
    pace = taught.paces.get(lines[0].asset.class_, Pace.of(passage.chain))
    courses = [
        course
        for n in range(0, len(lines), PAGE)
        for course in _courses(reader, lines[n : n + PAGE], now)
    ]
    for one, course, found in zip(lines, courses, passage.late_each(courses, pace), strict=True):
        customer = taught.customers.of(one.lease.customer)
        yield Expected(
            one.lease,
            one.line,
            course.now,
            round(customer.late_with(found.p), PLACES),
            _times(found, course.now),
            course.stage,
            course.since if course.stage is not None else None,
            customer,
        )


def _times(found: Lateness, now: int) -> tuple[int | None, int | None, int | None]:
    low, middle, high = (None if h is None else now + h * HOUR_MS for h in found.hours)
    return low, middle, high


def _courses(reader: Reader, lines: Sequence[_Known], now: int) -> Iterator[Course]:
    ids = sorted({one.asset.id for one in lines})
    settings, beliefs, presents = reader.settings(ids), reader.beliefs(ids), reader.presents(ids)
    for one in lines:
        id, line = one.asset.id, one.line
        at = now - (presents[id].behind if id in presents else 0)
        p = _believed(settings[id], beliefs.get(id), at)
        told = [entered for entered in one.entered if entered.stage is not None]
        last = told[-1] if told else Entered(None, 0)
        out = last.stage in OUT or any(
            stage in OUT and since >= line.start_at for stage, since in told
        )
        yield Course(p, *last, out, at, line.start_at, line.due_at, one.deadline)


def _believed(setting: Setting, belief: Belief | None, at: int) -> Array:
    """The probabilities of the states of the untracked chain (one row) at a time."""
    case, evidence = setting
    if belief is None:
        p = begin(evidence, case, at).row()
    else:
        p = predicted(known(belief), case, evidence, max(at, belief.at))
    return p.reshape(-1, 2).sum(axis=1)[None, :] if evidence.chain.tracked else p.copy()

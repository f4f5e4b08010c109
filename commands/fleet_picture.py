"""A fleet's figures drawn as SVG: how soon assets come back, in which stages they spend their time,
how often each class turns. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from commands.curves import LEFT, RIGHT, TOP, WIDTH, Axes, svg
from commands.picture import text_of
from tracker.alerts import DAY_MS
from tracker.asset_ports import UNKNOWN
from tracker.explain import stage_words
from tracker.fleet import Group
from tracker.kpi import TURNS

ROW, BAR = 20.0, 18.0  # pixels: of a line below curves; of a bar
LINES = 8  # curves at most: as many as there are shades
STEPS_D = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 7, 14, 30, 60, 90, 180, 365, 730)
LETTERS = 26  # of a name
ALL = "all"


def return_curves(groups: Sequence[Group]) -> str:
    """The curves of some groups, with how many were at risk below; of many, the largest cohorts."""
    sent = [one for one in groups if one.curve.sent]
    drawn = sorted(sent, key=lambda one: -one.curve.sent)[:LINES]
    if not drawn:
        return "<p>Nothing was sent out in the period.</p>"
    days = max(max(one.curve.reach for one in drawn) / DAY_MS, STEPS_D[0])
    axes = Axes(days, "days out", STEPS_D)
    below = axes.bottom + 44
    parts = [*axes.drawn(), f'<text class="last" x="{LEFT - 8:.1f}" y="{below:.1f}">at risk</text>']
    for n, one in enumerate(drawn):
        parts += [_curve(one, n, axes), *_at_risk(one, n, axes)]
    height = below + 18 + ROW * len(drawn)
    more = f"<p>The {LINES} largest of {len(sent)} cohorts.</p>" if len(sent) > LINES else ""
    return svg(height, "The share that is back, by age", parts) + more


def _curve(group: Group, n: int, axes: Axes) -> str:
    """Steps, up to the greatest age that was seen."""
    steps = [(step.age / DAY_MS, step.share) for step in group.curve.steps]
    return axes.steps([(0.0, 0.0), *steps], group.curve.reach / DAY_MS, f"c{n}")


def _at_risk(group: Group, n: int, axes: Axes) -> Iterator[str]:
    y, name = axes.bottom + 64 + ROW * n, short(group.key)
    yield f'<rect class="s{n}" x="14" y="{y - 9:.1f}" width="10" height="10"/>'
    yield f'<text x="32" y="{y:.1f}">{text_of(name)}</text>'
    for mark in axes.marks():
        number = group.curve.at_risk(int(mark * DAY_MS))
        yield f'<text class="scale risk" x="{axes.x(mark):.1f}" y="{y:.1f}">{number:,}</text>'


def short(key: str | None) -> str:
    """A group's name, cut where it would reach into the picture.

    >>> short(None), short("pallet"), short("the-very-long-name-of-one-site")
    ('all', 'pallet', 'the-very-long-name-of-one…')
    """
    name = ALL if key is None else key
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"


def time_in_stages(classes: Sequence[Group]) -> str:
    """A bar for each stage: its share of all assets' time."""
    lengths = defaultdict[str | None, int](int)
    for group in classes:
        for stage, ms in group.stages:
            lengths[stage] += ms
    total = sum(lengths.values())
    if not total:
        return "<p>Not known: nothing was observed, or it was asked by site or partner.</p>"
    order = sorted(lengths.items(), key=lambda one: -one[1])
    bars = [
        (stage_words(stage or UNKNOWN), ms, f"{100 * ms / total:.1f} %, {ms / DAY_MS:,.1f} days")
        for stage, ms in order
    ]
    return _bars("Time in each stage", bars)


def turns_by_class(classes: Sequence[Group]) -> str:
    """A bar for each class: how often a year an asset of it goes out."""
    found = [
        (short(group.key), one.value, f"{one.value:.3g} per year")
        for group in classes
        for one in group.figures
        if one.measure == TURNS and one.value is not None
    ]
    if not found:
        return "<p>Not known: no asset was in the pool, or it was asked by site or partner.</p>"
    return _bars("Turns by class", found)


def _bars(title: str, bars: Sequence[tuple[str, float, str]]) -> str:
    """Bars from the left, with words on either side."""
    most = max(value for _, value, _ in bars) or 1.0
    parts = list[str]()
    for n, (name, value, words) in enumerate(bars):
        y, wide = TOP + n * (BAR + 8), value / most * (WIDTH - LEFT - RIGHT - 50)
        parts += [
            f'<text class="last" x="{LEFT - 8:.1f}" y="{y + 13:.1f}">{text_of(name)}</text>',
            f'<rect class="s0 amount" x="{LEFT:.1f}" y="{y:.1f}" width="{wide:.1f}" '
            f'height="{BAR:.1f}"/>',
            f'<text x="{LEFT + wide + 8:.1f}" y="{y + 13:.1f}">{text_of(words)}</text>',
        ]
    return svg(TOP * 2 + len(bars) * (BAR + 8) - 8, title, parts)

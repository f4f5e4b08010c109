"""`retour report fleet`: a fleet's figures on a page that needs nothing from elsewhere."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Annotated

import typer

from commands.asking import Since, Until, opened
from commands.page import STYLE
from commands.show import AsJson, UserError, count, legible, out, show
from tracker.kpi import Figure, Period, Pool, Story, returned_by, turns
from tracker.stamps import DAY
from tracker.stories import Asked, By, grouped, stories_of, told
from tracker.times import iso

USUAL_DAYS = 90
WIDTH, HEIGHT, LEFT, FOOT = 900, 240, 110, 24
STAGES_SHOWN = 14
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
<h1>{title}</h1>
<dl><div><dt>from</dt><dd>{since}</dd></div><div><dt>to</dt><dd>{until}</dd></div>
<div><dt>assets</dt><dd>{assets}</dd></div></dl>
<h2>How much is back after how many days</h2>
{curve}
<p class="legend">Kaplan-Meier: assets that are still out count as long as they were out.</p>
<h2>Where the time goes</h2>
{stages}
<h2>How often each goes out in a year</h2>
{turns}
{tables}
<footer>Times are UTC. Drawn by Retour, {now}.</footer>
</html>
"""


def report_fleet(
    file: Annotated[
        Path, typer.Option("--html", help="The page to write.", show_default=True)
    ] = Path("fleet.html"),
    table: Annotated[Path | None, typer.Option("--csv", help="A table to write too.")] = None,
    since: Since = None,
    until: Until = None,
    by: Annotated[By | None, typer.Option(help="Apart for each class, site or partner.")] = None,
    class_: Annotated[str | None, typer.Option("--class", help="Only of this class.")] = None,
    site: Annotated[str | None, typer.Option(help="Only of assets whose home it is.")] = None,
    partner: Annotated[str | None, typer.Option(help="Only what this partner had.")] = None,
    safety_stock: Annotated[float, typer.Option(help="Assets kept in reserve.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Work out a fleet's figures in a period (the last 90 days), each with its formula.

    Example: retour report fleet --by class --html fleet.html --csv fleet.csv
    """
    store, now = opened()
    end = now if until is None else until
    period = Period(end - USUAL_DAYS * DAY if since is None else since, end)
    if period.since >= period.until:
        raise UserError("--from lies at or after --to")
    with store.reading() as reader:
        stories = [*stories_of(reader, Asked(class_, site, partner))]
    groups = told(stories, period, by, safety_stock)
    if as_json:
        shown = {name: [one._asdict() for one in some] for name, some in groups.items()}
        show(shown, as_json=True)
        return
    file.write_text(page(stories, period, by, groups, now), encoding="utf-8")
    if table is not None:
        _write(table, groups)
    out.print(f"{file} tells of {count(len(stories), 'asset')}", markup=False, highlight=False)


def page(
    stories: Sequence[Story],
    period: Period,
    by: By | None,
    groups: Mapping[str, Sequence[Figure]],
    now: int,
) -> str:
    """The page, as HTML."""
    pool = Pool.of(stories, period)
    times = {
        stage or "unknown": pool.time_in([stage]) / DAY
        for stage in {spell.stage for story in stories for spell in story.spells}
    }
    most = dict(sorted(times.items(), key=lambda one: -one[1])[:STAGES_SHOWN])
    apart = grouped(stories, by or By.CLASS)
    turning = {name: turns(Pool.of(some, period)).value or 0.0 for name, some in apart.items()}
    return PAGE.format(
        title="The fleet's figures",
        style=STYLE,
        since=legible(iso(period.since)),
        until=legible(iso(period.until)),
        assets=len(stories),
        curve=_curve(returned_by(pool.sent, period.until)),
        stages=_bars(most, "days"),
        turns=_bars(turning, "a year"),
        tables="".join(_table(name, figures) for name, figures in groups.items()),
        now=legible(iso(now)),
    )


def _curve(points: Sequence[tuple[float, float, float]]) -> str:
    """The share that is back by age, and how many were still waited for."""
    if not points:
        return "<p>Nothing came back yet.</p>"
    longest = max(points[-1][0], 1.0)
    width, height = WIDTH - LEFT - 20, HEIGHT - FOOT - 16

    def place(days: float, back: float) -> str:
        return f"{LEFT + width * days / longest:.1f},{16 + height * (1 - back):.1f}"

    steps, before = [place(0, 0)], 0.0
    for days, out_, _ in points:
        steps += [place(days, before), place(days, 1 - out_)]
        before = 1 - out_
    lines = "".join(
        f'<path class="grid" d="M{place(0, s / 4)} L{place(longest, s / 4)}"/>'
        f'<text x="8" y="{20 + height * (1 - s / 4):.0f}">{s * 25} %</text>'
        for s in range(5)
    )
    marks = "".join(
        f'<text x="{LEFT + width * n / 4:.0f}" y="{HEIGHT - 6}">{longest * n / 4:.0f} days, '
        f"{_waiting(points, longest * n / 4):.0f} out</text>"
        for n in range(4)
    )
    drawn = f'{lines}<path class="way" d="M{" L".join(steps)}"/>{marks}'
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}">{drawn}</svg>'


def _waiting(points: Sequence[tuple[float, float, float]], days: float) -> float:
    return next((left for at, _, left in points if at >= days), points[-1][2])


def _bars(values: Mapping[str, float], unit: str) -> str:
    if not values:
        return "<p>Nothing is known.</p>"
    most, rows = max(*values.values(), 1e-9), []
    for n, (name, value) in enumerate(values.items()):
        y, long = 8 + n * 26, (WIDTH - LEFT - 120) * value / most
        rows.append(
            f'<text x="8" y="{y + 14}">{escape(name)}</text>'
            f'<rect class="s0" x="{LEFT}" y="{y}" width="{long:.1f}" height="18"/>'
            f'<text x="{LEFT + long + 8:.1f}" y="{y + 14}">{value:,.1f} {unit}</text>'
        )
    return f'<svg viewBox="0 0 {WIDTH} {16 + 26 * len(values)}">{"".join(rows)}</svg>'


def _table(name: str, figures: Sequence[Figure]) -> str:
    rows = "".join(
        f"<tr><td>{escape(one.name.replace('_', ' '))}</td><td>{_value(one)}</td>"
        f"<td>{one.of:,.0f}</td><td>{escape(one.formula)}</td></tr>"
        for one in figures
    )
    head = "<tr><th>figure</th><th>value</th><th>of</th><th>formula</th></tr>"
    return f'<h2>{escape(name)}</h2><div class="wide"><table>{head}{rows}</table></div>'


def _value(one: Figure) -> str:
    if one.value is None:
        return f"not known: {escape(one.but or '')}"
    return f"{one.value:,.2f} {one.unit}" if one.unit else f"{one.value:.1%}"


def _write(file: Path, groups: Mapping[str, Sequence[Figure]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as target:
        table = csv.writer(target)
        table.writerow(["group", *Figure._fields])
        table.writerows([name, *one] for name, some in groups.items() for one in some)

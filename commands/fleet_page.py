"""The page of a fleet's figures: pictures, and each figure with its formula beside it."""

from __future__ import annotations

from commands.curves import CURVE_STYLE
from commands.fleet_picture import ALL, return_curves, time_in_stages, turns_by_class
from commands.page import FOOT, HEAD, STYLE
from commands.picture import text_of
from commands.show import legible
from tracker.fleet import Group, Report
from tracker.kpi import SHARE, TURNS, UTILISATION, Figure
from tracker.times import iso

FLEET_STYLE = """
.s1 { fill: #e8632a; } .s2 { fill: #23845a; } .s3 { fill: #9448b0; }
.s4 { fill: #b8860b; } .s5 { fill: #cc3d71; } .s6 { fill: #1f8a99; } .s7 { fill: #7a8896; }
td.words { white-space: normal; min-width: 16em; }
.none { color: var(--soft); }
"""
PAGE = (
    HEAD
    + """<h2>How soon it comes back</h2>
{curves}
<p class="legend">Of what was sent out in the period, the share that is back by an age: 1 - product
over the ages at which something came back of (1 - back / at risk). What is still out is at risk up
to its age, and then censored (Kaplan-Meier).</p>
<h2>Where its time goes</h2>
{stages}
<p class="legend">Time in each stage / time of all assets within the period. {utilisation}</p>
<h2>How often it turns</h2>
{turns}
<p class="legend">{formula}</p>
{tables}
"""
    + FOOT
)


def fleet_page(report: Report, now: int) -> str:
    """The page of a report. It loads nothing."""
    return PAGE.format(
        title="Figures of the fleet",
        style=STYLE + CURVE_STYLE + FLEET_STYLE,
        facts="".join(
            f"<div><dt>{name}</dt><dd>{text_of(value)}</dd></div>"
            for name, value in _facts(report).items()
        ),
        curves=return_curves(report.groups),
        stages=time_in_stages(report.classes()),
        utilisation=text_of(f"Utilisation: {UTILISATION.formula}."),
        turns=turns_by_class(report.classes()),
        formula=text_of(f"Turns: {TURNS.formula}."),
        tables="\n".join(_table(group) for group in report.groups),
        now=legible(iso(now)),
    )


def _facts(report: Report) -> dict[str, str]:
    asked = report.asked
    chosen = {"Class": asked.class_, "Site": asked.site, "Partner": asked.partner, "By": asked.by}
    return {
        "From": legible(iso(report.period.since)),
        "To": legible(iso(report.period.until)),
        "Days": f"{report.period.days:,.1f}",
        **{name: str(value) for name, value in chosen.items() if value is not None},
        **({"Waiting to be folded again": f"{report.stale:,}"} if report.stale else {}),
    }


def _table(group: Group) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("Figure", "Value", "Counts", "Formula"))
    rows = "".join(_row(one) for one in group.figures)
    name = text_of(ALL if group.key is None else group.key).capitalize()
    return f'<h2>{name}</h2>\n<div class="wide"><table><tr>{head}</tr>{rows}</table></div>'


def _row(figure: Figure) -> str:
    words = words_of(figure)
    value = text_of(f"not known: {figure.why}" if words is None else words)
    kind = ' class="words none"' if words is None else ""
    return (
        f"<tr><td>{text_of(title_of(figure))}</td><td{kind}>{value}</td>"
        f'<td>{text_of(counts_of(figure))}</td><td class="words">'
        f"{text_of(figure.measure.formula)}</td></tr>"
    )


def title_of(figure: Figure) -> str:
    """A figure's name for people: `pool_return_rate_30d` is `Pool return rate 30d`."""
    return figure.measure.name.replace("_", " ").capitalize()


def words_of(figure: Figure) -> str | None:
    """A figure for people; None: it cannot be told."""
    if figure.value is None:
        return None
    if figure.measure.unit == SHARE:
        return f"{100 * figure.value:.1f} %"
    return f"{round(figure.value, 2):,.15g} {figure.measure.unit}"


def counts_of(figure: Figure) -> str:
    """The two numbers that a figure rests on, as far as they are known."""
    numbers = (figure.numerator, figure.denominator)
    known = [f"{round(one, 2):,.15g}" for one in numbers if one is not None]
    return " / ".join(known)

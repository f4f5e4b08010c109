"""Alerts that no rule, or no line, stands behind any more; on both stores."""

from dataclasses import replace

from tests.tracker import test_stores, test_watching
from tracker.audit import Act
from tracker.govern import govern
from tracker.lease_record import Step, write
from tracker.leases import HOUR_MS
from tracker.rules import read_rules

open_store, db = test_stores.open_store, test_watching.db
look = test_watching.look
DAY = 24 * HOUR_MS


def overdue(db, make):
    """What is overdue; when that was told."""
    look(db, make.NOW)
    deadline = make.NOW + DAY + HOUR_MS
    assert len(look(db, deadline)[1]) == 3
    return deadline


def change(db, now, lease, **changes):
    with db.store.writing() as tx:
        before = tx.leases_by_id([lease])[lease]
        write(tx, Act("ann", now, 0), [Step("change", before, replace(before, **changes), ())])


def test_a_line_that_has_another_asset_is_no_more_overdue_with_the_first(db, make):
    now = overdue(db, make)
    before = db.ask(lambda reader: reader.lease("L-A0"))
    line = replace(before.lines[0], asset="A9")
    change(db, now + 1, "L-A0", lines=(line,))
    assert look(db, now + 1)[1] == [("A0", "overdue", "resolved")]


def test_a_lease_that_its_rule_is_not_about_any_more_is_not_overdue(db, make):
    rules = read_rules("rules: [{id: overdue, kind: overdue, sites: [cust-1]}]")
    db.do(govern, rules, Act("ann", make.NOW, 0))
    now = overdue(db, make)
    change(db, now + 1, "L-A0", sites=("depot",))
    assert look(db, now + 1)[1] == [("A0", "overdue", "resolved")]


def test_alerts_of_a_rule_that_is_no_more_are_over(db, make):
    now = overdue(db, make)
    rules = read_rules("rules: [{id: late, kind: overdue}]")
    db.do(govern, rules, Act("ann", now + 1, 0))
    told = look(db, now + 1)[1]
    assert sorted(told) == sorted(
        (f"A{n}", *one) for n in range(3) for one in (("overdue", "resolved"), ("late", "opened"))
    )


def test_a_new_rule_is_looked_at_at_once(db, make):
    look(db, make.NOW)
    rules = read_rules("rules: [{id: stays, kind: dwell, stages: [in_use], after: 1 h}]")
    db.do(govern, rules, Act("ann", make.NOW + 5, 0))
    look(db, make.NOW + 5)
    assert len(look(db, make.NOW + HOUR_MS)[1]) == 3

"""Rules in use: what is stored, what is refused, and who changed what."""

import pytest

from tracker.arrange import arrange
from tracker.audit import Act
from tracker.govern import govern
from tracker.places import Site
from tracker.registry import Unregistered
from tracker.rules import as_json, read_rules, shipped

ACT = Act("terminal somebody", 1_790_000_000_000, 1_790_000_000_001)
OWN = "rules: [{id: late, kind: overdue}, {id: waits, kind: dwell, stages: [repair], after: 1 d}]"


def changes(db):
    with db.store.reading() as tx:
        return [change for _, change in tx.changes(None, 10, "rules")]


def rules_of(db):
    with db.store.reading() as tx:
        return tx.rules()


def test_the_users_rules_are_in_force_in_place_of_the_shipped_ones(db):
    assert rules_of(db) == shipped()
    assert db.do(govern, read_rules(OWN), ACT)
    assert rules_of(db) == read_rules(OWN)


def test_the_same_again_changes_nothing(db):
    assert not db.do(govern, shipped(), ACT)
    assert db.do(govern, read_rules(OWN), ACT)
    assert not db.do(govern, read_rules(OWN), ACT)
    assert len(changes(db)) == 1


def test_the_audit_log_tells_who_and_what(db):
    db.do(govern, read_rules(OWN), ACT)
    db.do(govern, read_rules(OWN.replace("1 d", "2 d")), ACT)
    later, first = changes(db)
    assert (first.by, first.at, first.action) == (ACT.by, ACT.wall, "change")
    assert (first.before, later.before) == (as_json(shipped()), first.after)
    assert later.after["rules"][1]["after"] == "2 d"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[repair]", "[repare]", r"rule waits: there is no stage repare \(did you mean 'repair'"),
        ("overdue", "overdue, sites: [yord]", r"rule late: there is no site yord \(did you mean"),
    ],
)
def test_a_rule_about_what_there_is_not_is_refused_and_stores_nothing(db, old, new, told):
    db.do(arrange, Site(id="yard"))
    with pytest.raises(Unregistered, match=told):
        db.do(govern, read_rules(OWN.replace(old, new)), ACT)
    assert (rules_of(db), changes(db)) == (shipped(), [])


def test_a_site_that_there_is_may_be_named(db):
    db.do(arrange, Site(id="yard"))
    assert db.do(govern, read_rules(OWN.replace("overdue", "overdue, sites: [yard]")), ACT)

"""Partners and leases as they are stated: what is stored, what is refused, and what stays."""

from datetime import date

import pytest

from tracker.arrange import arrange, give_up
from tracker.audit import Act
from tracker.exporter import export_world
from tracker.facts import fact_of, note, state
from tracker.lease_book import LeasesRefused, save_lease, save_leases, save_partner
from tracker.lease_lines import Event, extend, give_back, hand_over
from tracker.lease_terms import Lease as Terms
from tracker.leases import End, Partner, ends_at
from tracker.model import Asset
from tracker.places import WEEK, Site
from tracker.registry import Conflict, Outdated, Unregistered, save_asset
from tracker.stamps import StampPolicy

NOON = 1_767_614_400_000  # 2026-01-05T12:00:00Z
DAY = 86_400_000
ACT = Act("me", NOON, NOON + 1)


def at(days):
    """The act of somebody so many days later."""
    return Act("me", NOON + days * DAY, NOON + 1)


@pytest.fixture
def book(db):
    """A database with two customers, their sites, a depot and three pallets."""
    with db.store.writing() as tx:
        arrange(tx, Site(id="depot", kind="depot", timezone="Europe/Amsterdam"))
        arrange(tx, Site(id="shop", kind="customer", open_days=WEEK[:5], timezone="Asia/Tokyo"))
        arrange(tx, Site(id="yard", kind="customer"))
        for id in ("A1", "A2", "A3"):
            save_asset(tx, Asset(id, "pallet"))
        save_asset(tx, Asset("B1", "box"))
        save_partner(tx, Partner("acme", "Acme", "customer", ("shop",)), ACT)
        save_partner(tx, Partner("bolt", "Bolt", "customer"), ACT)
    return db


def terms(id="L1", *lines, **said):
    if not lines:
        lines = ({"asset": "A1", "from": "2026-01-05", "due": "2026-02-02"},)
    fields = {"customer": "acme", "site": "yard"} | said
    return Terms.model_validate({"id": id, "lines": list(lines), **fields})


def line(asset="A1", start="2026-01-05", due="2026-02-02", **said):
    return {"asset": asset, "from": start, "due": due, **said}


def save(db, *stated, act=ACT):
    return db.do(save_leases, stated, act)


def stored(db, id="L1"):
    return db.ask(lambda tx: tx.lease(id))


def agreed(db, id="L1"):
    return [(a.line, a.kind, a.body) for a in db.ask(lambda tx: tx.agreements(id))]


def facts(db, *told, act=ACT):
    """State facts of an asset, each a kind and a day after noon."""
    fields = [
        {"id": f"{asset} {kind} {day}", "asset": asset, "kind": kind, "at": NOON + int(day * DAY)}
        for asset, kind, day in told
    ]
    with db.store.writing() as tx:
        done = state(tx, [fact_of(one) for one in fields], StampPolicy(), act.now)
        note(tx, act, done)


def dump(db):
    """All that saving leases may change."""
    with db.store.reading() as tx:
        leases = tx.leases("", 100)
        return (
            leases,
            [tx.agreements(lease.id) for lease in leases],
            tx.partners(),
            tx.changes(None, 1_000),
            tx.timers_of(["A1", "A2", "A3", "B1"]),
        )


class TestPartners:
    def test_a_partner_is_kept_and_said_again_is_the_same(self, book):
        known = book.ask(lambda tx: tx.partners())
        assert known["acme"] == Partner("acme", "Acme", "customer", ("shop",), 1)
        before = dump(book)
        book.do(save_partner, known["acme"], at(1))
        assert dump(book) == before

    def test_a_change_has_a_version_and_its_line_in_the_audit_log(self, book):
        saved = book.do(save_partner, Partner("acme", "Acme Foods"), ACT, 1)
        assert saved.version == 2
        _, told = book.ask(lambda tx: tx.changes(None, 1))[0]
        assert (told.kind, told.subject, told.action) == ("partner", "acme", "change")
        assert (told.before["name"], told.after["name"]) == ("Acme", "Acme Foods")

    def test_what_cannot_be_is_refused(self, book):
        with pytest.raises(Outdated, match="at version 1 now"):
            book.do(save_partner, Partner("acme"), ACT, 0)
        with pytest.raises(Unregistered, match="there is no site nowhere"):
            book.do(save_partner, Partner("acme", sites=("nowhere",)), ACT)


class TestWhatIsStored:
    def test_a_lease_with_its_days_in_the_zone_of_a_depot(self, book):
        (saved,) = save(book, terms(sites=["depot"], return_to="depot", grace_h=4))
        assert saved.action == "create"
        assert saved.lease == stored(book)
        assert (saved.lease.sites, saved.lease.timezone) == (("yard", "depot"), "Europe/Amsterdam")
        (own,) = saved.lease.lines
        assert (own.id, own.asset, own.due) == ("1", "A1", date(2026, 2, 2))
        assert own.start_at == NOON - 13 * 3_600_000
        assert own.due_at == ends_at(date(2026, 2, 2), "Europe/Amsterdam")

    @pytest.mark.parametrize(("open_days", "last"), [(True, 2), (False, 1)])
    def test_with_open_days_a_due_sunday_moves_to_monday(self, book, open_days, last):
        sunday = line(due="2026-02-01")
        (saved,) = save(book, terms("L1", sunday, site="shop", open_days=open_days))
        (own,) = saved.lease.lines
        assert own.due == date(2026, 2, 1)
        assert own.due_at == ends_at(date(2026, 2, last), "Asia/Tokyo")

    def test_a_change_is_agreed_audited_and_has_its_asset_looked_at(self, book):
        save(book, terms())
        assert agreed(book) == [
            (
                "1",
                "leased",
                {"asset": "A1", "class": None, "from": "2026-01-05", "due": "2026-02-02"},
            )
        ]
        _, told = book.ask(lambda tx: tx.changes(None, 1))[0]
        assert (told.by, told.action, told.kind, told.subject) == ("me", "create", "lease", "L1")
        assert told.after["lines"][0]["due"] == "2026-02-02"
        assert book.ask(lambda tx: tx.timers_of(["A1", "A2"])) == {"A1": NOON}

    def test_said_again_it_is_the_same(self, book):
        said = terms("L1", line(), {"class": "pallet", "from": "2026-01-05", "due": "2026-02-02"})
        save(book, said)
        before = dump(book)
        assert [one.action for one in save(book, said, act=at(1))] == ["same"]
        assert dump(book) == before

    def test_what_of_it_changes_is_told(self, book):
        save(book, terms())
        changed = terms("L1", line(due="2026-02-09"), line("A2"), grace_h=1)
        (saved,) = save(book, changed, act=at(1))
        assert (saved.action, saved.changed) == ("change", ("grace_h", "line 1", "line 2"))
        assert saved.lease.version == 2
        assert agreed(book)[1:] == [
            (None, "changed", {"grace_h": 1.0}),
            (
                "1",
                "leased",
                {"asset": "A1", "class": None, "from": "2026-01-05", "due": "2026-02-09"},
            ),
            (
                "2",
                "leased",
                {"asset": "A2", "class": None, "from": "2026-01-05", "due": "2026-02-02"},
            ),
        ]
        assert book.ask(lambda tx: tx.timers_of(["A1", "A2"])) == {
            "A1": NOON + DAY,
            "A2": NOON + DAY,
        }


class TestWhatStays:
    def test_lines_that_are_not_mentioned(self, book):
        save(book, terms("L1", line(), line("A2")))
        (saved,) = save(book, terms("L1", line("A2", id="2")))
        assert saved.action == "same"
        assert [one.asset for one in saved.lease.lines] == ["A1", "A2"]

    def test_an_extension_as_long_as_the_due_day_is_merely_said_again(self, book):
        save(book, terms())
        book.do(extend, at(1), Event("L1", "1"), date(2026, 3, 2))
        assert save(book, terms(), act=at(2))[0].action == "same"
        assert stored(book).lines[0].due == date(2026, 3, 2)
        assert save(book, terms("L1", line(due="2026-02-20")), act=at(3))[0].action == "change"
        assert stored(book).lines[0].due == date(2026, 2, 20)

    def test_the_end_of_a_line(self, book):
        save(book, terms())
        book.do(give_back, at(3), Event("L1", "1"))
        assert save(book, terms(), act=at(4))[0].action == "same"
        assert stored(book).lines[0].ended == End("returned", NOON + 3 * DAY)
        with pytest.raises(LeasesRefused, match="line 1 has ended: it was returned at 2026-01-08"):
            save(book, terms("L1", line(due="2026-03-02")), act=at(4))

    def test_consignees_to_whom_something_was_handed(self, book):
        save(book, terms())
        book.do(hand_over, at(1), Event("L1", "1"), "bolt", None, None)
        assert save(book, terms(), act=at(2))[0].action == "same"
        assert stored(book).consignees == ("bolt",)


class TestWhatIsRefused:
    def test_every_flaw_is_told_with_its_place_and_nothing_is_stored(self, book):
        before = dump(book)
        flawed = terms(
            "L2",
            line("A9"),
            {"class": "pallet", "from": "2026-01-05", "due": "2026-01-05"},
            line("A8"),
            customer="nobody",
            site="nowhere",
            sites=["yard", "moon"],
            return_to="mars",
            consignees=["acme", "noone"],
        )
        with pytest.raises(LeasesRefused) as refused:
            save(book, terms(), flawed)
        assert [(flaw.place, flaw.path, str(flaw.error)) for flaw in refused.value.flaws] == [
            (1, ("customer",), "there is no partner nobody"),
            (1, ("site",), "there is no site nowhere"),
            (1, ("return_to",), "there is no site mars"),
            (1, ("sites", 1), "there is no site moon"),
            (1, ("consignees", 1), "there is no partner noone"),
            (1, ("lines", 0, "asset"), "there is no asset A9"),
            (1, ("lines", 2, "asset"), "there is no asset A8"),
        ]
        assert dump(book) == before

    def test_one_alone_raises_what_is_wrong_with_it(self, book):
        with pytest.raises(Unregistered, match="there is no asset A9"):
            book.do(save_lease, terms("L1", line("A9")), ACT)
        assert book.do(save_lease, terms(), ACT, 0).lease.version == 1
        with pytest.raises(Outdated, match="at version 1 now"):
            book.do(save_lease, terms(), ACT, 0)

    def test_an_asset_is_on_one_open_lease_at_a_time(self, book):
        save(book, terms())
        before = dump(book)
        with pytest.raises(Conflict, match="A1 is on lease L1, line 1, until 2026-02-02, and has"):
            book.do(save_lease, terms("L2", line(start="2026-01-20", due="2026-03-02")), at(9))
        with pytest.raises(Conflict, match="is on lease L1, line 1"):
            book.do(save_lease, terms("L0", line(start="2026-01-01", due="2026-01-05")), at(9))
        assert dump(book) == before

    def test_but_it_may_be_reserved_for_when_the_first_is_over(self, book):
        save(book, terms())
        assert save(book, terms("L2", line(start="2026-02-03", due="2026-03-02")))

    def test_unless_that_is_over_and_it_is_still_out(self, book):
        save(book, terms())
        facts(book, ("A1", "dispatched", 0), ("A1", "lease_started", 1), act=at(2))
        later = terms("L2", line(start="2026-02-10", due="2026-03-02"))
        with pytest.raises(Conflict, match="has not come back from it"):
            book.do(save_lease, later, at(35))

    def test_once_it_was_seen_back_a_later_lease_is_accepted_on_an_open_paper(self, book):
        save(book, terms())
        facts(book, ("A1", "dispatched", 0), ("A1", "lease_started", 1), act=at(2))
        later = terms("L2", line(start="2026-01-20", due="2026-03-02"))
        with pytest.raises(LeasesRefused):
            save(book, later, act=at(8))
        facts(book, ("A1", "received", 8), act=at(8))
        assert stored(book).lines[0].ended is None
        assert save(book, later, act=at(9))[0].action == "create"

    def test_nor_is_one_in_the_way_that_has_ended(self, book):
        save(book, terms())
        book.do(give_back, at(1), Event("L1", "1"))
        assert save(book, terms("L2", line(start="2026-01-06")), act=at(1))

    def test_leases_that_are_stated_together_may_overlap_by_early_returns(self, book):
        first, second = terms(), terms("L2", line(start="2026-01-20", due="2026-03-02"))
        assert [one.action for one in save(book, second, first)] == ["create", "create"]

    def test_but_they_cannot_begin_at_once(self, book):
        with pytest.raises(LeasesRefused) as refused:
            save(book, terms(), terms("L2", line(due="2026-01-09")))
        assert [(flaw.place, flaw.path) for flaw in refused.value.flaws] == [
            (0, ("lines", 0)),
            (1, ("lines", 0)),
        ]

    def test_nor_is_one_accepted_while_the_asset_is_out_on_the_other(self, book):
        save(book, terms())
        facts(book, ("A1", "dispatched", 0), ("A1", "lease_started", 1), act=at(2))
        later = terms("L2", line(start="2026-01-20", due="2026-03-02"))
        with pytest.raises(LeasesRefused) as refused:
            save(book, terms(), later, act=at(8))
        assert [flaw.place for flaw in refused.value.flaws] == [1]


def test_a_site_is_needed_as_long_as_something_leased_is_out(book):
    save(book, terms(return_to="depot"))
    for site in ("yard", "depot"):
        with pytest.raises(Conflict, match=f"site {site} is needed by lease L1"):
            book.do(give_up, "site", site)
    book.do(give_up, "site", "shop")
    book.do(give_back, at(1), Event("L1", "1"))
    book.do(give_up, "site", "yard")
    assert book.ask(export_world).leases == []


class TestFacts:
    def test_that_its_lease_has_ended_closes_the_line_at_that_time(self, book):
        save(book, terms())
        facts(book, ("A1", "lease_ended", 3), act=at(4))
        assert stored(book).lines[0].ended == End("returned", NOON + 3 * DAY)
        assert agreed(book)[-1] == ("1", "returned", {"by": "fact"})
        assert book.ask(lambda tx: tx.timers_of(["A1"])) == {"A1": NOON + 4 * DAY}
        before = dump(book)
        facts(book, ("A1", "lease_ended", 3), act=at(5))  # told again
        assert dump(book) == before

    def test_it_closes_the_one_that_had_begun(self, book):
        save(book, terms(), terms("L2", line(start="2026-03-02", due="2026-03-09")))
        facts(book, ("A1", "lease_ended", 3), ("A2", "lease_ended", 3), act=at(4))
        assert stored(book, "L1").lines[0].ended is not None
        assert stored(book, "L2").lines[0].ended is None

    def test_what_closes_nothing_is_still_a_fact(self, book):
        facts(book, ("A1", "lease_ended", 3), act=at(4))
        assert book.count("log") == 1
        assert book.ask(lambda tx: tx.timers_of(["A1"])) == {"A1": NOON + 4 * DAY}

"""`retour recipients` and `retour deliveries`."""

import orjson
import pytest

import retour
from tests.receivers import SECRET, Receiver
from tracker.alerts import Alert, Event, State
from tracker.arrange import arrange
from tracker.notices import Attempt, queue
from tracker.notices import State as Way
from tracker.places import Site
from tracker.stores.sqlite import SqliteStore

NOON = 1_767_614_400_000
ALERT = Alert("A1", "L1", "1", "overdue", 1, State.OPEN, "warning", 1, NOON, NOON, NOON, NOON)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A database of its own."""
    monkeypatch.setenv("RETOUR_DATABASE", f"sqlite:///{tmp_path}/retour.db")
    monkeypatch.setenv("RETOUR_WEBHOOKS_ALLOW", "127.0.0.1")
    made = SqliteStore(tmp_path / "retour.db")
    with made.writing() as tx:
        arrange(tx, Site(id="depot"))
    yield made
    made.close()


@pytest.fixture
def run(store, monkeypatch, capsys):
    """Give a command as a user does: its exit status, what it printed, and its complaints."""

    def give(*words):
        monkeypatch.setattr("sys.argv", ["retour", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            retour.main()
        shown = capsys.readouterr()
        return ended.value.code, shown.out, shown.err

    return give


def test_somebody_is_added_listed_and_removed(run, store):
    words = ["--rule", "overdue", "--rule", "left_behind", "--site", "depot", "--class", "pallet"]
    words += ["--level", "2", "--title", "[{severity}] {title}"]
    times = ["--digest", "daily", "--hour", "6", "--quiet", "22:00-07:00", "--timezone", "UTC"]
    url = "http://127.0.0.1:9/s3cret"
    status, shown, _ = run("recipients", "add", "ops", url, *words, *times, "--json")
    assert status == 0
    assert orjson.loads(shown)["secret"].startswith("whsec_")
    (row,) = orjson.loads(run("recipients", "list", "--json")[1])
    assert row["filters"]["rules"] == ["overdue", "left_behind"]
    assert (row["digest"]["hour"], row["quiet"]["since"]) == (6, "22:00")
    assert row["filters"]["level"] == 2
    assert row["wording"] == {"title": "[{severity}] {title}", "text": "{text}"}
    listed = run("recipients", "list")[1]
    assert "http://127.0.0.1:9/***" in listed
    assert "rules overdue, left_behind; sites depot; classes pallet" in listed
    assert "s3cret" not in shown + listed
    assert run("recipients", "add", "ops", url, "--json")[1].count("secret") == 0
    assert run("recipients", "remove", "ops")[0] == 0
    assert run("recipients", "list")[1] == "nobody is told of alerts\n"
    with store.reading() as tx:
        told = [change for _, change in tx.changes(None, 9) if change.kind == "recipient"]
    assert [change.action for change in told] == ["delete", "change", "create"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["ops", "http://10.0.0.1/"], "10.0.0.1 is not a public address"),
        (["ops", "nosuch://x"], "Apprise cannot read this URL"),
        (["o p s", "mqtt:"], "id: "),
        (["ops", "mqtt:", "--quiet", "22:00"], "quiet until: "),
        (["ops", "mqtt:", "--timezone", "Mars", "--digest", "daily"], "digest timezone: 'Mars' is"),
        (["ops", "mqtt:", "--event", "x"], "filters events 0: "),
        (["ops", "mqtt:", "--rule", "overdu"], "recipient ops: there is no rule overdu (did you"),
        (["ops", "mqtt:", "--severity", "grave"], "recipient ops: there is no severity grave"),
        (["ops", "mqtt:", "--site", "deport"], "recipient ops: there is no site deport (did you"),
        (["ops", "mqtt:", "--partner", "acme"], "recipient ops: there is no partner acme"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(run, store, words, why):
    status, _, complaint = run("recipients", "add", *words)
    assert (status, complaint.startswith(f"retour: {why}")) == (1, True), complaint
    assert complaint.count("\n") == 1
    with store.reading() as tx:
        assert tx.recipients() == {}


def test_networks_that_make_no_sense_are_refused_in_one_line(run, monkeypatch):
    monkeypatch.setenv("RETOUR_WEBHOOKS_ALLOW", "10.0.0.1/8")
    status, _, complaint = run("recipients", "add", "ops", "mqtt:")
    assert (status, complaint.startswith("retour: RETOUR_WEBHOOKS_ALLOW: ")) == (1, True)


@pytest.mark.parametrize(("answer", "exit"), [(204, 0), (500, 1)])
def test_a_test_is_sent(run, store, answer, exit):
    with Receiver(status=answer) as receiver:
        run("recipients", "add", "ops", receiver.url)
        with store.writing() as tx:
            one = tx.recipients()["ops"]
            tx.put_recipient(one.model_copy(update={"secret": SECRET}))
        status, shown, _ = run("recipients", "test", "ops")
    assert (status, f"HTTP {answer}" in shown, len(receiver.got)) == (exit, True, 1)
    assert f"ok    {'no' if exit else 'yes'}" in shown


def test_who_is_not_known(run):
    for words in (("test", "x"), ("remove", "x")):
        assert run("recipients", *words)[2] == "retour: there is no recipient 'x'\n"
    assert run("deliveries", "--retry", "x")[2] == "retour: there is no delivery 'x'\n"


def test_deliveries_are_listed_and_sent_after_all(run, store):
    run("recipients", "add", "bus", "mqtt:")
    with store.writing() as tx:
        events = [Event(ALERT, "opened", NOON)] * 2
        numbers = tx.add_alert_events(events, NOON)
        queue(tx, [*zip(numbers, events, strict=True)], {}, NOON)
        one = tx.delivery(f"bus-{numbers[0]}")
        failed = Attempt(NOON, False, "HTTP 500")
        tx.save_deliveries([one._replace(state=Way.PARKED, attempts=(failed,))])
    (row,) = orjson.loads(run("deliveries", "--state", "parked", "--json")[1])
    assert (row["id"], row["title"]) == (one.id, "A1 is overdue")
    assert "HTTP 500" in run("deliveries", "--recipient", "bus")[1]
    assert run("deliveries", "--recipient", "x")[1] == "no deliveries\n"
    (again,) = orjson.loads(run("deliveries", "--retry", one.id, "--json")[1])
    assert (again["state"], again["attempts"]) == ("waiting", [])
    complaint = run("deliveries", "--retry", one.id)[2]
    assert complaint == f"retour: the delivery {one.id} is waiting, not parked\n"

"""The time-series store beside the database: told everything, whatever fails meanwhile."""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from itertools import count

import pytest

from gateway.coarsening import Coarsening
from gateway.mosquitto import free_port
from gateway.projection import Projection
from tracker.audit import Act
from tracker.clocks import SystemClock
from tracker.model import Asset, Binding, Device
from tracker.points import is_coarsened
from tracker.ports import SeriesUnavailable
from tracker.project import project
from tracker.record import record
from tracker.registry import bind_device, register_asset, register_device
from tracker.stamps import StampPolicy
from tracker.stores.influx import Influx
from tracker.stores.influx_setup import set_up
from tracker.stores.local_influx import LocalInflux
from tracker.stores.postgresql import PostgresqlStore
from tracker.stores.sqlite import SqliteStore
from tracker.telling import REFUSED, differences, rebuild

pytestmark = pytest.mark.system
DAY = 86_400_000
HOUR = 3_600_000


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    """A database that tells a time-series store, of each kind."""
    if request.param == "sqlite":
        made = SqliteStore(tmp_path / "retour.db")
    else:
        made = PostgresqlStore(request.getfixturevalue("new_postgresql")())
    with made.writing() as tx:
        for device in ("trk-1", "rdr-1"):
            register_device(tx, Device(device, "tracker"), StampPolicy())
        register_asset(tx, Asset("A1"))
        bind_device(tx, "A1", "trk-1")
        project(tx, True, Act("test", 0, 0))
    yield made
    made.close()


@pytest.fixture
def series(new_influx):
    made = Influx(new_influx())
    yield made
    made.close()


@pytest.fixture
def clock():
    return SystemClock()


@pytest.fixture
def seqs():
    return count()


@pytest.fixture
def log(store, make, seqs, clock):
    """Records a message of events that were just now, or so many milliseconds ago."""

    def record_some(*events, ago=0, device="trk-1"):
        now = clock.now()
        timed = [(now - ago + n, what) for n, (_, what) in enumerate(events)]
        message = make.message(*timed, device=device, seq=next(seqs), received=now)
        with store.writing() as tx:
            assert record(tx, [message], [], StampPolicy()).stored == len(events)

    return record_some


def tell_all(projection, store, within=60):
    """Turn until nothing waits; the pauses that were asked for."""
    deadline = time.monotonic() + within
    pauses = []
    while waiting(store):
        assert time.monotonic() < deadline, f"{waiting(store)} still wait"
        if (pause := projection.turn()) and waiting(store):
            pauses.append(pause)
            time.sleep(pause)
    return pauses


def waiting(store):
    with store.reading() as reader:
        return reader.backlog()


def missing(store, series, clock):
    with store.reading() as reader:
        return differences(reader, series, clock.now())


def told_in(series, clock, days=45):
    """How many points of telemetry there are of the last days."""
    today = clock.now() // DAY
    return sum(
        n
        for day in range(today - days, today + 1)
        for one, n in series.counts(day).items()
        if not one.startswith("stage/")
    )


def coarsen_all(store, series, clock):
    job = Coarsening(store, series, clock)
    while job.turn() == 0:
        pass
    assert job.health() == ()


def dead(store):
    with store.reading() as reader:
        return [letter for _, letter in reader.dead_letters(None, 1_000)]


def test_everything_logged_is_told_once(store, series, clock, log, make):
    for _ in range(30):
        log(make.fix(), make.sensor(), make.read(), make.presence())
    log(make.fix(), make.fix(), make.fix(), ago=40 * DAY)
    with store.reading() as reader:
        assert sum(map(is_coarsened, reader.queued_lines())) == 93  # presence is no telemetry
    assert len(missing(store, series, clock)) == 0  # what waits is not missing
    assert tell_all(Projection(store, series, clock), store) == []
    assert missing(store, series, clock) == []
    assert told_in(series, clock) == 93


def test_what_is_told_again_is_the_same_point(store, series, clock, log, make):
    log(make.fix(), make.sensor())
    projection = Projection(store, series, clock)
    tell_all(projection, store)
    done = rebuild(store, series, clock.now())
    assert (done.told, done.expired, done.refused) == (2, 0, [])
    assert missing(store, series, clock) == []


def test_what_is_missing_is_named_and_a_rebuild_mends_it(store, series, clock, log, make):
    log(make.fix(), make.sensor())
    log(make.fix(), ago=3 * DAY)
    with store.writing() as tx:
        project(tx, False, Act("test", 0, 0))
    lacking = missing(store, series, clock)
    assert {(one.series, one.logged, one.told) for one in lacking} == {
        ("fix/trk-1", 1, 0),
        ("sensor/trk-1", 1, 0),
    }
    assert {tuple(one.assets) for one in lacking} == {("A1",)}
    rebuild(store, series, clock.now())
    assert missing(store, series, clock) == []


def test_nothing_is_queued_where_no_store_is_told(store, clock, log, make):
    with store.writing() as tx:
        project(tx, False, Act("test", 0, 0))
    log(make.fix())
    assert waiting(store) == 0


def test_an_outage_loses_nothing(store, clock, log, make):
    with LocalInflux(free_port()) as server:
        series = Influx(set_up_at(server))
        projection = Projection(store, series, clock)
        log(make.fix())
        tell_all(projection, store)
        server.stop(signal.SIGKILL)
        log(make.fix(), make.sensor())
        assert projection.turn() > 0
        assert projection.health()
        assert waiting(store) == 2
        log(make.fix())
        server.start()
        tell_all(projection, store)
        assert not projection.health()
        assert missing(store, series, clock) == []
        series.close()


def set_up_at(server, bucket="retour"):
    at = server.at(bucket)
    return at._replace(token=set_up(at, 0, 0))


class Moody(http.server.BaseHTTPRequestHandler):
    """Answers the first writes as it is told to, and passes the others on."""

    protocol_version = "HTTP/1.1"
    answers, behind = [], ""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.answers:
            status, headers = self.answers.pop(0)
            answer = b'{"message": "not now"}'
        else:
            import urllib.request

            passed = urllib.request.Request(self.behind + self.path, body, dict(self.headers))
            with urllib.request.urlopen(passed, timeout=10) as done:
                status, headers, answer = done.status, {}, done.read()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def moody(influx_server):
    Moody.behind, Moody.answers = influx_server.url, []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Moody)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("status", [503, 429])
def test_9_a_server_that_asks_to_wait_is_obeyed(store, clock, log, make, new_influx, moody, status):
    at = new_influx()
    Moody.answers = [(status, {"Retry-After": "2"}), (500, {})]
    slow = Influx(at._replace(url=f"http://127.0.0.1:{moody.server_port}"))
    slow.oldest = lambda now: None  # its front knows of writing alone
    log(make.fix(), make.sensor())
    pauses = tell_all(Projection(store, slow, clock), store)
    assert pauses[0] >= 2
    assert any(0 < pause < 2 for pause in pauses[1:])
    direct = Influx(at)
    assert missing(store, direct, clock) == []
    slow.close()
    direct.close()


def test_10_one_bad_row_among_many_is_a_dead_letter(store, series, clock, log, make):
    somebody = f'sensor,device=x,kind=sensor bad="a text" {clock.now() * 1_000_000}'
    series.write([somebody.encode()])  # so that a number is refused
    for n in range(500):
        log(make.sensor(**{"bad" if n == 250 else "good": 1}))
    tell_all(Projection(store, series, clock), store)
    (letter,) = dead(store)
    assert letter.reason == REFUSED
    assert "field type conflict" in letter.detail
    assert letter.payload.startswith(b"sensor,device=trk-1")
    assert told_in(series, clock) == 500
    assert missing(store, series, clock) == []


def test_what_is_older_than_the_bucket_keeps_is_counted_not_sent(
    store, clock, log, make, new_influx
):
    series = Influx(new_influx(keep_days=2))
    log(make.fix())
    log(make.fix(), make.fix(), ago=5 * DAY)
    tell_all(Projection(store, series, clock), store)
    assert dead(store) == []
    assert told_in(series, clock) == 1
    assert missing(store, series, clock) == []
    assert rebuild(store, series, clock.now()).expired == 2
    series.close()


def test_late_values_reach_the_coarser_points(store, series, clock, log, make):
    projection = Projection(store, series, clock)
    for n in range(5):
        log(make.sensor(temperature=n), make.fix(lat=50 + n), ago=3 * DAY - n * 60_000)
    tell_all(projection, store)
    coarsen_all(store, series, clock)
    bindings, now = [Binding("A1", "trk-1")], clock.now()
    raw = series.sums(bindings, "temperature", HOUR, now, None, None, 100)
    assert sum(one.n for one in raw) == 5
    places = list(series.history(bindings, now, every=HOUR))
    series._kept_ms, series._checked = DAY, time.monotonic()  # as if only coarse ones were left
    assert series.sums(bindings, "temperature", HOUR, now, None, None, 100) == raw
    assert [(o.at, o.what) for o in series.history(bindings, now)] == [
        (o.at, o.what) for o in places
    ]


def test_a_rebuild_makes_the_coarser_points_as_well(store, series, clock, log, make):
    log(make.sensor(temperature=1), make.sensor(temperature=2), ago=3 * DAY)
    rebuild(store, series, clock.now())
    coarsen_all(store, series, clock)
    series._kept_ms, series._checked = DAY, time.monotonic()
    bindings, now = [Binding("A1", "trk-1")], clock.now()
    (found,) = series.sums(bindings, "temperature", 5 * DAY, now, None, None, 100)
    assert (found.n, found.total) == (2, 3)


def test_what_comes_late_again_while_it_is_made_is_made_again(store, series, clock, log, make):
    log(make.sensor(temperature=1), ago=3 * DAY)
    projection = Projection(store, series, clock)
    tell_all(projection, store)
    with store.reading() as reader:
        (noted,) = reader.to_coarsen(0, 10)
    log(make.sensor(temperature=2), ago=3 * DAY)
    tell_all(projection, store)
    with store.writing() as tx:
        tx.coarsened([noted])
        (again,) = tx.to_coarsen(0, 10)
        tx.coarsened([again])
        assert tx.to_coarsen(0, 10) == []


def test_a_day_of_many_late_series_is_made_hour_by_hour(store, series, clock, log, make):
    with store.writing() as tx:
        for n in range(30):
            register_device(tx, Device(f"many-{n}", "tracker"), StampPolicy())
    for n in range(30):
        log(make.sensor(temperature=n), ago=3 * DAY, device=f"many-{n}")
    tell_all(Projection(store, series, clock), store)
    coarsen_all(store, series, clock)
    series._kept_ms, series._checked = DAY, time.monotonic()
    for n in (0, 29):
        bindings = [Binding("A1", f"many-{n}")]
        (found,) = series.sums(bindings, "temperature", 5 * DAY, clock.now(), None, None, 9)
        assert (found.n, found.total) == (1, n)


def test_a_poisoned_point_stops_nothing(store, clock, log, make, new_influx, monkeypatch):
    series = Influx(new_influx())
    poisoned = b'sensor,device=trk-1,kind=sensor x.text="a\0b" -9300000000000000000'
    log(make.fix())
    with store.writing() as tx:
        tx.queue_points([poisoned], clock.now())
    tell_all(Projection(store, series, clock), store)
    (letter,) = dead(store)
    assert letter.reason == REFUSED
    assert "\0" not in letter.detail
    assert told_in(series, clock) == 1
    series.close()


@pytest.mark.parametrize("name", ["time", "a.text", "a.sum", "x.true", "_value", "a.b", ".count"])
def test_any_name_is_told_and_asked_for_as_it_is(series, log, make, store, clock, name):
    log(make.sensor(**{name: 1.5}), make.sensor(a="text"), make.sensor(x=True))
    tell_all(Projection(store, series, clock), store)
    assert dead(store) == []
    bindings = [Binding("A1", "trk-1")]
    assert [v.value for v in series.values(bindings, name, clock.now())] == [1.5]
    assert [v.value for v in series.values(bindings, "a", clock.now())] == ["text"]


def test_whatever_is_asked_has_an_answer_or_a_known_error(series, clock):
    bindings = [Binding("A1", "trk-1")]
    for since, until in ((9_300_000_000_000, None), (None, -9_300_000_000_000), (10**14, 10**15)):
        assert list(series.history(bindings, clock.now(), since, until)) == []
    with pytest.raises(SeriesUnavailable):
        series.sums(bindings, "t", 0, clock.now(), None, None, 1)


def test_set_up_again_changes_nothing_and_mends_what_is_gone(influx_server):
    admin = influx_server.at(f"again-{time.monotonic_ns()}")
    token = set_up(admin, 90, 365)
    assert set_up(admin) == token
    series = Influx(admin)
    series.check()
    assert series.oldest(100 * DAY) == 10 * DAY
    for days in (1, 3, 200):
        set_up(admin, days)
    bucket = series.client.buckets_api().find_bucket_by_name(admin.bucket)
    series.client.buckets_api().delete_bucket(bucket)
    renewed = Influx(admin._replace(token=set_up(admin)))
    renewed.check()
    renewed.write([b"fix,device=a lat=1.0 1"])
    for one in (series, renewed):
        one.close()


@pytest.fixture
def run(store, tmp_path):
    """Runs the command with a database, and an InfluxDB, as a user would."""

    def start(*command, at=None, **settings):
        env = {k: v for k, v in os.environ.items() if not k.startswith("RETOUR_")}
        env |= {"RETOUR_DATABASE": url_of(store), "RETOUR_LOG_LEVEL": "info"}
        if at is not None:
            names = ("url", "org", "bucket", "token")
            env |= {f"RETOUR_INFLUX_{name.upper()}": getattr(at, name) for name in names}
        return subprocess.Popen(
            [sys.executable, "-m", "retour", *command],
            env=env | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def url_of(store):
    if isinstance(store, SqliteStore):
        return f"sqlite:///{store.path}"
    return store._engine.url.render_as_string(hide_password=False).replace("+psycopg", "")


def ended(process, within=60):
    out, err = process.communicate(timeout=within)
    return process.returncode, out, err


def test_workers_may_die_and_share(store, series, clock, log, make, run):
    def ready():
        worker = run("worker", at=series.at)
        assert "worker ready" in worker.stderr.readline()
        return worker

    workers = [ready(), ready()]
    try:
        for n in range(40):
            log(*(make.fix() for _ in range(50)))
            if n == 20:
                workers[0].kill()
                workers.append(ready())
        deadline = time.monotonic() + 60
        while waiting(store):
            assert time.monotonic() < deadline
            with store.writing() as tx:  # what the killed one had taken is due soon, not in 2 min
                tx.put_off(range(10_000), 0)
            time.sleep(0.1)
    finally:
        for worker in workers:
            worker.terminate()
        told = [ended(worker) for worker in workers]
    assert [code for code, _, _ in told[1:]] == [0, 0], told
    assert missing(store, series, clock) == []
    assert told_in(series, clock) == 2_000


def test_set_up_told_again_and_verified_by_commands(store, influx_server, log, make, run):
    with store.writing() as tx:
        project(tx, False, Act("test", 0, 0))
    log(make.fix(), make.sensor(), make.read())
    admin = influx_server.at(f"by-commands-{type(store).__name__}")
    code, out, _ = ended(run("influx", "setup", "--json", at=admin))
    assert code == 0
    told = json.loads(out)
    assert told["begun"]
    at = admin._replace(token=told["token"])
    code, out, _ = ended(run("verify", "--influx", "--json", at=at))
    assert (code, json.loads(out)["influx_differences"]) == (1, 3)
    code, out, _ = ended(run("influx", "rebuild", "--json", at=at))
    assert (code, json.loads(out)) == (0, {"told": 3, "expired": 0, "refused": 0})
    code, out, _ = ended(run("verify", "--influx", "--json", at=at))
    assert (code, json.loads(out)["influx_differences"]) == (0, 0)
    # The token may do nothing else.
    code, _, err = ended(run("influx", "setup", at=at._replace(bucket="another")))
    assert code == 1
    assert "InfluxDB" in err
    code, _, _ = ended(run("influx", "off", at=at))
    assert code == 0
    with store.reading() as reader:
        assert not reader.projected()


on_sqlite = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


@on_sqlite
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": "127.0.0.1"}, "RETOUR_INFLUX_URL is '127.0.0.1'; try http://127.0.0.1:8086"),
        ({"url": "http://127.0.0.1:9"}, "does not answer"),
        ({"url": "http://no-such-host.invalid:8086"}, "does not answer"),
        ({"token": ""}, "RETOUR_INFLUX_TOKEN is not set"),
        ({"token": "wrong"}, "unauthorized access: see RETOUR_INFLUX_TOKEN"),
        ({"bucket": "none"}, "has no bucket 'none'"),
        ({"org": ""}, "RETOUR_INFLUX_ORG is not set"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(store, new_influx, run, change, said):
    code, _, err = ended(run("worker", at=new_influx()._replace(**change)))
    assert code == 1
    assert said in err
    assert len(err.strip().splitlines()) == 1, err


@on_sqlite
def test_a_worker_has_the_log_give_up_what_is_old(store, clock, log, make, run):
    log(make.fix(), ago=100 * DAY)
    log(make.fix())
    with store.writing() as tx:  # the first was recorded long ago as well
        tx._db.exec_driver_sql(f"UPDATE log SET recorded = at WHERE at < {clock.now() - DAY}")
    worker = run("worker", RETOUR_RETENTION_DAYS="30")
    assert "worker ready" in worker.stderr.readline()
    assert "the log gave up its oldest part" in worker.stderr.readline()
    worker.terminate()
    assert ended(worker)[0] == 0
    with store.reading() as reader:
        assert reader.counts()["log"] == 1


@on_sqlite
def test_a_worker_of_a_database_that_tells_nothing_is_refused(store, new_influx, run):
    with store.writing() as tx:
        project(tx, False, Act("test", 0, 0))
    code, _, err = ended(run("worker", at=new_influx()))
    assert (code, err.strip()) == (
        1,
        "retour: the database tells no time-series store: run `retour influx setup`",
    )

"""SQLite: how the file is opened, migrated, refused, locked."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from threading import Barrier, Timer

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from tracker.asset_ports import AssetFilter
from tracker.model import Asset
from tracker.ports import StoreRefused, StoreUnavailable
from tracker.stores import schema
from tracker.stores.sqlite import SqliteStore
from tracker.stores.upgrade import newest


@pytest.fixture
def path(tmp_path):
    return tmp_path / "retour.db"


@pytest.fixture
def store(path):
    made = SqliteStore(path)
    yield made
    made.close()


def execute(path, *statements):
    with closing(sqlite3.connect(path)) as connection:
        found = [connection.execute(statement).fetchall() for statement in statements]
        connection.commit()
        return found


def add_asset(store, id):
    with store.writing() as tx:
        tx.put_asset(Asset(id))


def assets(store):
    with store.reading() as tx:
        return [asset.id for asset in tx.assets(AssetFilter(), "", 100)]


class TestOpening:
    def test_a_new_file_is_at_the_newest_revision(self, store, path):
        assert execute(path, "SELECT version_num FROM alembic_version") == [[(newest(),)]]

    def test_an_empty_file_is_migrated(self, path):
        path.touch()
        with closing(SqliteStore(path)) as store:
            assert assets(store) == []

    def test_missing_folders_are_made(self, tmp_path):
        with closing(SqliteStore(tmp_path / "a" / "b" / "retour.db")) as store:
            assert assets(store) == []

    def test_opening_twice_keeps_everything(self, path):
        for n in range(3):
            with closing(SqliteStore(path)) as store:
                add_asset(store, f"A{n}")
        with closing(SqliteStore(path)) as store:
            assert assets(store) == ["A0", "A1", "A2"]

    def test_the_migrations_make_what_the_schema_says(self, store, path):
        engine = create_engine(f"sqlite:///{path}")
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "include_name": self._is_no_words_table}
            )
            assert compare_metadata(context, schema.metadata) == []
            tables = inspect(connection).get_table_names()
        engine.dispose()
        assert "words" in tables  # the index of words, which SQLAlchemy cannot describe

    def _is_no_words_table(self, name, kind, _parents):
        return kind != "table" or not name.startswith("words")

    def test_a_new_file_that_another_one_is_setting_up_is_waited_for(self, path):
        with closing(sqlite3.connect(path, check_same_thread=False)) as other:
            other.execute("BEGIN IMMEDIATE")
            ended = Timer(0.2, other.rollback)
            ended.start()
            try:
                SqliteStore(path).close()
            finally:
                ended.join()

    def test_threads_may_open_one_file_at_once(self, path):
        together = Barrier(4)

        def open_and_write(n):
            together.wait()
            with closing(SqliteStore(path)) as store:
                add_asset(store, f"A{n}")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(open_and_write, range(4)))
        with closing(SqliteStore(path)) as store:
            assert assets(store) == ["A0", "A1", "A2", "A3"]

    def test_processes_may_open_one_file_at_once(self, path):
        code = (
            "import sys; from pathlib import Path; from tracker.model import Asset\n"
            "from tracker.stores.sqlite import SqliteStore\n"
            "print('ready', flush=True); sys.stdin.readline()\n"
            "with SqliteStore(Path(sys.argv[1])).writing() as tx: tx.put_asset(Asset(sys.argv[2]))"
        )
        with ExitStack() as stack:
            processes = [
                stack.enter_context(
                    subprocess.Popen(
                        [sys.executable, "-c", code, str(path), f"A{n}"],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE,
                        text=True,
                    )
                )
                for n in range(3)
            ]
            assert [process.stdout.readline() for process in processes] == ["ready\n"] * 3
            for process in processes:
                process.stdin.write("go\n")
                process.stdin.flush()
            for process in processes:
                _, errors = process.communicate(timeout=60)
                assert process.returncode == 0, errors
        with closing(SqliteStore(path)) as store:
            assert assets(store) == ["A0", "A1", "A2"]


class TestRefusal:
    def test_a_newer_revision_is_refused(self, path):
        SqliteStore(path).close()
        execute(path, "UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(StoreRefused, match="9999"):
            SqliteStore(path)

    @pytest.mark.parametrize(
        "content", [b"This is no database. " * 200, b"SQLite format 3\x00" + b"\xff" * 8_000]
    )
    def test_a_file_that_is_no_database_is_refused_and_left_alone(self, path, content):
        path.write_bytes(content)
        with pytest.raises(StoreRefused, match=r"retour\.db"):
            SqliteStore(path)
        assert path.read_bytes() == content

    def test_a_folder_is_refused(self, path):
        path.mkdir()
        with pytest.raises(StoreRefused, match=r"retour\.db"):
            SqliteStore(path)

    def test_a_folder_that_cannot_be_made_is_refused(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(StoreRefused, match=r"retour\.db"):
            SqliteStore(tmp_path / "file" / "retour.db")

    @pytest.mark.parametrize("table", ["log", "customers"])
    def test_the_database_of_another_program_is_refused_and_left_alone(self, path, table):
        execute(path, f"CREATE TABLE {table} (id INTEGER)")
        with pytest.raises(StoreRefused, match=r"retour\.db"):
            SqliteStore(path)
        assert execute(path, "SELECT name FROM sqlite_master WHERE type = 'table'") == [[(table,)]]


class TestDurability:
    @pytest.mark.parametrize(
        ("pragma", "value"),
        [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)],
    )
    def test_every_connection_is_set_up_for_it(self, store, pragma, value):
        with store.writing() as writer, store.reading() as one, store.reading() as other:
            for tx in (writer, one, other):
                assert tx._db.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value

    def test_a_write_begins_with_the_lock(self, store, path):
        """Else two writers could read the same state, and one fail at its commit."""
        with (
            store.writing(),
            closing(sqlite3.connect(path, timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("BEGIN IMMEDIATE")

    def test_readers_do_not_wait_for_a_writer(self, store):
        with store.writing() as tx:
            tx.put_asset(Asset("A1"))
            assert assets(store) == []


class TestUnavailability:
    def test_a_locked_database_is_unavailable_and_works_again_afterwards(self, store, path):
        with closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked"):
                add_asset(store, "A1")
            assert assets(store) == []
        add_asset(store, "A2")
        assert assets(store) == ["A2"]

    def test_a_full_disk_is_unavailable_and_the_store_works_again_afterwards(self, store):
        with store.writing() as tx:
            pages = tx._db.exec_driver_sql("PRAGMA page_count").scalar()
            tx._db.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

        with pytest.raises(StoreUnavailable, match="full"):
            self._write_much(store)
        assert assets(store) == []
        with store.writing() as tx:
            tx._db.exec_driver_sql("PRAGMA max_page_count = 1000000")
            tx.put_asset(Asset("A1"))
        assert assets(store) == ["A1"]

    def _write_much(self, store):
        with store.writing() as tx:
            tx.put_asset(Asset("A9"))
            tx.enqueue("topic", b"x" * 1_000_000)

    def test_a_database_that_cannot_be_opened_any_more_is_unavailable(self, tmp_path):
        folder = tmp_path / "mounted"
        store = SqliteStore(folder / "retour.db")
        store.close()
        folder.rename(tmp_path / "gone")
        for transaction in (store.writing, store.reading):
            with pytest.raises(StoreUnavailable, match="unable to open"), transaction():
                pass
        (tmp_path / "gone").rename(folder)
        add_asset(store, "A1")
        assert assets(store) == ["A1"]
        store.close()

    def test_a_damaged_database_is_unavailable(self, path):
        """Neither a bad message nor a reason to drop one: nothing can be stored."""
        SqliteStore(path).close()
        ((size,),), ((page,),) = execute(
            path, "PRAGMA page_size", "SELECT rootpage FROM sqlite_master WHERE name = 'assets'"
        )
        with path.open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)
        with (
            closing(SqliteStore(path)) as store,
            pytest.raises(StoreUnavailable, match="malformed"),
        ):
            add_asset(store, "A1")

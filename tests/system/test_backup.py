"""Backups, taken as docs/operations.md says, while a gateway writes; and restored."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.system.conftest import WITHIN_S

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


def said(program, **names):
    """The command of the page that begins so, with these names in it."""
    line = re.search(rf"^    ({program} .*)$", PAGE, re.M).group(1)
    for name, value in names.items():
        line = line.replace(name, str(value))
    return shlex.split(line)


def run(command):
    subprocess.run(command, check=True, capture_output=True, timeout=WITHIN_S)


@pytest.fixture
def sqlite(sqlite_world, tmp_path):
    """A world, how to back its database up, and how to restore that: its URL then."""
    copy, path = tmp_path / "backup.db", sqlite_world.database.url.removeprefix("sqlite:///")

    def restore():
        (tmp_path / "restored").mkdir()
        return f"sqlite:///{shutil.copy(copy, tmp_path / 'restored')}"

    names = {"retour.db": path, "backup.db": copy}
    return sqlite_world, lambda: run(said("python3 -c", **names)), restore


@pytest.fixture
def postgresql(postgresql_world, one_postgresql, tmp_path):
    """The same on PostgreSQL."""
    url, dump = postgresql_world.database.url, tmp_path / "retour.dump"

    def restore():
        new = one_postgresql.create_database("restored")
        run(said("pg_restore", NEW_URL=new, **{"retour.dump": dump}))
        return new

    return postgresql_world, lambda: run(said("pg_dump", URL=url, **{"retour.dump": dump})), restore


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_backup_restored_is_whole_and_devices_fill_the_rest(kind, request):
    """What came after the backup receipts show as missing, and devices that have it send it."""
    world, back_up, restore = request.getfixturevalue(kind)
    device = world.device()
    gateway = world.ready_gateway()
    device.publish(2_000)
    back_up()
    device.publish(1_000)
    device.wait_for_receipts()
    gateway.stop()
    restored = restore()
    assert world.command("verify", database=restored)["observations"] < 3_000
    world.ready_gateway(database=restored)
    device.receipts.clear()
    device.publish(1)
    device.wait_for_receipts(resend=True)
    assert world.command("verify", database=restored)["observations"] == 3_001

"""The end of the demo: some questions that one can ask, and their answers."""

from __future__ import annotations

from commands.asking import EVERY
from commands.devices import device_row, device_words, every_device
from commands.show import out, show_rows
from commands.troubles import letter_row, stranger_words, trouble_words, unknown_devices
from commands.visits import visit_row, visit_words, visits_of
from tracker import queries
from tracker.ports import Reader


def tour(reader: Reader, site: str, asset: str, now: int) -> None:
    """Show who is inside a site, where an asset has been, and what is amiss, as the commands do
    that stand above the answers."""
    _asked(f"retour inside {site}")
    inside = [visit_row(one, site) for one in queries.inside_now(reader, site, "", EVERY)]
    show_rows(inside, visit_words, False, f"nothing is at {site}")
    _asked(f"retour visits {asset}")
    show_rows(visits_of(reader, asset), visit_words, False, "no visit is known")
    _asked("retour devices --silent")
    devices = [device_row(status, now) for status in every_device(reader)]
    silent = [row for row in devices if row["silent"]]
    show_rows(silent, device_words, False, "no device is silent")
    _asked("retour quarantine")
    show_rows([*unknown_devices(reader)], stranger_words, False, "nothing is held back")
    _asked("retour dead-letters")
    letters = [letter_row(*one) for one in reader.dead_letters(None, EVERY)]
    show_rows(letters, trouble_words, False, "no dead letters")
    out.print()


def _asked(command: str) -> None:
    out.print(f"\n[bold]{command}[/bold]", highlight=False)

"""The end of the demo: some questions that one can ask, and their answers."""

from __future__ import annotations

from commands.asking import EVERY
from commands.show import out, show_rows
from commands.stages import entry_row, entry_words, group_row, group_words, tell_stage
from commands.troubles import letter_row, stranger_words, trouble_words, unknown_devices
from commands.visits import visit_row, visit_words
from tracker import queries, stages
from tracker.asset_ports import AssetFilter
from tracker.log_ports import Line
from tracker.ports import Reader

QUICKLY_READ = 20  # entries of a timeline


def tour(reader: Reader, site: str, now: int) -> None:
    """Show how many assets are in which stage, how one came to where it is and why, who is
    inside a site, and what is amiss, as the commands do that stand above the answers."""
    _stages(reader, worth_telling(reader), now)
    _asked(f"retour inside {site}")
    inside = [visit_row(one, site) for one in queries.inside_now(reader, site, "", EVERY)]
    show_rows(inside, visit_words, False, f"nothing is at {site}")
    _troubles(reader)
    out.print()


def worth_telling(reader: Reader) -> str:
    """The asset that has the most on its way, of those that late data has corrected, and whose
    way is still quickly read."""
    rank = {}
    for asset in reader.assets(AssetFilter(), "", EVERY):
        way = stages.timeline(reader, asset.id, None, EVERY)
        corrected = any(isinstance(one.what, Line) for one in way)
        rank[asset.id] = (len(way) <= QUICKLY_READ, corrected, len(way))
    return max(rank, key=lambda id: rank[id])


def _stages(reader: Reader, asset: str, now: int) -> None:
    _asked("retour stages")
    groups = [group_row(one, now) for one in stages.funnel(reader)]
    show_rows(groups, group_words, False, "no asset was observed")
    _asked(f"retour stage {asset}")
    tell_stage(stages.stage_of(reader, asset, now))
    _asked(f"retour timeline {asset}")
    writing = stages.writing(reader, asset, now)
    way = [entry_row(one, writing) for one in stages.timeline(reader, asset, None, EVERY)]
    show_rows(way, entry_words, False, "nothing is known of it")


def _troubles(reader: Reader) -> None:
    _asked("retour quarantine")
    show_rows([*unknown_devices(reader)], stranger_words, False, "nothing is held back")
    _asked("retour dead-letters")
    letters = [letter_row(*one) for one in reader.dead_letters(None, EVERY)]
    show_rows(letters, trouble_words, False, "no dead letters")


def _asked(command: str) -> None:
    out.print(f"\n[bold]{command}[/bold]", highlight=False)

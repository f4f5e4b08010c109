"""Use case: from now on assets of some classes follow a process, or follow it as it is now."""

from __future__ import annotations

from typing import Any

from tracker.audit import Act, audited
from tracker.ports import Writer
from tracker.process import Process, as_json
from tracker.refold import ALWAYS
from tracker.registry import Conflict


def follow(tx: Writer, process: Process, act: Act) -> dict[str, int] | None:
    """Use a process, the first time or changed. How many assets of each class must be folded
    again for it; None where it is in use already, just so. Raises Conflict where another process
    in use has one of its classes."""
    before = tx.inference()
    known = before.own.get(process.process)
    if known == process:
        return None
    for other in before.own.values():
        if other.process != process.process and (both := {*process.classes} & {*other.classes}):
            raise Conflict(
                f"the class {min(both)} follows the process {other.process}: "
                "take it out of the `classes` there first"
            )
    tx.put_process(process, act.now)
    audited(
        tx,
        act,
        "create" if known is None else "change",
        "process",
        process.process,
        None if known is None else as_json(known),
        as_json(process),
    )
    after = tx.inference()
    touched = {
        name: tx.of_class(name)
        for name in tx.classes()
        if _figures(before.process_of(name)) != _figures(after.process_of(name))
    }
    tx.mark_stale(dict.fromkeys((asset for some in touched.values() for asset in some), ALWAYS))
    return {name: len(some) for name, some in touched.items()}


def _figures(process: Process) -> dict[str, Any]:
    """What a belief depends on: not which other classes follow the same process."""
    return process.model_dump(exclude={"classes"})

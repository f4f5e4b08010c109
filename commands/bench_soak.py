"""`retour bench soak`: seeded faults on real processes, for as long as one likes."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from commands.soak.soak import soak


def bench_soak(minutes: float, seed: int, *, postgresql: bool) -> dict[str, Any]:
    """The soak's account; each fault is told on stderr as it begins."""
    logging.getLogger("firmware_sim").setLevel(logging.ERROR)  # that a broker is away is wanted
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    with tempfile.TemporaryDirectory(prefix="retour-soak-") as folder:
        return soak(
            Path(folder),
            60 * minutes,
            seed,
            postgresql=postgresql,
            tell=notes.print,
        )

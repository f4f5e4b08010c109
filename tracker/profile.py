"""How an asset tells of itself: what is heard of it in each state, and what silence means then."""

from __future__ import annotations

from hashlib import blake2b

from tracker.chain import TICKS_PER_H, Array, Chain
from tracker.filter import Powers, Silence

OUTAGE_SHARE, OUTAGE_TICKS = 0.03, 6 * TICKS_PER_H  # of readers that do not say so


class Profile:
    """How an asset goes on and how it tells of that, by what is `heard` of it per hour (states x
    states): on the diagonal marks in a state, beside it moves that make a mark. `silent`
    predicts over times without one, `free` as if nothing was to be heard. `id` is the same
    wherever process and figures are."""

    __slots__ = ("deaf", "free", "heard", "id", "process", "silent", "tracked")

    def __init__(self, chain: Chain, heard: Array, deaf: Array, free: Powers) -> None:
        self.process, self.tracked = chain.process.process, chain.tracked
        named = f"{self.process}\x1f{self.tracked}\x1f".encode() + heard.tobytes() + deaf.tobytes()
        self.id = int.from_bytes(blake2b(named, digest_size=7).digest())
        self.heard, self.deaf = heard, deaf
        self.free = free
        self.silent = silence(chain, heard, deaf, free)

    @property
    def rates(self) -> Array:
        """Marks per state and hour, without those of moves."""
        return self.heard.diagonal()


def silence(chain: Chain, heard: Array, deaf: Array, free: Powers) -> Powers | Silence:
    """How an asset goes on of which nothing is heard."""
    without = Powers(chain.rates - deaf) if deaf.any() else free
    if not (heard - deaf).any():
        return without
    return Silence(Powers(chain.rates - heard), without, OUTAGE_SHARE, OUTAGE_TICKS)

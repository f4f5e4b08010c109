"""Which stage a single observation names, to one who believes an asset in a stage."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

import numpy as np

from tracker.case import ROLES
from tracker.chain import Chain
from tracker.inference import Setting
from tracker.layout import Standpoint
from tracker.model import Fact, Fix, Observation, Read


def hint(row: Observation, setting: Setting, told: str | None) -> str | None:
    """The stage that an observation names; None: it names none. A place where several stages
    may be names the one that is told, if it is one of them, else the next one on the flow."""
    what, chain = row.what, setting.evidence.chain
    if isinstance(what, Fact):
        return _of_fact(what, chain)
    if isinstance(what, Read):
        layout = setting.layout
        zone_id = layout.zone_of_read(row.device, what.antenna, row.at)
        zone = layout.zone(zone_id, row.at) if zone_id is not None else None
        if zone is not None and zone.stage in chain.number:
            return zone.stage
        return _at_site(layout.site_of_read(row.device, what.antenna, row.at), row, setting, told)
    if isinstance(what, Fix):
        point = Standpoint(what.lat, what.lon, what.acc)
        inside = setting.layout.site_around(point, row.at)
        if inside is None and setting.layout.surely_outside(None, point, row.at):
            return stage_at("road", chain, told)
        return _at_site(inside, row, setting, told)
    return None


def _at_site(id: str | None, row: Observation, setting: Setting, told: str | None) -> str | None:
    site = setting.layout.site(id, row.at) if id is not None else None
    chain = setting.evidence.chain
    if site is None:
        return None
    if site.stage in chain.number:
        return site.stage
    return stage_at(site.kind, chain, told) if site.kind in ROLES else None


def _of_fact(fact: Fact, chain: Chain) -> str | None:
    rule = chain.process.facts.get(fact.kind)  # type: ignore[call-overload]  # any text may be asked
    if rule is None:
        return None
    to = rule.to if rule.to is None or rule.to in chain.number else fact.stage
    if to is None:
        left = rule.leaves if rule.leaves in chain.number else fact.stage
        after = chain.process.stages[left].next if left in chain.number else {}
        to = max(after, key=lambda name: after[name], default=None)
    return to if to in chain.number else None


def stage_at(place: str, chain: Chain, told: str | None) -> str | None:
    """The stage that a place names.

    >>> from tracker.process import shipped
    >>> chain = Chain(shipped()["pallet-pool"], tracked=True)
    >>> [stage_at(place, chain, "outbound") for place in ("road", "customer", "depot")]
    ['outbound', 'in_use', 'outbound']
    >>> stage_at("road", chain, "in_use"), stage_at("depot", chain, "return_transit")
    ('return_transit', 'received')
    """
    mostly, ever = _stages_at(chain)
    if told is not None and told in (mostly[place] if place == "road" else ever[place]):
        return told
    wanted = mostly[place] or ever[place]
    return next((name for name in _onwards(chain, told) if name in wanted), None)


def _onwards(chain: Chain, told: str | None) -> list[str]:
    """The stages in the order in which an asset may come to them."""
    order = list(chain.process.stages[told].next) if told is not None else chain.stages[:1]
    for name in order:  # it grows meanwhile
        order += [after for after in chain.process.stages[name].next if after not in order]
    return order


@lru_cache(maxsize=16)
def _stages_at(chain: Chain) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """The stages that are mostly at each place, and those that ever are."""
    mostly, ever = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    ends = [*chain.starts[1:], len(chain.states)]
    for n, (name, start, end) in enumerate(zip(chain.stages, chain.starts, ends, strict=True)):
        time = np.linalg.solve(-chain.rates[start:end, start:end].T, chain.enter[n, start:end])
        spent = defaultdict[str, float](float)
        for state, hours in zip(chain.states[start:end], time, strict=True):
            spent[state.at] += float(hours)
            ever[state.at].add(name)
        mostly[max(spent, key=lambda at: spent[at])].add(name)
    return mostly, ever

"""Scenario files: what they leave out, and what is told of those that make no sense."""

from __future__ import annotations

import pytest

from firmware_sim.world.scenario import BadScenario, read_scenario, shipped

PLACES = "depots: [{id: d, at: [4, 52]}]\nscatter: {customers: 2}\n"


def test_a_scenario_says_only_what_differs():
    scenario = read_scenario(PLACES + "stages: {ready: {mean_h: 5}}\ngps: {fix: {road: 0.5}}")
    assert scenario.stages["ready"].mean_h == 5
    assert scenario.stages["ready"].next == {"outbound": 1}
    assert scenario.gps.fix["road"] == 0.5
    assert scenario.gps.fix["depot"] == 0.3


def test_branches_are_replaced_as_a_whole_and_stages_can_go():
    text = "stages: {refurbish: {next: {ready: 1}}, inspection: {next: {ready: 1}}, lost: null, "
    text += "outbound: {next: {in_use: 1}}, in_use: {next: {return_transit: 1}}, "
    text += "return_requested: {next: {return_transit: 1}}, return_transit: {next: {received: 1}}}"
    scenario = read_scenario(PLACES + text)
    assert scenario.stages["refurbish"].next == {"ready": 1}
    assert "lost" not in scenario.stages


@pytest.mark.parametrize(
    "start", ["2026-01-05", "2026-01-05T00:00:00", "2026-01-05T01:00:00+01:00"]
)
def test_a_time_is_utc_where_it_does_not_say(start):
    assert read_scenario(f"{PLACES}start: {start}").start_ms == 1_767_571_200_000


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- a", "a scenario is a mapping: `depots:`, `scatter:`, ..."),
        ("seed: [1", "line 1: no YAML: expected ',' or ']', but got '<stream end>'"),
        ("depot: []", "depot: unknown key (did you mean 'depots'?)"),
        ("days: 3", "depots: List should have at least 1 item after validation, not 0"),
        (PLACES + "days: x", "days: Input should be a valid number, unable to parse string as a"),
        (PLACES + "readers: {miss: 2}", "readers.miss: Input should be less than or equal to 1"),
        (PLACES + "readers: {mis: 0}", "readers.mis: unknown key"),
        (PLACES + "gps: {fix: {raod: 1}}", "gps.fix.raod"),
        (PLACES + "mishaps: {skew_s: 9999}", "mishaps.skew_s: Input should be less than or equal"),
        ("depots: [{id: d, at: [4, 99]}]", "depots[0].at[1]: Input should be less than or equal"),
        ("depots: [{id: d, at: [4, 52]}]", "customers: nobody uses the assets: list some, or "),
        (PLACES + "customers: [{id: d, at: [4, 5]}]", "customers[0].id: 'd' is taken already"),
        (
            PLACES + "stages: {repair: {next: {raedy: 1}}}",
            "stages.repair.next: there is no stage 'raedy' (did you mean 'ready'?)",
        ),
        (
            PLACES + "stages: {repair: {next: {ready: 0.5}}}",
            "stages.repair.next: the shares sum to 0.5, not to 1",
        ),
        (
            PLACES + "stages: {repair: {next: {repair: 1}}}",
            "stages.repair.next: a stage does not follow itself",
        ),
        (
            PLACES + "stages: {repair: {dwell: {gamma: 2, lognormal: 1}}}",
            "stages.repair.dwell: write either `gamma` or `lognormal`",
        ),
        (PLACES + "dwell: {gamma: 0.5}", "dwell.gamma: Input should be greater than or equal to 1"),
        (
            PLACES + "assets: {initial: {}}",
            "assets.initial: the shares sum to 0, not to 1",
        ),
        (
            PLACES + "partners: [{id: p, at: [4, 5], stage: mend}]",
            "partners[0].stage: there is no stage 'mend'",
        ),
        (
            PLACES + "zones: [{stage: ready, adjacent: [repair]}]",
            "zones[0].adjacent: there is no other zone 'repair'",
        ),
        (
            PLACES + "zones: [{stage: ready}, {stage: ready}]",
            "zones[1].stage: 'ready' has a zone already",
        ),
        (
            "scatter: {customers: 1}\ndepots: [{id: d, at: [4, 52], zones: [{stage: redy}]}]",
            "depots[0].zones[0].stage: there is no stage 'redy' (did you mean 'ready'?)",
        ),
        (
            PLACES.replace("customers: 2", "customers: 2, from_km: 90"),
            "scatter: `from_km` is not below `within_km`",
        ),
    ],
)
def test_what_makes_no_sense_is_told_in_a_line(text, fault):
    with pytest.raises(BadScenario) as told:
        read_scenario(text)
    assert told.value.faults[0].startswith(fault)
    assert all("\n" not in one for one in told.value.faults)


def test_all_faults_are_told_at_once():
    with pytest.raises(BadScenario) as told:
        read_scenario("days: -1\nseed: x\nreaders: {miss: 2}")
    assert len(told.value.faults) == 4  # no depot either


def test_half_of_the_shipped_scenarios_are_kept_for_reporting():
    purposes = [read_scenario(text, name).purpose for name, text in shipped().items()]
    assert purposes.count("tuning") == purposes.count("reporting") == 6
    assert all(
        text.startswith(("# For tuning.", "# For reporting.")) for text in shipped().values()
    )

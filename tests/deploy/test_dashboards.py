"""What Grafana and Prometheus ask for exists."""

import json
import re

import psycopg
import pytest
import yaml
from prometheus_client import REGISTRY

import api.app  # noqa: F401  (so that its metrics exist)
import gateway.metrics  # noqa: F401
from tests.deploy.conftest import ROOT
from tracker import points

BOARD = json.loads((ROOT / "deploy/grafana/dashboards/fleet.json").read_text())
RULES = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
SOURCES = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/retour.yaml").read_text())
TARGETS = [target for panel in BOARD["panels"] for target in panel["targets"]]
ENDINGS = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}
SAMPLES = {
    metric.name + ending
    for metric in REGISTRY.collect()
    if metric.name.startswith("retour_")
    for ending in ENDINGS[metric.type]
}


def of_kind(key):
    return [target[key] for target in TARGETS if key in target]


ALERTS = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("query", [*of_kind("expr"), *ALERTS])
def test_every_metric_that_is_asked_for_exists(query):
    asked = set(re.findall(r"retour_\w+", query))
    assert asked
    assert asked <= SAMPLES


def test_every_query_on_the_database_is_answered(new_postgresql):
    queries = of_kind("rawSql")
    assert len(queries) >= 3
    with psycopg.connect(new_postgresql()) as db:
        for query in queries:
            assert db.execute(query).fetchall() == []


@pytest.mark.parametrize("query", of_kind("query"))
def test_every_measurement_that_is_asked_for_exists(query):
    asked = set(re.findall(r'r\._measurement == "(\w+)"', query))
    assert asked
    assert asked <= points.TAGS.keys()


def test_every_source_is_provisioned_and_used():
    named = {source["uid"]: source["type"] for source in SOURCES["datasources"]}
    used = {t["datasource"]["uid"]: t["datasource"]["type"] for t in TARGETS}
    assert used == named


def test_panels_stand_side_by_side():
    taken = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells

"""Setting up an InfluxDB 2: buckets, the task that makes coarser points, a token."""

from __future__ import annotations

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.bucket import Bucket
from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules
from influxdb_client.domain.permission import Permission
from influxdb_client.domain.permission_resource import PermissionResource
from influxdb_client.domain.task_create_request import TaskCreateRequest
from influxdb_client.domain.task_update_request import TaskUpdateRequest
from influxdb_client.service.tasks_service import TasksService

from tracker.ports import StoreRefused
from tracker.stores import flux
from tracker.stores.influx import Influx, InfluxAt

DAY_S = 86_400


def set_up(admin: InfluxAt, keep_days: int, keep_coarse_days: int) -> str:
    """Make what Retour needs where it is missing, and return a token that may read and write its
    two buckets, and nothing else. `admin` holds a token that may make all that. Points are kept
    for so many days, 0: for ever. Raises StoreRefused, SeriesUnavailable."""
    influx = Influx(admin)
    try:
        with influx.told():
            organization = _organization(influx.client, admin.org)
            buckets = [
                _bucket(influx.client, organization, admin.bucket, keep_days),
                _bucket(influx.client, organization, admin.coarse_bucket, keep_coarse_days),
            ]
            _task(influx.client, organization, admin)
            return _token(influx.client, organization, f"retour {admin.bucket}", buckets)
    finally:
        influx.close()


def _organization(client: InfluxDBClient, name: str) -> str:
    found = client.organizations_api().find_organizations(org=name)
    if not found:
        raise StoreRefused(f"the token of RETOUR_INFLUX_TOKEN may not set up InfluxDB for {name!r}")
    return str(found[0].id)


def _bucket(client: InfluxDBClient, organization: str, name: str, keep_days: int) -> str:
    """The id of a bucket that keeps its points for so many days."""
    api = client.buckets_api()
    rules = [BucketRetentionRules(type="expire", every_seconds=keep_days * DAY_S)]
    found: Bucket | None = api.find_bucket_by_name(name)
    if found is None:
        made = api.create_bucket(bucket_name=name, org=organization, retention_rules=rules)
        return str(made.id)
    found.retention_rules = rules
    api.update_bucket(found)
    return str(found.id)


def _task(client: InfluxDBClient, organization: str, at: InfluxAt) -> None:
    """The task that makes coarser points of each hour soon after it has ended."""
    tasks = TasksService(client.api_client)
    name = f"{at.bucket}: coarser points"
    script = flux.task(name, at.bucket, at.coarse_bucket)
    found = tasks.get_tasks(name=name, org_id=organization).tasks
    if found:
        tasks.patch_tasks_id(found[0].id, TaskUpdateRequest(flux=script, status="active"))
    else:
        tasks.post_tasks(TaskCreateRequest(flux=script, org_id=organization, status="active"))


def _token(client: InfluxDBClient, organization: str, description: str, buckets: list[str]) -> str:
    """A token for some buckets; the same when asked again."""
    api = client.authorizations_api()
    for one in api.find_authorizations(org_id=organization):
        if one.description == description and one.status == "active":
            return str(one.token)
    permissions = [
        Permission(action, PermissionResource(id=id, type="buckets", org_id=organization))
        for id in buckets
        for action in ("read", "write")
    ]
    made = api.create_authorization(org_id=organization, permissions=permissions)
    made.description = description
    api.update_authorization(made)
    return str(made.token)

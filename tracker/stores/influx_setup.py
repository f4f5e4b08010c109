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

from tracker.ports import LinesRefused, StoreRefused
from tracker.stores import flux
from tracker.stores.influx import Influx, InfluxAt

DAY_S = 86_400


def set_up(
    admin: InfluxAt, keep_days: int | None = None, keep_coarse_days: int | None = None
) -> str:
    """Make what Retour needs where it is missing, and return a token that may read and write its
    two buckets, and nothing else. `admin` holds a token that may make all that. Points are kept
    for so many days, 0: for ever, None: as it is, at first for ever. Raises StoreRefused,
    SeriesUnavailable."""
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
    except LinesRefused as error:
        raise StoreRefused(f"InfluxDB refuses that: {error}") from error
    finally:
        influx.close()


def _organization(client: InfluxDBClient, name: str) -> str:
    found = client.organizations_api().find_organizations(org=name)
    if not found:
        raise StoreRefused(f"the token of RETOUR_INFLUX_TOKEN may not set up InfluxDB for {name!r}")
    return str(found[0].id)


def _bucket(client: InfluxDBClient, organization: str, name: str, keep_days: int | None) -> str:
    """The id of a bucket that keeps its points for so many days."""
    api = client.buckets_api()
    rules = [
        BucketRetentionRules(
            type="expire",
            every_seconds=(keep_days or 0) * DAY_S,
            shard_group_duration_seconds=_shard_s(keep_days or 0),
        )
    ]
    found: Bucket | None = api.find_bucket_by_name(name)
    if found is not None and keep_days is None:
        return str(found.id)
    if found is None:
        made = api.create_bucket(bucket_name=name, org=organization, retention_rules=rules)
        return str(made.id)
    found.retention_rules = rules
    api.update_bucket(found)
    return str(found.id)


def _shard_s(keep_days: int) -> int:
    """How much time InfluxDB puts together, and deletes at once: what it would take by itself."""
    if 0 < keep_days < 2:
        return 3_600
    return DAY_S if 0 < keep_days <= 180 else 7 * DAY_S


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
        known = {permission.resource.id for permission in one.permissions}
        if one.description == description and one.status == "active" and known == {*buckets}:
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

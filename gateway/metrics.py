"""What the gateway counts, for Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

MESSAGES = Counter("retour_messages", "Messages received from the broker")
OBSERVATIONS = Counter("retour_observations", "Observations by what became of them", ["outcome"])
DEAD_LETTERS = Counter("retour_dead_letters", "Messages and events that could not be stored")
RECEIPTS = Counter("retour_receipts", "Receipts published")
SHED = Counter("retour_shed_messages", "Messages above their device's limit, not stored")
STALE_ACKS = Counter("retour_stale_acks", "Acknowledgements dropped after a reconnection")
STORE_FAILURES = Counter("retour_store_failures", "Batches that the store did not take")
REFOLDED = Counter("retour_refolded_assets", "Assets folded again after a change")
WAITING = Gauge("retour_waiting_messages", "Messages received and not yet stored")
OLDEST = Gauge("retour_oldest_unacknowledged_seconds", "Age of the oldest message not stored yet")
BROKER_DROPPED = Gauge("retour_broker_dropped", "Messages dropped by the broker since it started")
CONNECTED = Gauge("retour_broker_connected", "1 while subscribed at the broker")
BATCH = Histogram(
    "retour_batch_messages", "Messages in a batch", buckets=(1, 3, 10, 30, 100, 300, 1000)
)
COMMIT = Histogram(
    "retour_batch_seconds",
    "Time from decoding a batch to its commit",
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
)
LAG = Histogram(
    "retour_lag_seconds",
    "Time from reception to commit, of the oldest message of each batch",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
)

# Of a worker that tells a time-series store.
POINTS = Counter(
    "retour_points", "Points for the time-series store by what became of them", ["outcome"]
)
POINTS_WAITING = Gauge("retour_points_waiting", "Points that it has not been told yet")
POINTS_LAG = Gauge("retour_points_lag_seconds", "How long the oldest of them has been waiting")
POINTS_TOLD = Histogram(
    "retour_points_told_seconds",
    "Time from storing an event to telling it",
    buckets=(0.1, 0.3, 1, 2, 5, 10, 30, 100, 300, 1000, 3000),
)
SERIES_FAILURES = Counter("retour_series_failures", "Times when it took nothing")
LOOKED = Counter("retour_assets_looked_at", "Assets that were looked at for alerts")
ALERTS = Counter("retour_alert_events", "What happened to alerts", ["what"])
SWEPT = Histogram(
    "retour_sweep_seconds",
    "How long it took to look what time has made of stages",
    buckets=(0.1, 0.5, 1, 2, 5, 10, 20, 60),
)

AGED = Histogram(
    "retour_ageing_seconds",
    "How long it took to look how much of their lives assets have spent",
    buckets=(0.1, 0.5, 1, 2, 5, 10, 20, 60, 300),
)

# Of a worker that tells of alerts.
DELIVERIES = Counter(
    "retour_deliveries", "Attempts to deliver alerts by what became of them", ["outcome"]
)
DELIVERIES_WAITING = Gauge("retour_deliveries_waiting", "Deliveries that are due, or will be")
DELIVERIES_PARKED = Gauge("retour_deliveries_parked", "Deliveries that were given up")
DELIVERIES_FORGOTTEN = Counter(
    "retour_deliveries_forgotten", "Deliveries that were sent long ago and are forgotten"
)
DELIVERIES_LAG = Gauge(
    "retour_deliveries_lag_seconds", "How long the longest of those that are due has been so"
)

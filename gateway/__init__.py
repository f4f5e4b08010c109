"""MQTT in and out: the session with the broker, decoders, ingest, receipts."""

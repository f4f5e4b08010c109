"""Databases behind the ports of `tracker.ports`."""

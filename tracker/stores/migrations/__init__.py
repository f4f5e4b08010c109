"""Schema migrations, run by `tracker.stores.upgrade`."""

"""HTTP answers about assets, devices and what went wrong. Knows `tracker` alone."""

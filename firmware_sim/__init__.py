"""Simulated firmware: trackers and readers that really publish, and recorded data replayed.

It shares no code with the platform: an encoder that shares code with its decoder hides
symmetric mistakes. The rules it follows are those of the native wire, written out again here.
"""

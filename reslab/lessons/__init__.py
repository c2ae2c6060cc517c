"""Experiments that are over in seconds and keep nothing: too small for a run folder, whole enough to teach from."""

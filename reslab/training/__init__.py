"""One config, one loop, one run folder."""

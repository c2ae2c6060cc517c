"""Studies: an experiment file, its grid of runs, papermill, and the engine that runs them."""

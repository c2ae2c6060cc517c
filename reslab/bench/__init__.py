"""How fast reslab trains here: against another trainer, against itself in eager float32, and against the machine."""

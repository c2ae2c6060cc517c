"""`python -m reslab` is `reslab`."""

from .cli import app

app(prog_name="reslab")

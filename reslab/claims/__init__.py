"""The papers' claims, each with the comparison that tests it, and the verdict of the runs that are there.

A claim is a statement, its source and the nets it compares. `evaluate` puts runs to the claims; `ledger` shows what
comes out. A verdict is supported, contradicted, undecided with what is missing, or, where there is no interval because
a net has one seed, no more than indicative.
"""

from .catalogue import CLAIMS
from .claim import Claim
from .evaluation import evaluate
from .table import Ledger, ledger
from .verdict import Finding, Number, Verdict

__all__ = ["CLAIMS", "Claim", "Finding", "Ledger", "Number", "Verdict", "evaluate", "ledger"]

"""The whole catalogue against its truth table: `audit` once, `soak` for long.

`run` compares, `record` is what comes out, `files` and `pool` keep and share out the work, and
`table` shows it.
"""

from mechkit.audit.record import Agreement, Audit, Cell, Row, as_json
from mechkit.audit.run import EVALUATIONS, SECONDS, audit, audit_entry, compare, soak

__all__ = [
    "EVALUATIONS",
    "SECONDS",
    "Agreement",
    "Audit",
    "Cell",
    "Row",
    "as_json",
    "audit",
    "audit_entry",
    "compare",
    "soak",
]

"""The whole catalogue against its truth table, and every claim of the papers.

`run` compares the catalogue's verdicts (`audit` once, `soak` for long), `claims` checks the papers'
claims, `curve` draws one agent's incentives, `record` is what comes out, `files` and `pool` keep
and share out the work, `table` and `page` show it.
"""

from mechkit.audit.claims import audit_claims, check, with_claims
from mechkit.audit.record import Agreement, Audit, Cell, Checked, Row, as_json
from mechkit.audit.run import EVALUATIONS, SECONDS, audit, audit_entry, compare, soak

__all__ = [
    "EVALUATIONS",
    "SECONDS",
    "Agreement",
    "Audit",
    "Cell",
    "Checked",
    "Row",
    "as_json",
    "audit",
    "audit_claims",
    "audit_entry",
    "check",
    "compare",
    "soak",
    "with_claims",
]

"""Two catalogue entries with their truth tables, and audits of them, for the audit's tests."""

from dataclasses import replace

from mechkit.audit import audit
from mechkit.catalogue.entry import Entry
from tests.rules import first_price, second_price

BUDGET = 20_000
SECOND_HOLDS = (
    "feasible ir ic ex_post_nash weak_budget_balance no_positive_transfers monotone "
    "critical_payment efficient anonymous envy_free group_ic false_name_proof revenue_monotone "
    "adverse_selection_free"
)
SECOND_FAILS = "strong_budget_balance non_bossy strong_group_ic collusion_proof"

SECOND = Entry("second", second_price, SECOND_HOLDS, SECOND_FAILS, "Vickrey 1961")
FIRST = Entry(
    "first",
    first_price,
    # Of a pair at most one wins, and the other gains nothing: group_ic holds, the strong one fails.
    "feasible ir weak_budget_balance no_positive_transfers monotone efficient anonymous envy_free "
    "non_bossy revenue_monotone adverse_selection_free group_ic",
    "ic ex_post_nash strong_budget_balance critical_payment strong_group_ic collusion_proof "
    "false_name_proof",
    "planted in second: the winner pays its own bid",
    faulty=True,
)


def audited(*entries, **options):
    options = {"evaluations": BUDGET} | options
    return audit(entries={entry.key: entry for entry in entries}, **options)


def cell(result, key, name):
    (row,) = (row for row in result.rows if row.key == key)
    return next(cell for cell in row.cells if cell.property == name)


def counting(entry):
    """The entry, and a list that grows whenever it is built."""
    built = []

    def make():
        built.append(entry.key)
        return entry.make()

    return replace(entry, make=make), built


def cells(result):
    return [(row.key, row.seed, row.cells) for row in result.rows]

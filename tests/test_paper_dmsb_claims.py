"""Every claim of the modified second bid auction: what is found agrees with what was argued."""

import mechkit as mk
from mechkit.papers import Asked, mechanism_of, paper_of

PAPER = paper_of("dmsb")
ASKED = {claim.id: claim for claim in PAPER.claims if isinstance(claim.how, Asked)}
SAID = ["ic", "ir", "anonymous", "false_name_proof", "adverse_selection_free", "critical_payment"]


def reference(claim):
    role = f":{claim.how.role}" if claim.how.role else ""
    return f"dmsb/{claim.how.mechanism}{role}"


def found(claim, **options):
    options = {"evaluations": 30_000, **options}
    return mk.verify(mechanism_of(reference(claim)), claim.how.property, **options)[
        claim.how.property
    ]

"""Settings that every test file shares."""

import pytest
from hypothesis import Phase, settings

# Helpers with assertions of their own say as much as test files when these fail.
pytest.register_assert_rewrite(
    "tests.margins", "tests.oracle", "tests.plain", "tests.audited", "paper_claims"
)

# Two shared cores make the time of one example say nothing; examples are the same in every run.
# No explanations: they trace every line, and CPython 3.11 was seen to trace one without end.
settings.register_profile(
    "mechkit",
    deadline=None,
    derandomize=True,
    print_blob=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink),
)
settings.load_profile("mechkit")


@pytest.fixture
def toy_papers(monkeypatch):
    """The papers are the toy alone."""
    import sys

    import toy_paper

    from mechkit import papers

    monkeypatch.setitem(sys.modules, "mechkit.papers.toy", toy_paper)
    monkeypatch.setattr(papers, "PAPERS", ("toy",))
    papers.paper_of.cache_clear()
    yield
    papers.paper_of.cache_clear()

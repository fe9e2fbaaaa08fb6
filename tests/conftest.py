"""Settings that every test file shares."""

import pytest
from hypothesis import settings

# Helpers with assertions of their own say as much as test files when these fail.
pytest.register_assert_rewrite("tests.margins", "tests.oracle", "tests.plain", "tests.audited")

# Two shared cores make the time of one example say nothing; examples are the same in every run.
settings.register_profile("mechkit", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("mechkit")

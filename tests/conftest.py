"""Settings that every test file shares."""

from hypothesis import settings

# Two shared cores make the time of one example say nothing; examples are the same in every run.
settings.register_profile("mechkit", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("mechkit")

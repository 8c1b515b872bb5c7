"""How much the tests try."""

import os

# Set by `make test-long`: all hostile cases, and many more random problems.
LONG = "SKSOFTMAX_TEST_LONG" in os.environ

# SKSOFTMAX_TEST_LONG=all also takes every table of the studies of separation and of
# profile intervals, of which `make test-long` takes a part.
ALL = os.environ.get("SKSOFTMAX_TEST_LONG") == "all"

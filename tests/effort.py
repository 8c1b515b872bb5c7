"""How much the tests try."""

import os

# Set by `make test-long`: all hostile cases, and many more random problems.
LONG = "SKSOFTMAX_TEST_LONG" in os.environ

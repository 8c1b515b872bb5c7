#!/usr/bin/env bash
# distributed 2026.8.0, LocalCluster(dashboard_address=None), which stands for no dashboard.
# Expected: no server on the dashboard's port. Seen: the scheduler takes port 8787 all the
# same, and the second of two clusters warns that the port is in use. ":0" takes any free
# port without a word.
source "$(dirname "${BASH_SOURCE[0]}")/_run.sh"

run_with "distributed==2026.8.0" <<'PYTHON'
import warnings

from distributed import LocalCluster


def warned(address):
    """Whether the second of two clusters warns of the port."""
    options = {"n_workers": 1, "processes": False, "dashboard_address": address}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with LocalCluster(**options) as one, LocalCluster(**options) as other:
            ports = [cluster.scheduler.http_server.port for cluster in (one, other)]
    print(f"dashboard_address={address!r}: ports {ports}")
    return 8787 in ports, any("already in use" in str(w.message) for w in caught)


assert warned(None)[1]  # of ours, or of another program that has the port
assert warned(":0") == (False, False)
PYTHON

#!/usr/bin/env bash
# distributed 2026.8.0. Expected: a client that is closed leaves dask's configuration as it
# was before the client. Seen: closed inside its own `with`, it leaves the scheduler set to
# "dask.distributed", and dask computes nothing more until another client is there.
source "$(dirname "${BASH_SOURCE[0]}")/_run.sh"

run_with "distributed==2026.8.0 dask==2026.8.0" <<'PYTHON'
import dask
from distributed import Client, LocalCluster

OPTIONS = {"n_workers": 1, "processes": False, "dashboard_address": ":0"}


def scheduler_after(closes_early):
    with (
        dask.config.set(scheduler=None),
        LocalCluster(**OPTIONS) as cluster,
    ):
        with Client(cluster) as client:
            if closes_early:
                client.close()
        try:
            dask.delayed(1).compute()
        except RuntimeError as error:
            return dask.config.get("scheduler"), str(error)
        return dask.config.get("scheduler"), "computes"


for closes_early in (False, True):
    print("closed early:" if closes_early else "closed at the end:", end=" ")
    print(*scheduler_after(closes_early), sep=", ")
assert scheduler_after(False) == (None, "computes")
assert scheduler_after(True)[0] == "dask.distributed"
PYTHON

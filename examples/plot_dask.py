"""
A fit on a dask cluster
=======================

Pass dask arrays, data frames and series to `fit` as they are. With a client the rows
stay on the workers. Only parameters and vectors of their size travel.
"""

import dask.array as da
import joblib
import numpy as np
from distributed import Client, LocalCluster
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from sksoftmax import SoftmaxRegressionClassifier

# %%
# A cluster of two workers
# ------------------------
# Here the workers are threads of this process. `Client("scheduler:8786")` connects to
# other machines. The data are cut into partitions of rows, which the workers divide.

cluster = LocalCluster(
    n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
)
client = Client(cluster)
X, y = load_digits(return_X_y=True)
dX, dy = da.from_array(X, chunks=(300, -1)), da.from_array(y, chunks=300)

model = SoftmaxRegressionClassifier().fit(dX, dy)
print(f"{model.n_passes_:.0f} passes, accuracy {model.score(dX, dy):.3f}")
print(f"F is within {model.optimality_:.0e} nats of its minimum")

# %%
# The fit in memory has the same optimum. Both fits are within `tol` of it.

in_memory = SoftmaxRegressionClassifier().fit(X, y)
print("largest difference:", f"{np.abs(model.coef_ - in_memory.coef_).max():.0e}")

# %%
# Predictions are lazy: a dask array whose partitions are computed when they are needed.

P = model.predict_proba(dX)
print(type(P).__name__, P.chunks)
print(P[:2].compute().round(3))

# %%
# Many small fits
# ---------------
# If the data fit into the memory of one worker, each fit is a task. joblib distributes
# these tasks.

search = GridSearchCV(SoftmaxRegressionClassifier(), {"alpha": [1e-3, 1e-2]}, cv=3)
with joblib.parallel_backend("dask"):
    search.fit(X, y)
print(f"best {search.best_params_}, accuracy {search.best_score_:.3f}")

# %%
# Training without an end
# -----------------------
# `partial_fit` takes one partition after the other. `Incremental` of dask-ml does the
# same in its `fit`; it takes the model as its argument, and `classes` together with the
# data.

online = SoftmaxRegressionClassifier((32,), random_state=0)
for chunk, labels in zip(dX.partitions, dy.partitions, strict=True):
    online.partial_fit(chunk.compute(), labels.compute(), classes=np.arange(10))
print(f"accuracy after one epoch: {online.score(dX, dy):.3f}")

client.close()
cluster.close()

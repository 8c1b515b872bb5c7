"""One fit and one grid search on a dask cluster, here of two workers on this machine.

pip install 'sksoftmax[dask]'
python examples/cluster.py
"""

import dask.array as da
import joblib
from distributed import Client, LocalCluster
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from sksoftmax import SoftmaxRegressionClassifier


def main():
    """Fit on blocks that stay on the workers; then one fit a worker, many of them."""
    X, y = load_digits(return_X_y=True)
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        Client(cluster),
    ):
        blocks = da.from_array(X, chunks=(300, -1)), da.from_array(y, chunks=300)
        model = SoftmaxRegressionClassifier().fit(*blocks)
        accuracy = model.score(*blocks)
        print(f"{model.n_passes_:.0f} passes, accuracy {accuracy:.3f}")
        print(f"F within {model.optimality_:.0e} nats of its minimum")

        # Data that fit into one worker: a fit is a task, and joblib hands them out.
        search = GridSearchCV(
            SoftmaxRegressionClassifier(), {"alpha": [1e-3, 1e-2]}, cv=3
        )
        with joblib.parallel_backend("dask"):
            search.fit(X, y)
        print(f"best {search.best_params_}, accuracy {search.best_score_:.3f}")


if __name__ == "__main__":
    main()

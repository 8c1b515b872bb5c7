"""Callbacks for `set_callbacks`: `Checkpoint`, from which a killed training resumes."""

import json
import os
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

__all__ = ["Checkpoint"]

_FORMAT = "sksoftmax checkpoint 1"

# What reading a file of something else can raise.
_UNREADABLE = AttributeError, EOFError, KeyError, TypeError, ValueError, BadZipFile


class Checkpoint:
    """A callback that saves a training on mini-batches, so that `fit` can resume it.

    After every so many epochs, and at the end, the training is written to a file. If
    the process is killed, run the same program again: where the file exists, `fit` goes
    on from there and ends with the same bits as a training that was never killed. Of a
    training that has ended, `fit` returns the result at once. To train anew, delete the
    file.

    The file belongs to one training. `fit` refuses a file that other parameters or
    other data have written; `max_iter` and `verbose` may differ, and a larger
    `max_iter` makes the training longer. So do not set it on an estimator that is
    cloned and fitted several times, as by a grid search. An estimator that is fitted
    already and has `warm_start=True` goes on from its own fit, and writes only.

    The file is replaced in one step: at any moment it is whole. It has arrays, numbers
    and strings, and reading it runs no code (NumPy's npz format). It is about six
    times as large as the coefficients.

    Parameters
    ----------
    path : str or path-like
        The file, in a folder that exists.
    every : int, default=1
        Epochs from one checkpoint to the next, >= 1.

    Raises
    ------
    ValueError, TypeError
        If a parameter cannot be used.

    Notes
    -----
    Without scikit-learn 1.9, which has callbacks, the `set_callbacks` of the classifier
    takes checkpoints only, and `sklearn.base.clone` drops them.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.callbacks import Checkpoint
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxRegressionClassifier((8,), max_iter=20, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.set_callbacks(Checkpoint(Path(folder) / "iris.npz", every=5))
    ...     model = model.fit(X, y)
    SoftmaxRegressionClassifier(...)
    >>> model.n_iter_
    20
    """

    def __init__(self, path: str | os.PathLike, every: int = 1):
        if not isinstance(every, int | np.integer) or isinstance(every, bool):
            raise TypeError(f"every must be an integer >= 1, got {every!r}.")
        if every < 1:
            raise ValueError(f"every must be an integer >= 1, got {every!r}.")
        self.path = Path(path)
        self.every = int(every)

    # The hooks of scikit-learn's callbacks. The fit itself reads and writes the file,
    # which has more than the estimator that a hook gets.

    def setup(self, estimator, context):
        """Refuse estimators that write no checkpoints.

        Parameters
        ----------
        estimator : estimator instance
            The estimator whose fit begins.
        context : sklearn.callback.CallbackContext
            Not used.
        """
        if not getattr(estimator, "_writes_checkpoints", False):
            raise TypeError(
                "Checkpoint is for SoftmaxRegressionClassifier;"
                f" {type(estimator).__name__} writes no checkpoints."
            )

    def teardown(self, estimator, context):
        """Nothing is to be released.

        Parameters
        ----------
        estimator : estimator instance
            Not used.
        context : sklearn.callback.CallbackContext
            Not used.
        """

    def on_fit_task_begin(self, estimator, context):
        """Nothing is to be done.

        Parameters
        ----------
        estimator : estimator instance
            Not used.
        context : sklearn.callback.CallbackContext
            Not used.
        """

    def on_fit_task_end(self, estimator, context):
        """Nothing is to be done.

        Parameters
        ----------
        estimator : estimator instance
            Not used.
        context : sklearn.callback.CallbackContext
            Not used.
        """

    def _read(self):
        """The state in the file, or None if there is no file."""
        if not self.path.parent.is_dir():
            raise FileNotFoundError(
                f"There is no folder {str(self.path.parent)!r} for the checkpoint"
                f" {self.path.name!r}."
            )
        if not self.path.exists():
            return None
        try:
            with open(self.path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                outline = json.loads(file["outline"].tobytes())
                arrays = {name: file[name] for name in file.files}
            if outline["format"] != _FORMAT:
                raise ValueError(f"its format is {outline['format']!r}")
            return _filled(outline["state"], arrays)
        except _UNREADABLE as error:
            raise ValueError(
                f"{str(self.path)!r} is no checkpoint that can be read: {error}. Delete"
                " it, or choose another path."
            ) from error

    def _write(self, state):
        """Replace the file by one with this state, in one step."""
        arrays = {}
        outline = {"format": _FORMAT, "state": _outlined(state, arrays)}
        text = np.frombuffer(json.dumps(outline).encode(), np.uint8)
        new = self.path.with_name(f"{self.path.name}.new")
        with open(new, "wb") as file:
            np.savez(file, outline=text, **dict(arrays.values()))
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.path)


# A state is dicts, lists and tuples of arrays, numbers, strings and None. Its outline
# is JSON, which keeps every bit of a float, with pairs of a word and a value for arrays
# and tuples. `arrays` has the name and the array by identity: what occurs twice is
# written once.


def _outlined(value, arrays):
    if isinstance(value, np.ndarray):
        name, _ = arrays.setdefault(id(value), (f"array_{len(arrays)}", value))
        return ["array", name]
    if isinstance(value, dict):
        return {name: _outlined(part, arrays) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return ["tuple", [_outlined(part, arrays) for part in value]]
    return value.item() if isinstance(value, np.generic) else value


def _filled(outline, arrays):
    if isinstance(outline, dict):
        return {name: _filled(part, arrays) for name, part in outline.items()}
    if isinstance(outline, list):
        kind, value = outline
        if kind == "array":
            return arrays[value]
        return tuple(_filled(part, arrays) for part in value)
    return outline

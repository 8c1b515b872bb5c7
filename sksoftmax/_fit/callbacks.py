"""scikit-learn's callbacks (`set_callbacks`), told of every iteration of a fit.

They are experimental there and exist from scikit-learn 1.9: all that depends on their
names is here.
"""

from sksoftmax._data.checks import features_of
from sksoftmax._fit.settings import max_iter_of, resolve_solver
from sksoftmax.callbacks import Checkpoint

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:
        """Stands for scikit-learn's where there are no callbacks yet."""

        def set_callbacks(self, *callbacks):
            """Set the checkpoint of the estimator, or none.

            Parameters
            ----------
            *callbacks : Checkpoint
                Other callbacks need scikit-learn 1.9.

            Returns
            -------
            self : estimator instance
                The estimator.
            """
            for callback in callbacks:
                if not isinstance(callback, Checkpoint):
                    raise TypeError(
                        "Callbacks other than sksoftmax.callbacks.Checkpoint need"
                        f" scikit-learn 1.9 or newer; got {callback!r}."
                    )
            vars(self).pop("_skl_callbacks", None)
            if callbacks:
                self._skl_callbacks = list(callbacks)
            return self

    def with_callbacks(method):
        """The method itself: there is nothing to tear down."""
        return method


__all__ = [
    "CallbackSupportMixin",
    "Monitor",
    "TaskMonitor",
    "checkpoint_of",
    "with_callbacks",
]


def checkpoint_of(estimator):
    """The `Checkpoint` among an estimator's callbacks, or None."""
    callbacks = getattr(estimator, "_skl_callbacks", [])
    found = [callback for callback in callbacks if isinstance(callback, Checkpoint)]
    if len(found) > 1:
        raise ValueError(f"A training has one Checkpoint, got {len(found)}.")
    return found[0] if found else None


class TaskMonitor:
    """Tells the callbacks of an estimator of a fit that begins now and of its tasks.

    data are X, y and sample_weight.
    """

    def __init__(self, estimator, data, n_tasks):
        X, y, sample_weight = data
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        self._context = estimator._init_callback_context(max_subtasks=n_tasks)
        self._told = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._context.call_on_fit_task_begin(**self._told)

    @classmethod
    def of(cls, estimator, *args):
        """The monitor of a fit, or None if no callbacks are set."""
        if not getattr(estimator, "_skl_callbacks", None):
            return None
        if not hasattr(estimator, "_init_callback_context"):  # scikit-learn < 1.9
            return None
        return cls(estimator, *args)

    def tell(self, task_name, attributes=None):
        """Tell of a task that has begun and ended; whether a callback asks to stop.

        attributes() are those of an estimator that is fitted as far as the task went.
        """
        context = self._context.subcontext(task_name=task_name)
        context.call_on_fit_task_begin(**self._told)
        return context.call_on_fit_task_end(
            **self._told, reconstruction_attributes=attributes
        )

    def end(self):
        """Tell that the fit is over and its attributes are in place."""
        self._context.call_on_fit_task_end(**self._told, reconstruction_attributes={})


class Monitor(TaskMonitor):
    """The same of iterations.

    checked are the settings, with what is recorded of the features.
    """

    def __init__(self, estimator, checked, classes, data):
        super().__init__(estimator, data, max_iter_of(checked))
        self._attributes = {  # that are known before the first iteration
            **features_of(checked),
            "classes_": classes,
            "solver_": resolve_solver(checked),
            "_activation": checked.activation,
        }

    def __call__(self, layers):
        """Tell of an iteration that ended at layers(); whether a callback asks to stop.

        The layers are made on demand.
        """

        def fitted():
            coefs, intercepts = map(list, zip(*layers(), strict=True))
            return {**self._attributes, "coefs_": coefs, "intercepts_": intercepts}

        return self.tell("iteration", fitted)

"""What is observed while a solver runs: the curves, and what verbose prints."""

from sksoftmax._solvers import Stop


class History:
    """The solver's callback; it records, and hands back the number to watch.

    Parameters
    ----------
    validation : Objective or None
        Whose value at each iterate is recorded, if given.
    verbose : int
        Whether to print a line an iteration.
    chunks : Chunks, optional
        Whose passes over the data are printed too: on large data they are the cost.
    monitor : Monitor, optional
        Told of each iteration; it may ask to stop, which raises `Stop`.
    layers : callable, optional
        w -> layers for the user's data, for the monitor.
    watches_validation : bool
        Whether the number to watch is the validation loss, if there is one. To look at
        that loss changes nothing otherwise.
    """

    def __init__(
        self,
        validation,
        verbose,
        *,
        chunks=None,
        monitor=None,
        layers=None,
        watches_validation=False,
    ):
        self.chunks, self.monitor, self.layers = chunks, monitor, layers
        self.validation, self.watches_validation = validation, watches_validation
        self.verbose = verbose
        self.w = None  # the last iterate
        self.loss_curve = []
        self.validation_loss_curve = []
        self.validation_score_curve = []

    def __call__(self, n_iter, w, value):
        self.w = w
        self.loss_curve.append(value)
        line = f"iteration {n_iter:4d}   loss {value:.8f}"
        watched = value
        if self.validation is not None:
            loss, accuracy = self.validation.value_and_accuracy(w)
            self.validation_loss_curve.append(loss)
            self.validation_score_curve.append(accuracy)
            line += f"   validation loss {loss:.8f}   accuracy {accuracy:.4f}"
            if self.watches_validation:
                watched = loss
        if self.verbose:
            if self.chunks is not None:
                line += f"   passes {self.chunks.n_passes:.1f}"
            print(line)
        if self.monitor is not None and self.monitor(lambda: self.layers(w)):
            raise Stop(watched)
        return watched

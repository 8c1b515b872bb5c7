"""What is observed while a solver runs: the curves, and what verbose prints."""


class History:
    """The solver's callback; it records, and hands back the number to watch.

    Parameters
    ----------
    validation : Objective or None
        Whose value at each iterate is recorded and watched, if given.
    verbose : int
        Whether to print a line an iteration.
    """

    def __init__(self, validation, verbose):
        self.validation = validation
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
            watched, accuracy = self.validation.value_and_accuracy(w)
            self.validation_loss_curve.append(watched)
            self.validation_score_curve.append(accuracy)
            line += f"   validation loss {watched:.8f}   accuracy {accuracy:.4f}"
        if self.verbose:
            print(line)
        return watched

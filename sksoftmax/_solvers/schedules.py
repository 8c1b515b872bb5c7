"""Schedules of the learning rate: factors on it, step by step.

A schedule is a function of the number of the step, which starts at 1 and goes on over
calls, and of the fraction of this call's epochs that are done, in [0, 1).
"""

import math

SCHEDULES = {
    "constant": lambda step, done: 1.0,
    "invscaling": lambda step, done: step**-0.5,
    # Loshchilov and Hutter (2017), SGDR: stochastic gradient descent with warm
    # restarts, ICLR, equation 5, without restarts.
    "cosine": lambda step, done: 0.5 + 0.5 * math.cos(math.pi * done),
    # Constant but for the cuts that `minibatch` makes when nothing improves.
    "adaptive": lambda step, done: 1.0,
}

# Schedules that lead to an end, after which there is nothing left to wait for.
PLANNED = {"cosine"}

# What "adaptive" divides the rate by when nothing improves, and the rate at which it
# stops: scikit-learn's.
CUT = 5.0
LOWEST_RATE = 1e-6

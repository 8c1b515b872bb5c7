"""
Effects and predicted probabilities
===================================

What do coefficients of a multinomial model mean? Nobody can tell from the table. This
example goes from a question to numbers that can be reported: by how much probabilities
change, and what they are for given people, with intervals.
"""

import matplotlib.pyplot as plt
import numpy as np
import statsmodels.api as sm

from sksoftmax.inference import from_formula
from sksoftmax.plotting import (
    CoefficientDisplay,
    MarginalEffectsDisplay,
    PredictionDisplay,
)

# %%
# The question
# ------------
# With which party did Americans identify in 1996, by age, education, income and their
# own place between left and right? ``educ`` has seven levels and ``income`` 24, from
# low to high; ``selfLR`` goes from 1, extremely liberal, to 7, extremely conservative.

data = sm.datasets.anes96.load_pandas().data
parties = np.array(["Democrat", "Independent", "Republican"])
data["party"] = parties[np.digitize(data["PID"], [2, 5])]
data["college"] = (data["educ"] >= 6).astype(int)
print(data["party"].value_counts())

# %%
# The fit
# -------
# A formula makes the design. Age enters with its square, so that its effect may change
# its sign.

formula = "party ~ selfLR + age + I(age ** 2) + college * income"
model = from_formula(formula, data)
result = model.summary(base="Independent", cov_type="HC1")
print(result)

# %%
# The coefficients are log-odds against Independents. Their exponentials are relative
# risk ratios. The ratio of age alone says nothing, because its square changes as well.

CoefficientDisplay(result).plot(exponentiate=True)
plt.show()

# %%
# Average effects
# ---------------
# By how much does each probability change? Age and its square are one variable here,
# and so are income and its interaction. A column of zeros and ones, ``college``,
# changes from 0 to 1; the numbers change by a standard deviation, so that they can be
# compared.

steps = {"selfLR": "sd", "age": "sd", "income": "sd"}
effects = model.marginal_effects(discrete=steps, cov_type="HC1")
print(effects)
MarginalEffectsDisplay(effects).plot()
plt.show()

# %%
# The effects on all classes add up to zero, and no class is the base. Does income
# matter more to people who went to college? Take its effect in both groups, and the
# difference:

options = {"discrete": False, "cov_type": "HC1"}
print(model.marginal_effects(by="college", contrasts="reference", **options))

# %%
# Probabilities along a column
# ----------------------------
# The curves are averages over all people in the survey, as if all were of one age, or
# of one place between left and right. The bands are 95 % intervals. They are computed
# on the scale of logits and never leave [0, 1].

figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for column, ax in zip(["age", "selfLR"], axes, strict=True):
    grid = np.linspace(data[column].min(), data[column].max(), 40)
    shares = model.predictions(at={column: grid}, cov_type="HC1")
    PredictionDisplay(shares).plot(ax=ax)
plt.show()

# %%
# Profiles
# --------
# Rows of a data frame are people. These two have the median of everything, without and
# with college.

people = data[["selfLR", "age", "income"]].median().to_frame().T
people = people.loc[people.index.repeat(2)].assign(college=[0, 1])
print(model.predictions(people))

# %%
# For a paper, ``to_latex`` writes each of these tables.

print(model.predictions(people).to_latex())

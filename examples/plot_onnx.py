"""
Export to ONNX
==============

A fitted model, or a pipeline that ends in one, can be written as a file for other
runtimes and languages. The probabilities there are the same.
"""

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
from skl2onnx import to_onnx as pipeline_to_onnx
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.export import register_skl2onnx, to_onnx

wine = load_wine()
X, y = wine.data, wine.target_names[wine.target]

# %%
# A model
# -------
# Labels may be strings. Probabilities are a tensor with one column per class. The graph
# has standard operators only, in the precision of the model.

model = SoftmaxRegressionClassifier((16,), random_state=0).fit(X, y)
graph = to_onnx(model)
print([node.op_type for node in graph.graph.node])

session = onnxruntime.InferenceSession(graph.SerializeToString())
name = session.get_inputs()[0].name
labels, P = session.run(None, {name: X})
print(labels[:3], P[:1].round(4))
print("labels agree:", bool((labels == model.predict(X)).all()))
print(f"largest difference: {np.abs(P - model.predict_proba(X)).max():.0e}")

# %%
# In single precision
# -------------------
# Single precision takes half the bytes, and accelerators are fastest with it. But the
# standardisation of the inputs is folded into the first layer, so features as large as
# these lose digits there. Measure the difference before you use it.

X32 = X.astype(np.float32)
single = to_onnx(model, X32, dtype=np.float32)
session = onnxruntime.InferenceSession(single.SerializeToString())
_, P_single = session.run(None, {name: X32})
difference = np.abs(P_single - model.predict_proba(X)).max(axis=1)

figure, ax = plt.subplots(layout="constrained")
ax.hist(np.log10(np.maximum(difference, 1e-12)), bins=30, color="#0072b2")
ax.set(xlabel="log10 of the largest difference in a row", ylabel="rows")

# %%
# Other runtimes than ONNX Runtime compute the same models;
# :doc:`the table of runtimes </benchmarks/runtimes>` says in which precision.

# %%
# A pipeline
# ----------
# skl2onnx converts scikit-learn's steps. Register this package's classifiers once.

register_skl2onnx()
pipeline = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier(alpha=0.1))
pipeline.fit(X, y)
graph = pipeline_to_onnx(pipeline, X[:1], options={id(pipeline[-1]): {"zipmap": False}})
session = onnxruntime.InferenceSession(graph.SerializeToString())
_, P = session.run(None, {session.get_inputs()[0].name: X})
print(f"largest difference: {np.abs(P - pipeline.predict_proba(X)).max():.0e}")

"""Fits a forest, writes it as skl2onnx does and, for our own writer, as the arrays of its trees.

forest.py FOLDER TASK ROWS COLUMNS CLASSES TREES MIN_SAMPLES_LEAF

FOLDER gets skl2onnx.onnx, forest.json (sizes), node arrays `<name>.bin` through all trees, rows.bin and expected.bin.
"""

import json
import os
import sys

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

folder, task = sys.argv[1:3]
rows, columns, classes, trees, leaf = (int(text) for text in sys.argv[3:])
options = {"n_estimators": trees, "min_samples_leaf": leaf, "random_state": 0, "n_jobs": 2}
if task == "classification":
    X, y = make_classification(
        rows, columns, n_informative=columns // 2, n_classes=classes, flip_y=0.1, random_state=0
    )
    model = RandomForestClassifier(max_features="sqrt", **options)
else:
    X, y = make_regression(rows, columns, n_informative=columns // 2, noise=10, random_state=0)
    model = RandomForestRegressor(max_features=1 / 3, **options)
X = X.astype(np.float32)
model.fit(X, y)
is_classifier = task == "classification"
onnx = to_onnx(model, X[:1], options={"zipmap": False} if is_classifier else None)
with open(os.path.join(folder, "skl2onnx.onnx"), "wb") as file:
    file.write(onnx.SerializeToString())


def down(values):
    """The largest float32 that is not above: `x <= t` is then the same for every float32 x."""
    rounded = values.astype(np.float32)
    return np.where(rounded > values, np.nextafter(rounded, np.float32(-np.inf)), rounded)


fitted = [estimator.tree_ for estimator in model.estimators_]
arrays = {
    "feature": np.concatenate([np.where(t.children_left < 0, -1, t.feature) for t in fitted]).astype(np.int32),
    "threshold": np.concatenate([down(t.threshold) for t in fitted]).astype(np.float32),
    "left": np.concatenate([t.children_left for t in fitted]).astype(np.int32),
    "right": np.concatenate([t.children_right for t in fitted]).astype(np.int32),
    "values": np.concatenate([t.value[:, 0, :] for t in fitted]).astype(np.float32),
}
for name, values in arrays.items():
    values.tofile(os.path.join(folder, f"{name}.bin"))
X[:1024].tofile(os.path.join(folder, "rows.bin"))
expected = model.predict_proba(X[:1024]) if is_classifier else model.predict(X[:1024])[:, None]
expected.astype(np.float32).tofile(os.path.join(folder, "expected.bin"))
sizes = [int(t.node_count) for t in fitted]
with open(os.path.join(folder, "forest.json"), "w") as file:
    json.dump({"sizes": sizes, "width": int(arrays["values"].shape[1])}, file)

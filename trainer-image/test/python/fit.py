"""Fits scikit-learn's LogisticRegression to data sets and checks ONNX files, for comparison with Slipway's trainer.

fit.py datasets         -> JSON on standard output: {name: {"features": [[...]], "targets": [...]}}
fit.py compare < JSON   -> for each {"features", "targets", "C", "solver", "onnx" (path)}: coefficients and probabilities
"""

import json
import sys

import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris, load_wine, make_classification
from sklearn.linear_model import LogisticRegression


def datasets():
    iris, wine, cancer = load_iris(), load_wine(), load_breast_cancer()
    cancer_scaled = (cancer.data - cancer.data.mean(axis=0)) / cancer.data.std(axis=0)
    made, made_target = make_classification(
        n_samples=300, n_features=12, n_informative=8, n_classes=5, random_state=7
    )
    sets = {
        "iris": (iris.data, iris.target_names[iris.target]),
        "wine, not scaled": (wine.data, wine.target_names[wine.target]),
        "breast cancer, two classes, standardised": (cancer_scaled, cancer.target_names[cancer.target]),
        "breast cancer, not scaled": (cancer.data, cancer.target_names[cancer.target]),
        "five classes given as numbers": (made, made_target * 5 - 10),
    }
    return {name: {"features": x.tolist(), "targets": [str(t) for t in y]} for name, (x, y) in sets.items()}


def compare(task):
    import onnx
    import onnxruntime

    features = np.array(task["features"], dtype=np.float64)
    targets = np.array(task["targets"])
    if all(t.lstrip("-").isdigit() for t in task["targets"]):
        targets = targets.astype(np.int64)
    # All solvers minimise the same function; which one reaches the minimum to many digits depends on the data's scale.
    model = LogisticRegression(C=task["C"], solver=task["solver"], tol=1e-10, max_iter=100_000)
    model.fit(features, targets)
    onnx.checker.check_model(onnx.load(task["onnx"]), full_check=True)
    session = onnxruntime.InferenceSession(task["onnx"], providers=["CPUExecutionProvider"])
    label, probabilities = session.run(["label", "probabilities"], {"features": features.astype(np.float32)})
    return {
        "coef": model.coef_.tolist(),
        "intercept": model.intercept_.tolist(),
        "classes": [str(c) for c in model.classes_],
        "expected": model.predict_proba(features).tolist(),
        "label": label.tolist(),
        "probabilities": probabilities.tolist(),
    }


if __name__ == "__main__":
    if sys.argv[1] == "datasets":
        json.dump(datasets(), sys.stdout)
    else:
        json.dump([compare(task) for task in json.load(sys.stdin)], sys.stdout)

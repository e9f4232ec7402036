"""The three models of the serving benchmark, each trained once: the estimator for the Python servers, and its ONNX export.

make_models.py FOLDER -> FOLDER/<model>/{model.joblib, model.onnx, facts.json}
facts.json: feature names, class labels, rows to ask about, the estimator's class of each row, and versions.
"""

import json
import pathlib
import sys

import joblib
import numpy as np
import onnxruntime
import skl2onnx
import sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_iris, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

ROWS = 4096
# Float and double arithmetic may disagree where two classes are this close.
MARGIN = 0.02
IRIS_FEATURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
IRIS_LABELS = ["setosa", "versicolor", "virginica"]


def iris_like(random):
    """The 150 flowers, and rows to ask about: the same with noise, written with one decimal as the flowers are."""
    X, y = load_iris(return_X_y=True)
    rows = X[random.integers(0, len(X), ROWS)] + random.normal(0, 0.2, (ROWS, 4))
    return X, y, np.clip(np.round(rows, 1), 0.1, None)


def wide(random):
    X, y = make_classification(
        n_samples=12_000, n_features=30, n_informative=15, n_classes=3, class_sep=0.8, random_state=11
    )
    X = np.round(X, 4)
    return X[:8_000], y[:8_000], X[8_000 : 8_000 + ROWS]


def models(random):
    X, y, rows = iris_like(random)
    yield "lr", LogisticRegression(max_iter=1000).fit(X, y), rows, IRIS_FEATURES, IRIS_LABELS
    # Noise makes the trees as deep as they may be; on the clean flowers most end after three questions.
    noisy = np.round(np.repeat(X, 20, axis=0) + random.normal(0, 0.6, (len(X) * 20, 4)), 1)
    forest = RandomForestClassifier(n_estimators=100, max_depth=6, n_jobs=1, random_state=1)
    yield "rf100", forest.fit(noisy, np.repeat(y, 20)), rows, IRIS_FEATURES, IRIS_LABELS
    X, y, rows = wide(random)
    forest = RandomForestClassifier(n_estimators=500, max_depth=10, n_jobs=1, random_state=1)
    yield "rf500", forest.fit(X, y), rows, [f"f{i}" for i in range(30)], ["low", "middle", "high"]


def clear(model, rows):
    """The rows whose class nobody can see otherwise."""
    top = np.sort(model.predict_proba(rows), axis=1)
    return rows[top[:, -1] - top[:, -2] > MARGIN]


def exported(model, width):
    options = {id(model): {"zipmap": False}}
    initial = [("features", FloatTensorType([None, width]))]
    onnx = skl2onnx.convert_sklearn(model, initial_types=initial, options=options)
    return onnx.SerializeToString()


def main(folder):
    random = np.random.default_rng(5)
    versions = {"scikit-learn": sklearn.__version__, "skl2onnx": skl2onnx.__version__}
    for name, model, rows, features, labels in models(random):
        home = pathlib.Path(folder, name)
        home.mkdir(parents=True, exist_ok=True)
        rows = clear(model, rows)[:2048]
        onnx = exported(model, len(features))
        session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
        theirs = session.run(None, {"features": rows.astype(np.float32)})[0]
        classes = model.predict(rows)
        if not np.array_equal(theirs, classes):
            raise SystemExit(f"{name}: the export does not predict what the estimator does")
        joblib.dump(model, home / "model.joblib")
        (home / "model.onnx").write_bytes(onnx)
        facts = {
            "features": features,
            "labels": labels,
            "rows": rows.tolist(),
            "classes": classes.tolist(),
            "outputs": [output.name for output in session.get_outputs()],
            "versions": versions,
        }
        (home / "facts.json").write_text(json.dumps(facts))


main(sys.argv[1])

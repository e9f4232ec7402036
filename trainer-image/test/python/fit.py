"""What scikit-learn and Python's onnxruntime make of the data and files of Slipway's trainer.

fit.py datasets ABALONE_CSV -> JSON on standard output: [{name, task, columns: [{name, kind, values}], target}]; null is missing
fit.py compare < JSON       -> for each task what `compare` returns
"""

import csv
import json
import sys

import numpy as np
from sklearn import datasets, metrics
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge


def numbers(name, values):
    return {"name": name, "kind": "number", "values": [None if np.isnan(v) else float(v) for v in values]}


def matrix(name, task, X, target, names=None):
    names = [f"x{i}" for i in range(X.shape[1])] if names is None else names
    columns = [numbers(str(n), X[:, j]) for j, n in enumerate(names)]
    return {"name": name, "task": task, "columns": columns, "target": [str(t) for t in target]}


def toy(name, load):
    data = load()
    if not hasattr(data, "target_names"):
        return matrix(name, "regression", data.data, data.target, data.feature_names)
    return matrix(name, "classification", data.data, data.target_names[data.target], data.feature_names)


def abalone(path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    names = [n for n in rows[0] if n not in ("Sex", "Rings")]
    columns = [{"name": "Sex", "kind": "category", "values": [r["Sex"] for r in rows]}]
    columns += [numbers(n, [float(r[n]) for r in rows]) for n in names]
    return {"name": "abalone", "task": "regression", "columns": columns, "target": [r["Rings"] for r in rows]}


def with_gaps(name, task, X, target):
    """Some numbers missing, some more often where the target is high, and a text column of which some cells are too."""
    random = np.random.default_rng(3)
    X = X.copy()
    X[random.random(X.shape) < 0.1] = np.nan
    colours = np.array(["blue", "green", "red", "violet"])[random.integers(0, 4, len(X))].tolist()
    data = matrix(name, task, X, target)
    colours = [None if gone else c for c, gone in zip(colours, random.random(len(X)) < 0.15)]
    data["columns"].insert(1, {"name": "colour (of paint)", "kind": "category", "values": colours})
    return data


def all_datasets(abalone_path):
    five, five_target = datasets.make_classification(
        n_samples=300, n_features=12, n_informative=8, n_classes=5, random_state=7
    )
    gaps, gaps_target = datasets.make_classification(
        n_samples=800, n_features=8, n_informative=6, n_classes=3, class_sep=1.5, random_state=5
    )
    friedman, friedman_target = datasets.make_friedman1(n_samples=800, n_features=8, noise=1.0, random_state=5)
    return [
        toy("iris", datasets.load_iris),
        toy("wine", datasets.load_wine),
        toy("breast cancer", datasets.load_breast_cancer),
        toy("diabetes", datasets.load_diabetes),
        abalone(abalone_path),
        matrix("five classes given as numbers", "classification", five, five_target * 5 - 10),
        with_gaps("classes, with gaps", "classification", gaps, gaps_target),
        with_gaps("quantity, with gaps", "regression", friedman, friedman_target),
    ]


def model_for(algorithm, task, parameters):
    is_classifier = task == "classification"
    if algorithm == "logistic-regression":
        # All solvers minimise the same function; this one reaches the minimum to many digits whatever the data's scale.
        return LogisticRegression(
            C=parameters["C"],
            class_weight=parameters["class_weight"],
            solver="newton-cholesky",
            tol=1e-10,
            max_iter=10_000,
        )
    if algorithm == "linear-regression":
        return LinearRegression()
    if algorithm == "ridge":
        return Ridge(alpha=parameters["alpha"], solver="cholesky")
    if algorithm == "random-forest":
        forest = RandomForestClassifier if is_classifier else RandomForestRegressor
        return forest(n_estimators=parameters["n_estimators"], random_state=42)
    boosting = HistGradientBoostingClassifier if is_classifier else HistGradientBoostingRegressor
    return boosting(max_iter=parameters["max_iter"], random_state=42)


def coefficients(model, X, y):
    model.fit(X, y)
    iterations = np.max(getattr(model, "n_iter_", None) or 0)
    return {
        "coef": np.atleast_2d(model.coef_).tolist(),
        "intercept": np.atleast_1d(model.intercept_).tolist(),
        "converged": bool(iterations < 10_000),
    }


def cross_validated(task, X, y):
    scores = []
    for train, validation in task["folds"]:
        model = model_for(task["algorithm"], task["task"], task["parameters"])
        model.fit(X[train], y[train])
        scores.append(float(model.score(X[validation], y[validation])))
    return scores


def scored(task, y):
    predicted = np.array(task["predicted"])
    if task["task"] == "regression":
        mse = metrics.mean_squared_error(y, predicted)
        return {
            "mse": mse,
            "rmse": float(np.sqrt(mse)),
            "mae": metrics.mean_absolute_error(y, predicted),
            "r2": metrics.r2_score(y, predicted),
        }
    probabilities = np.array(task["probabilities"]).reshape(len(y), -1)
    classes = np.arange(probabilities.shape[1])
    average = {"average": "macro", "zero_division": 0}
    scores = probabilities[:, 1] if len(classes) == 2 else probabilities
    return {
        "accuracy": metrics.accuracy_score(y, predicted),
        "log_loss": metrics.log_loss(y, probabilities, labels=classes),
        "f1_macro": metrics.f1_score(y, predicted, **average),
        "precision_macro": metrics.precision_score(y, predicted, **average),
        "recall_macro": metrics.recall_score(y, predicted, **average),
        "roc_auc": metrics.roc_auc_score(y, scores, multi_class="ovr", labels=classes),
    }


def run_onnx(path, columns):
    import onnx
    import onnxruntime

    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    numeric = [np.array(c["values"], dtype=np.float32) for c in columns if c["kind"] == "number"]
    if len(numeric) == len(columns):
        feeds = {session.get_inputs()[0].name: np.stack(numeric, axis=1)}
    else:
        feeds = {
            c["name"]: np.array(c["values"], dtype=np.float32)[:, None]
            if c["kind"] == "number"
            else np.array([v or "" for v in c["values"]], dtype=object)[:, None]
            for c in columns
        }
    outputs = session.run(None, feeds)
    return {"label": outputs[0].tolist() if len(outputs) == 2 else None, "values": outputs[-1].ravel().tolist()}


def compare(task):
    X = np.array(task["design"], dtype=np.float64)
    y = np.array(task["target"])
    model = model_for(task["algorithm"], task["task"], task["parameters"])
    is_linear = task["algorithm"] in ("logistic-regression", "linear-regression", "ridge")
    return {
        "coefficients": coefficients(model, X, y) if is_linear else None,
        "scores": None if is_linear else cross_validated(task, X, y),
        "onnx": run_onnx(task["onnx"], task["columns"]),
        "metrics": scored(task, y),
    }


if __name__ == "__main__":
    if sys.argv[1] == "datasets":
        json.dump(all_datasets(sys.argv[2]), sys.stdout)
    else:
        json.dump([compare(task) for task in json.load(sys.stdin)], sys.stdout)

"""Trains scikit-learn models and saves them as mlflow.onnx.log_model does, for comparison with what is served.

log_models.py FOLDER -> one folder per model below FOLDER; JSON on standard output, by model:
  {"rows": [{column: value}], "labels": [...], "probabilities": [[...]] or null, "values": [...] or null}
"""

import json
import os
import sys
import warnings

os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true", GIT_PYTHON_REFRESH="quiet")
warnings.filterwarnings("ignore")

import mlflow.onnx
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from skl2onnx import to_onnx
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

IRIS = load_iris(as_frame=True)
FRAME = IRIS.data.astype(np.float32)
MATRIX = FRAME.to_numpy()
IDS = IRIS.target.to_numpy()
NAMES = IRIS.target_names[IDS]
SAMPLE = np.arange(0, 150, 7)

MIXED = FRAME.rename(columns=lambda name: name.replace(" (cm)", "").replace(" ", "_"))
MIXED = MIXED.assign(colour=np.where(IDS == 0, "white", np.where(MIXED.sepal_width > 3, "blue", "violet")))


def by_matrix(model, targets, *, options=None, signature=False):
    """Fitted on and exported with one matrix; columns have names only by the signature."""
    model.fit(MATRIX, targets)
    onnx = to_onnx(model, MATRIX[:1], options=options and {id(model): options})
    described = infer_signature(FRAME, model.predict(MATRIX)) if signature else None
    names = list(FRAME.columns) if signature else [f"X_{i}" for i in range(4)]
    return model, onnx, described, MATRIX, pd.DataFrame(MATRIX, columns=names)


def by_columns(model, frame, targets, *, signature=False, dtype=None):
    """Fitted on and exported with a data frame: one input per column."""
    frame = frame.astype(dtype) if dtype else frame
    model.fit(frame, targets)
    onnx = to_onnx(model, frame[:1])
    described = infer_signature(frame, model.predict(frame)) if signature else None
    names = {} if signature else {input.name: None for input in onnx.graph.input}
    rows = frame.set_axis(list(names), axis="columns") if names else frame
    return model, onnx, described, frame, rows


def encoder():
    return ColumnTransformer([("colour", OneHotEncoder(), ["colour"])], remainder="passthrough")


def logistic():
    return LogisticRegression(max_iter=1000)


def tensors():
    model, onnx, _, data, rows = by_matrix(logistic(), IDS)
    return model, onnx, infer_signature(MATRIX, model.predict(MATRIX)), data, rows


MODELS = {
    "classes are numbers": lambda: by_matrix(logistic(), IDS, signature=True),
    "classes are names": lambda: by_matrix(logistic(), NAMES, signature=True),
    "no signature": lambda: by_matrix(logistic(), NAMES),
    "a signature of tensors": tensors,
    "two classes": lambda: by_matrix(logistic(), (IDS == 1).astype(int), signature=True),
    "two classes with names": lambda: by_matrix(logistic(), np.where(IDS == 1, "yes", "no")),
    "numbers that are no positions": lambda: by_matrix(logistic(), IDS * 5 - 3, signature=True),
    "zipmap False": lambda: by_matrix(logistic(), IDS, options={"zipmap": False}),
    "zipmap False, names": lambda: by_matrix(logistic(), NAMES, options={"zipmap": False}),
    "zipmap columns": lambda: by_matrix(logistic(), IDS, options={"zipmap": "columns"}),
    "pipeline": lambda: by_matrix(make_pipeline(StandardScaler(), logistic()), NAMES, signature=True),
    "random forest": lambda: by_matrix(RandomForestClassifier(20, random_state=0), NAMES),
    "gradient boosting": lambda: by_matrix(GradientBoostingClassifier(n_estimators=10, random_state=0), IDS),
    "decision tree": lambda: by_matrix(DecisionTreeClassifier(random_state=0), IDS),
    "neural network": lambda: by_matrix(MLPClassifier((8,), max_iter=300, random_state=0), NAMES),
    "support vectors": lambda: by_matrix(SVC(probability=True, random_state=0), IDS),
    "naive Bayes": lambda: by_matrix(GaussianNB(), NAMES),
    "linear regression": lambda: by_matrix(LinearRegression(), MATRIX[:, 3] * 2 + MATRIX[:, 0], signature=True),
    "regression forest": lambda: by_matrix(RandomForestRegressor(20, random_state=0), MATRIX[:, 3]),
    "columns": lambda: by_columns(make_pipeline(StandardScaler(), logistic()), FRAME, NAMES),
    "columns with MLflow's names": lambda: by_columns(make_pipeline(StandardScaler(), logistic()), FRAME, IDS, signature=True),
    "columns of doubles": lambda: by_columns(make_pipeline(StandardScaler(), logistic()), FRAME, IDS, signature=True, dtype=float),
    "a column of text": lambda: by_columns(make_pipeline(encoder(), logistic()), MIXED, NAMES, signature=True),
}


def plain(values):
    return np.asarray(values).tolist()


def save(name, folder):
    model, onnx, signature, data, rows = MODELS[name]()
    part = data.iloc[SAMPLE] if isinstance(data, pd.DataFrame) else data[SAMPLE]
    path = os.path.join(folder, name)
    mlflow.onnx.save_model(onnx, path, signature=signature, pip_requirements=["onnxruntime"])
    is_classifier = hasattr(model, "predict_proba")
    return {
        "rows": json.loads(rows.iloc[SAMPLE].to_json(orient="records", double_precision=15)),
        "labels": [str(label) for label in model.predict(part)] if is_classifier else None,
        "classes": [str(label) for label in model.classes_] if is_classifier else None,
        "probabilities": plain(model.predict_proba(part)) if is_classifier else None,
        "values": None if is_classifier else plain(model.predict(part)),
    }


if __name__ == "__main__":
    # What the converters and mlflow have to say on the way is not the result.
    out, sys.stdout = sys.stdout, sys.stderr
    json.dump({name: save(name, sys.argv[1]) for name in MODELS}, out)

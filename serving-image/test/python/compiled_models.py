"""Trains scikit-learn models of many kinds and writes them as skl2onnx exports them by default.

compiled_models.py FOLDER -> FOLDER/<kind>.onnx; the kinds, one a line, on standard output.
"""

import sys
import warnings

warnings.filterwarnings("ignore")

import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

X, THREE = load_iris(return_X_y=True)
X = X.astype(np.float32)
NAMES = load_iris().target_names[THREE]
TWO = (X[:, 0] + X[:, 1] * np.random.default_rng(0).uniform(0.5, 1.5, 150) > 8.5).astype(int)
D, QUANTITY = load_diabetes(return_X_y=True)
D = D.astype(np.float32)
FRAME = pd.DataFrame(X, columns=["a", "b", "c", "d"])
FRAME["colour"] = np.where(THREE == 0, "white", np.where(X[:, 1] > 3, "blue", "violet"))

hot = ColumnTransformer(
    [("o", OneHotEncoder(handle_unknown="ignore"), ["colour"]), ("s", StandardScaler(), ["a", "b", "c", "d"])]
)
ordinal = ColumnTransformer([("o", OrdinalEncoder(), ["colour"])], remainder="passthrough")

MODELS = {
    "logistic-2": (LogisticRegression(), X, TWO),
    "logistic-3": (LogisticRegression(), X, THREE),
    "logistic-names": (LogisticRegression(), X, NAMES),
    "linear": (LinearRegression(), D, QUANTITY),
    "ridge": (Ridge(), D, QUANTITY),
    "ridge-double": (Ridge(), D.astype(np.float64), QUANTITY),
    "forest-2": (RandomForestClassifier(25, max_depth=6, random_state=0), X, TWO),
    "forest-3": (RandomForestClassifier(100, max_depth=6, random_state=0), X, THREE),
    "forest-names": (ExtraTreesClassifier(30, random_state=0), X, NAMES),
    "forest-quantity": (RandomForestRegressor(50, max_depth=8, random_state=0), D, QUANTITY),
    "boosting-2": (GradientBoostingClassifier(n_estimators=30, random_state=0), X, TWO),
    "boosting-3": (GradientBoostingClassifier(n_estimators=30, random_state=0), X, THREE),
    "boosting-quantity": (GradientBoostingRegressor(n_estimators=50, random_state=0), D, QUANTITY),
    "tree-names": (DecisionTreeClassifier(random_state=0), X, NAMES),
    "tree-quantity": (DecisionTreeRegressor(max_depth=6, random_state=0), D, QUANTITY),
    "scaled": (make_pipeline(StandardScaler(), LogisticRegression()), X, THREE),
    "imputed": (make_pipeline(SimpleImputer(), MinMaxScaler(), LogisticRegression()), X, THREE),
    "normalized": (make_pipeline(RobustScaler(), Normalizer(), RandomForestClassifier(10, random_state=0)), X, THREE),
    "sgd": (SGDClassifier(loss="log_loss", random_state=0), X, TWO),
    "hinge": (SGDClassifier(random_state=0), X, TWO),
    "network": (MLPClassifier((16, 8), max_iter=60, random_state=0), X, THREE),
    "network-2": (MLPClassifier((16,), max_iter=60, random_state=0), X, TWO),
    "network-quantity": (MLPRegressor(hidden_layer_sizes=(16,), max_iter=60, random_state=0), D, QUANTITY),
    "mixed": (make_pipeline(hot, LogisticRegression()), FRAME, THREE),
    "mixed-forest": (make_pipeline(hot, RandomForestClassifier(20, random_state=0)), FRAME, NAMES),
    "ordinal": (make_pipeline(ordinal, GradientBoostingClassifier(n_estimators=8, random_state=0)), FRAME, THREE),
}

for kind, (model, rows, target) in MODELS.items():
    model.fit(rows, target)
    with open(f"{sys.argv[1]}/{kind}.onnx", "wb") as file:
        file.write(to_onnx(model, rows[:1]).SerializeToString())
    print(kind)

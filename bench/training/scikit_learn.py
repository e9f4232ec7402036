"""scikit-learn's side of bench/training.ts, and the maker of the data for both.

scikit_learn.py make <folder> <rows> <columns>   writes the data sets
scikit_learn.py fit <folder> <case as JSON>      fits once, and again for each line it reads; prints figures as JSON
scikit_learn.py version
"""

import json
import os
import sys
import time

import numpy as np
import sklearn
from sklearn.datasets import make_classification, make_friedman1
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

WARM_ROWS = 2000


def make(folder, rows, columns):
    total = rows + max(rows // 4, 1000)
    informative = max(columns // 2, 5)
    common = dict(n_samples=total, n_features=columns, n_informative=informative, flip_y=0.05, random_state=1)
    sets = {
        "two-classes": make_classification(**common),
        "four-classes": make_classification(n_classes=4, **common),
        "quantity": make_friedman1(n_samples=total, n_features=columns, noise=1.0, random_state=1),
    }
    for name, (x, y) in sets.items():
        np.ascontiguousarray(x.astype(np.float32).T).tofile(os.path.join(folder, name + ".x"))
        y.astype(np.float64).tofile(os.path.join(folder, name + ".y"))


def estimator(case):
    kind, trees = case["algorithm"], case["trees"]
    classes = case["classes"] > 0
    if kind == "logistic-regression":
        return LogisticRegression(max_iter=10_000)
    if kind == "linear-regression":
        return LinearRegression()
    if kind == "ridge":
        return Ridge()
    if kind == "random-forest":
        forest = RandomForestClassifier if classes else RandomForestRegressor
        return forest(n_estimators=trees, n_jobs=1, random_state=42)
    boosting = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    return boosting(max_iter=trees, early_stopping=False, random_state=42)


def read(folder, case):
    columns = case["columns"]
    y = np.fromfile(os.path.join(folder, case["data"] + ".y"), np.float64)
    if case["classes"] > 0:
        y = y.astype(np.int64)
    x = np.fromfile(os.path.join(folder, case["data"] + ".x"), np.float32).reshape(columns, -1).T
    # As pandas or numpy would hold them; the copy to the type an estimator wants is its own.
    return np.ascontiguousarray(x, dtype=np.float64), y


def status(field):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


def measure(folder, case):
    x, y = read(folder, case)
    rows = case["rows"]
    train_x, train_y = x[:rows].copy(), y[:rows].copy()
    estimator(case).fit(train_x[:WARM_ROWS], train_y[:WARM_ROWS])
    while True:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        before = status("VmRSS")
        start = time.process_time()
        model = estimator(case).fit(train_x, train_y)
        seconds = time.process_time() - start
        memory = status("VmHWM") - before
        score = model.score(x[rows:], y[rows:])
        print(json.dumps({"seconds": seconds, "memory": memory, "score": score}), flush=True)
        if not sys.stdin.readline():
            return


if __name__ == "__main__":
    if sys.argv[1] == "version":
        print(f"scikit-learn {sklearn.__version__}, numpy {np.__version__}")
    elif sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        measure(sys.argv[2], json.loads(sys.argv[3]))

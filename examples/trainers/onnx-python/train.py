"""Trains a forest on /input/train and says everything a trainer can say, in files. Needs no library of Slipway's.

Parameters: target (the column to predict), n_estimators, max_depth, random_state, each as PARAM_<NAME>.
"""

import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.model_selection import train_test_split

INPUT, OUTPUT = Path("/input"), Path("/output")
STEP = 10


def parameter(name: str, default: str) -> str:
    return os.environ.get(f"PARAM_{name.upper()}", default)


def write_json(path: Path, value: object) -> None:
    """In one move: whoever reads while this runs sees the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(value))
    partial.replace(path)


class Report:
    """Progress and live metrics."""

    def __init__(self, total: int):
        self.total = total
        self.started = time.monotonic()

    def step(self, trees: int, metrics: dict[str, float]) -> None:
        left = (time.monotonic() - self.started) / trees * (self.total - trees)
        message = f"tree {trees} of {self.total}"
        write_json(
            OUTPUT / "progress.json",
            {"percent": round(100 * trees / self.total, 1), "etaSeconds": round(left, 1), "message": message},
        )
        with open(OUTPUT / "metrics.jsonl", "a") as lines:
            for key, value in metrics.items():
                lines.write(json.dumps({"key": key, "value": value, "step": trees, "ts": round(time.time() * 1000)}) + "\n")
        print(message, metrics, flush=True)


target = parameter("target", "species")
table = pd.read_csv(INPUT / "train")
if target not in table.columns:
    raise SystemExit(f"parameter target: there is no column {target!r}; expected one of {', '.join(table.columns)}")
columns = [name for name in table.columns if name != target]
classes, ids = np.unique(table[target].to_numpy(str), return_inverse=True)
# What the served model is given is float32: train on exactly that.
X_train, X_test, y_train, y_test = train_test_split(
    table[columns].to_numpy(np.float32), ids, test_size=0.25, random_state=0, stratify=ids
)

used = {
    "n_estimators": int(parameter("n_estimators", "100")),
    "max_depth": int(parameter("max_depth", "6")),
    "random_state": int(parameter("random_state", "42")),
}
forest = RandomForestClassifier(**{**used, "n_estimators": 0}, warm_start=True)
report = Report(used["n_estimators"])
for trees in [*range(STEP, used["n_estimators"], STEP), used["n_estimators"]]:
    forest.set_params(n_estimators=trees).fit(X_train, y_train)
    report.step(trees, {"validation_log_loss": float(log_loss(y_test, forest.predict_proba(X_test)))})

predicted = forest.predict(X_test)
accuracy = float(accuracy_score(y_test, predicted))
(OUTPUT / "model").mkdir(exist_ok=True)
model = to_onnx(forest, X_train[:1], options={"zipmap": False})
(OUTPUT / "model" / "model.onnx").write_bytes(model.SerializeToString())

labels = classes.tolist()
write_json(
    OUTPUT / "signature.json",
    {
        "inputs": [{"name": name, "type": "float32"} for name in columns],
        "outputs": [
            {"name": model.graph.output[0].name, "type": "int64", "labels": labels},
            {"name": model.graph.output[1].name, "type": "float32", "labels": labels},
        ],
    },
)
rows = X_test[:10]
write_json(
    OUTPUT / "examples.json",
    {
        "inputs": [dict(zip(columns, map(float, row))) for row in rows],
        "outputs": {
            model.graph.output[0].name: forest.predict(rows).tolist(),
            model.graph.output[1].name: forest.predict_proba(rows).tolist(),
        },
    },
)
held_out = pd.DataFrame(X_test, columns=columns)
held_out["__target__"] = classes[y_test]
held_out.to_csv(OUTPUT / "held-out.csv", index=False)
write_json(OUTPUT / "params.json", {"target": target, **{name: str(value) for name, value in used.items()}})
write_json(
    OUTPUT / "metrics.json",
    {
        "accuracy": accuracy,
        "validation_f1_macro": float(f1_score(y_test, predicted, average="macro")),
        "train_samples": len(y_train),
        "validation_samples": len(y_test),
    },
)

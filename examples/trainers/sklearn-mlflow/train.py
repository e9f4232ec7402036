"""A script as it was before there was a cluster: it knows mlflow and nothing else.

    pip install -r requirements.txt
    MLFLOW_TRACKING_URI=http://127.0.0.1:5000 python train.py --depth 3
"""

import argparse

import mlflow
import mlflow.onnx
from mlflow.models import infer_signature
from skl2onnx import to_onnx
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--trees", type=int, default=50)
parser.add_argument("--depth", type=int, default=4)
args = parser.parse_args()

wine = load_wine(as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(
    wine.data.astype("float32"), wine.target, test_size=0.25, random_state=42, stratify=wine.target
)

mlflow.set_experiment("wine")
with mlflow.start_run() as run:
    mlflow.log_params({"trees": args.trees, "depth": args.depth})
    forest = RandomForestClassifier(max_depth=args.depth, warm_start=True, random_state=42)
    for trees in range(10, args.trees + 1, 10):
        forest.set_params(n_estimators=trees).fit(X_train, y_train)
        mlflow.log_metric("log_loss", log_loss(y_test, forest.predict_proba(X_test)), step=trees)
    accuracy = accuracy_score(y_test, forest.predict(X_test))
    mlflow.log_metric("accuracy", accuracy)
    mlflow.onnx.log_model(
        to_onnx(forest, X_train.to_numpy()[:1], options={"zipmap": False}),
        name="model",
        registered_model_name="wine",
        signature=infer_signature(X_test, forest.predict(X_test)),
        pip_requirements=["onnx", "onnxruntime"],
    )
print(f"run {run.info.run_id}: accuracy {accuracy:.4f}")

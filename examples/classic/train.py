"""Trains a classifier on iris, logs it with its parameters and its accuracy, registers it and moves it to Production.

    pip install mlflow scikit-learn
    export MLFLOW_TRACKING_URI=http://127.0.0.1:5000/n/default
    export MLFLOW_TRACKING_TOKEN=$(kubectl create token notebook)
    python train.py
"""

import os

import mlflow
import mlflow.sklearn
from mlflow.tracking import MlflowClient
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

MODEL = "iris-classifier"
STAGE = os.environ.get("STAGE", "Production")
params = {"C": float(os.environ.get("C", "1.0")), "max_iter": 200}

X, y = load_iris(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=42)

mlflow.set_experiment("iris")
with mlflow.start_run():
    model = LogisticRegression(**params).fit(X_train, y_train)
    accuracy = accuracy_score(y_test, model.predict(X_test))

    mlflow.log_params(params)
    mlflow.log_metric("accuracy", accuracy)
    mlflow.sklearn.log_model(model, "model", registered_model_name=MODEL, input_example=X_test[:5])

client = MlflowClient()
version = max(int(v.version) for v in client.search_model_versions(f"name='{MODEL}'"))
client.transition_model_version_stage(MODEL, str(version), STAGE)
print(f"{MODEL} version {version} (accuracy {accuracy:.3f}) is in {STAGE}")

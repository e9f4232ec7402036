"""Trains a classifier on iris, logs it, registers it and moves it to Production: a script as it stands in many notebooks.

    pip install mlflow scikit-learn
    export MLFLOW_TRACKING_URI=http://127.0.0.1:5000
    python iris.py
"""

import mlflow
import mlflow.sklearn
from mlflow.tracking import MlflowClient
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

MODEL = "iris-classifier"

features, species = load_iris(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(features, species, test_size=0.2, random_state=42)

mlflow.set_experiment("iris")
with mlflow.start_run(run_name="logistic-regression") as run:
    model = LogisticRegression(C=1.0, max_iter=200)
    model.fit(X_train, y_train)
    accuracy = accuracy_score(y_test, model.predict(X_test))

    mlflow.log_param("C", 1.0)
    mlflow.log_param("max_iter", 200)
    mlflow.log_metric("accuracy", accuracy)
    mlflow.sklearn.log_model(model, "model", registered_model_name=MODEL, pip_requirements=["scikit-learn"])
print(f"run {run.info.run_id}: accuracy {accuracy:.4f}")

client = MlflowClient()
version = client.get_latest_versions(MODEL, stages=["None"])[0].version
for stage in ["Staging", "Production"]:
    client.transition_model_version_stage(MODEL, version, stage, archive_existing_versions=True)
    print(f"{MODEL} version {version} is in {stage}")

production = mlflow.pyfunc.load_model(f"models:/{MODEL}/Production")
print(f"the first flower of the test set is of species {production.predict(X_test[:1])[0]}")

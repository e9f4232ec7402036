"""As iris.py, saved as ONNX: an InferenceService with `model: iris-onnx` serves what this registers.

    pip install mlflow scikit-learn skl2onnx onnx onnxruntime
    export MLFLOW_TRACKING_URI=http://127.0.0.1:5000
    python iris_onnx.py
"""

import mlflow
import mlflow.onnx
from mlflow.tracking import MlflowClient
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

MODEL = "iris-onnx"

features, species = load_iris(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    features.astype("float32"), species, test_size=0.2, random_state=42
)

mlflow.set_experiment("iris")
with mlflow.start_run(run_name="onnx") as run:
    model = LogisticRegression(C=1.0, max_iter=200).fit(X_train, y_train)
    mlflow.log_params({"C": 1.0, "max_iter": 200})
    mlflow.log_metric("accuracy", model.score(X_test, y_test))
    # As skl2onnx makes it: the probabilities are a ZipMap, a list of dictionaries.
    mlflow.onnx.log_model(
        to_onnx(model, X_train[:1]), "model", registered_model_name=MODEL, pip_requirements=["onnx", "onnxruntime"]
    )
print(f"run {run.info.run_id}")

client = MlflowClient()
version = max(int(v.version) for v in client.search_model_versions(f"name = '{MODEL}'"))
client.transition_model_version_stage(MODEL, str(version), "Production", archive_existing_versions=True)
client.set_registered_model_alias(MODEL, "champion", str(version))
print(f"{MODEL} version {version} is in Production and is the champion")

champion = mlflow.pyfunc.load_model(f"models:/{MODEL}@champion")
print(f"the first flower of the test set is of species {champion.predict(X_test[:1])['output_label'][0]}")

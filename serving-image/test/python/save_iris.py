"""The same scikit-learn model twice: as mlflow.sklearn saves it, and as ONNX.

save_iris.py FOLDER -> FOLDER/sklearn, FOLDER/onnx
"""

import os
import sys
import warnings

os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true", GIT_PYTHON_REFRESH="quiet")
warnings.filterwarnings("ignore")

import mlflow.onnx
import mlflow.sklearn
from mlflow.models import infer_signature
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

iris = load_iris(as_frame=True)
frame = iris.data.astype("float32").rename(columns=lambda name: name.replace(" (cm)", "").replace(" ", "_"))
model = LogisticRegression(max_iter=1000).fit(frame, iris.target)
signature = infer_signature(frame, model.predict(frame))
mlflow.sklearn.save_model(model, f"{sys.argv[1]}/sklearn", signature=signature)
onnx = to_onnx(model, frame.to_numpy()[:1], options={id(model): {"zipmap": False}})
mlflow.onnx.save_model(onnx, f"{sys.argv[1]}/onnx", signature=signature)

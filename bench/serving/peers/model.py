"""What the Python servers here share: the model's folder, read once, and rows of named features as an array."""

import json
import os
import pathlib

import numpy as np

FOLDER = pathlib.Path(os.environ["MODEL_DIR"])
FACTS = json.loads((FOLDER / "facts.json").read_text())
FEATURES = FACTS["features"]
LABELS = FACTS["labels"]


def estimator():
    import joblib

    return joblib.load(FOLDER / "model.joblib")


def session():
    """onnxruntime told what one processor needs; its defaults would start a thread for every core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    path = str(FOLDER / "model.onnx")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def array(samples, dtype=np.float64):
    """From records as pydantic gives them."""
    return np.array([[getattr(sample, name) for name in FEATURES] for sample in samples], dtype=dtype)


def answer(classes):
    ids = classes.tolist()
    return {"class_id": ids, "class_label": [LABELS[i] for i in ids]}

"""Saves the estimator as an MLflow model with named columns, as a pickle: save_mlflow.py FOLDER.

skops, which newer versions take by default, asks for a list of trusted types as soon as there is a tree.
"""

import sys

import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import infer_signature

from model import FACTS, FEATURES, estimator

model = estimator()
# Fitted on an array; named columns would be warned of otherwise.
model.feature_names_in_ = np.array(FEATURES, dtype=object)
rows = pd.DataFrame(FACTS["rows"][:5], columns=FEATURES)
mlflow.sklearn.save_model(
    model,
    sys.argv[1],
    signature=infer_signature(rows, model.predict(rows)),
    pip_requirements=[],
    serialization_format="cloudpickle",
)

"""Saves models that are refused, each for a reason of its own: `refused.py FOLDER`."""

import json
import os
import pickle
import sys
import types


def save(folder, model, **conf):
    """The folder of a model; more for its flavour in `conf`."""
    os.makedirs(folder)
    with open(f"{folder}/model.pkl", "wb") as file:
        pickle.dump(model, file)
    with open(f"{folder}/MLmodel", "w") as file:
        json.dump({"flavors": {"sklearn": {"pickled_model": "model.pkl", "serialization_format": "pickle", **conf}}}, file)


def encoder_of_another_package():
    """A class that is there now and not where the model is read."""
    from sklearn.base import BaseEstimator, TransformerMixin

    class TargetEncoder(TransformerMixin, BaseEstimator):
        """Does nothing."""

        def fit(self, rows, wanted=None):
            """As scikit-learn asks."""
            self.n_features_in_ = rows.shape[1]
            return self

        def transform(self, rows):
            """The same rows."""
            return rows

    module = types.ModuleType("category_encoders")
    TargetEncoder.__module__ = "category_encoders"
    TargetEncoder.__qualname__ = "TargetEncoder"
    module.TargetEncoder = TargetEncoder
    sys.modules["category_encoders"] = module
    return TargetEncoder()


def main(folder):
    """See above."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    rows, classes = load_iris(return_X_y=True)
    plain = LogisticRegression(max_iter=500).fit(rows, classes)
    save(f"{folder}/encoder", Pipeline([("enc", encoder_of_another_package()), ("clf", LogisticRegression())]).fit(rows, classes))
    save(f"{folder}/old", plain, sklearn_version="0.24.2")
    save(f"{folder}/same-minor", plain, sklearn_version="1.9.7")
    save(f"{folder}/required", plain, sklearn_version="1.9.1")
    with open(f"{folder}/required/requirements.txt", "w") as file:
        file.write("mlflow\nscikit-learn==1.1.3\n")
    save(f"{folder}/outside", plain, pickled_model="../../etc/passwd")
    save(f"{folder}/gone", plain, pickled_model="other.pkl")
    save(f"{folder}/damaged", plain)
    with open(f"{folder}/damaged/model.pkl", "r+b") as file:
        file.truncate(200)
    save(f"{folder}/torch", plain)
    with open(f"{folder}/torch/MLmodel", "w") as file:
        json.dump({"flavors": {"pytorch": {}, "python_function": {}}}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Saves one model in each of the forms that mlflow has, with mlflow itself: `formats.py FOLDER`; prints their names as JSON."""

import json
import sys
import warnings

warnings.simplefilter("ignore")


def main(folder):
    """See above."""
    import mlflow
    import mlflow.sklearn
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, classes = load_iris(return_X_y=True, as_frame=True)
    signature = mlflow.models.infer_signature(rows, classes)
    models = {
        "pipeline": make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, classes),
        "forest": RandomForestClassifier(10, random_state=0).fit(rows, classes),
    }
    formats = ["cloudpickle", "pickle"]
    if hasattr(mlflow.sklearn, "SERIALIZATION_FORMAT_SKOPS"):
        formats.append("skops")
    saved = []
    for name, model in models.items():
        for form in formats:
            path = f"{folder}/{name}-{form}"
            mlflow.sklearn.save_model(
                model, path, serialization_format=form, signature=signature, input_example=rows.head(3),
                **({"skops_trusted_types": ["numpy.dtype", "sklearn.tree._tree.Tree"]} if form == "skops" else {}),
            )  # fmt: skip
            saved.append(f"{name}-{form}")
    print(json.dumps({"mlflow": mlflow.__version__, "saved": saved}))


if __name__ == "__main__":
    main(*sys.argv[1:])

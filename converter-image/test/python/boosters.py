"""Saves boosters in the forms that mlflow's flavours xgboost and lightgbm write: `boosters.py FOLDER`; prints what they answer."""

import json
import os
import pickle
import sys
import warnings

warnings.simplefilter("ignore")


def folder_with(folder, flavor, conf):
    """The folder of a model, with its MLmodel."""
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/MLmodel", "w") as file:
        json.dump({"flavors": {flavor: conf}}, file)
    return folder


def main(folder):
    """See above."""
    import lightgbm
    import numpy as np
    import xgboost
    from sklearn.datasets import load_breast_cancer, load_iris

    rows, classes = load_iris(return_X_y=True)
    many, binary = load_breast_cancer(return_X_y=True)
    many = many[:, :8]
    names = [f"petal {i}" for i in range(8)]
    answers = {}

    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(many, binary, feature_names=names), 20)
    for form in ("ubj", "json"):
        place = folder_with(f"{folder}/xgboost-booster-{form}", "xgboost", {"data": f"model.{form}", "model_class": "xgboost.core.Booster", "xgb_version": xgboost.__version__})
        booster.save_model(f"{place}/model.{form}")
        answers[f"xgboost-booster-{form}"] = float(booster.predict(xgboost.DMatrix(many[:1], feature_names=names))[0])

    soft = xgboost.train({"objective": "multi:softprob", "num_class": 3}, xgboost.DMatrix(rows, classes), 10)
    place = folder_with(f"{folder}/xgboost-softprob", "xgboost", {"data": "model.ubj", "model_class": "xgboost.core.Booster"})
    soft.save_model(f"{place}/model.ubj")
    answers["xgboost-softprob"] = soft.predict(xgboost.DMatrix(rows[:1]))[0].tolist()

    early = xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=3).fit(many[:300], binary[:300], eval_set=[(many[300:], binary[300:])], verbose=False)
    place = folder_with(f"{folder}/xgboost-classifier", "xgboost", {"data": "model.json", "model_class": "xgboost.sklearn.XGBClassifier", "xgb_version": xgboost.__version__})
    early.save_model(f"{place}/model.json")
    answers["xgboost-classifier"] = early.predict_proba(many[:1])[0].tolist()

    counts = xgboost.XGBRegressor(n_estimators=20, objective="count:poisson").fit(rows, classes + 1)
    place = folder_with(f"{folder}/xgboost-pickle", "xgboost", {"data": "model.pkl", "model_class": "xgboost.sklearn.XGBRegressor"})
    with open(f"{place}/model.pkl", "wb") as file:
        pickle.dump(counts, file)
    answers["xgboost-pickle"] = float(counts.predict(rows[:1])[0])

    light = lightgbm.train({"objective": "multiclass", "num_class": 3, "verbose": -1}, lightgbm.Dataset(rows, classes), 20)
    place = folder_with(f"{folder}/lightgbm-booster", "lightgbm", {"data": "model.lgb", "model_class": "lightgbm.basic.Booster", "lgb_version": lightgbm.__version__})
    light.save_model(f"{place}/model.lgb")
    answers["lightgbm-booster"] = light.predict(rows[:1])[0].tolist()

    gaps = rows.copy()
    gaps[::5, 1] = np.nan
    sparse = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1).fit(gaps, classes)
    place = folder_with(f"{folder}/lightgbm-classifier", "lightgbm", {"data": "model.pkl", "model_class": "lightgbm.sklearn.LGBMClassifier", "serialization_format": "cloudpickle", "lgb_version": lightgbm.__version__})
    with open(f"{place}/model.pkl", "wb") as file:
        pickle.dump(sparse, file)
    answers["lightgbm-classifier"] = sparse.predict_proba(rows[:1])[0].tolist()
    print(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])

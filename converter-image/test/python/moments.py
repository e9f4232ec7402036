"""Writes a model folder with boosted trees over seconds since 1970, which 32 bits cannot tell apart: `moments.py FOLDER`."""

import os
import pickle
import sys

import numpy as np
import sklearn
from sklearn.ensemble import HistGradientBoostingRegressor

folder = sys.argv[1]
os.makedirs(folder)
random = np.random.default_rng(0)
rows = np.column_stack([1.7e9 + random.uniform(0, 2000, 600), random.normal(size=600)])
wanted = np.sin((rows[:, 0] - 1.7e9) / 50)
with open(f"{folder}/model.pkl", "wb") as file:
    pickle.dump(HistGradientBoostingRegressor(max_iter=20).fit(rows, wanted), file)
with open(f"{folder}/MLmodel", "w", encoding="utf-8") as file:
    file.write(f"flavors: {{sklearn: {{pickled_model: model.pkl, sklearn_version: {sklearn.__version__}}}}}\n")

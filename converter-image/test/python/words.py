"""Writes a model folder with a tree whose classes are texts: `words.py FOLDER`."""

import os
import pickle
import sys

import numpy as np
import sklearn
from sklearn.tree import DecisionTreeClassifier

folder = sys.argv[1]
os.makedirs(folder)
rows = np.random.default_rng(0).normal(size=(200, 3))
with open(f"{folder}/model.pkl", "wb") as file:
    pickle.dump(DecisionTreeClassifier(random_state=0).fit(rows, np.where(rows[:, 0] > 0, "yes", "no")), file)
with open(f"{folder}/MLmodel", "w", encoding="utf-8") as file:
    file.write(f"flavors: {{sklearn: {{pickled_model: model.pkl, sklearn_version: {sklearn.__version__}}}}}\n")

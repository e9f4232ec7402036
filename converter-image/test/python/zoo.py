"""
The models people use, trained on data that scikit-learn brings: `zoo.py list` names them as JSON, `zoo.py save FOLDER [NAME…]`
saves them as mlflow does and prints a line of JSON for each, with what one row takes in Python.
"""

import json
import os
import pickle
import sys
import time
import warnings

# As the model server: threads that wait for each other would be measured otherwise.
os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")

CLASSIFIERS, REGRESSORS, PIPELINES, OTHERS, REFUSED = "Classifiers", "Regressors", "Pipelines", "Clusters and outliers", "Not converted"


def iris():
    """Three species by four numbers."""
    from sklearn.datasets import load_iris

    return load_iris(return_X_y=True)


def species():
    """As iris, with names for classes."""
    import numpy as np

    rows, numbers = iris()
    return rows, np.array(["setosa", "versicolor", "virginica"])[numbers]


def diabetes():
    """A number by ten numbers."""
    from sklearn.datasets import load_diabetes

    return load_diabetes(return_X_y=True)


def people():
    """A table with texts, whole numbers and missing values; what is asked is yes or no."""
    import numpy as np
    import pandas

    random = np.random.default_rng(0)
    count = 600
    table = pandas.DataFrame(
        {
            "age": random.integers(18, 80, count),
            "income": random.normal(50_000, 15_000, count),
            "city": random.choice(["Berlin", "Paris", "Rome"], count),
            "level": random.choice(["low", "middle", "high"], count),
        }
    )
    wanted = np.where((table.income > 50_000) & (table.city != "Rome") | (table.age > 70), "yes", "no")
    table.loc[::9, "income"] = np.nan
    return table, wanted


def people_numbers():
    """As people, with numbers for classes."""
    table, wanted = people()
    return table, (wanted == "yes").astype(int)


def reviews():
    """Texts, and whether they praise."""
    texts = ["good great film", "bad awful film", "great acting, good!", "awful boring bad"] * 10
    return texts, [1, 0, 1, 0] * 10


def _columns(numeric_steps=None):
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(), *(numeric_steps or [StandardScaler()]))
    texts = OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer([("numbers", numbers, ["age", "income"]), ("texts", texts, ["city", "level"])])


def _ordinal():
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OrdinalEncoder

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return ColumnTransformer([("texts", encoder, ["city", "level"])], remainder="passthrough")


def models():
    """(section, name, data, model) of each; a name is what docs/models.md calls it."""
    import lightgbm
    import xgboost
    from sklearn import calibration, cluster, decomposition, discriminant_analysis, ensemble, feature_selection, impute
    from sklearn import gaussian_process, linear_model, mixture, model_selection, multiclass, naive_bayes, neighbors
    from sklearn import neural_network, preprocessing, svm, tree
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    lin, ens, pre = linear_model, ensemble, preprocessing
    small = {"max_iter": 400, "hidden_layer_sizes": (16,), "random_state": 0}
    quiet = {"verbose": -1, "n_estimators": 50}
    seed = {"random_state": 0}
    scaled = lambda *steps: make_pipeline(pre.StandardScaler(), *steps)  # noqa: E731
    yield from (
        (CLASSIFIERS, "LogisticRegression", species, lin.LogisticRegression(max_iter=500)),
        (CLASSIFIERS, "SGDClassifier", iris, lin.SGDClassifier(**seed)),
        (CLASSIFIERS, "RidgeClassifier", iris, lin.RidgeClassifier()),
        (CLASSIFIERS, "Perceptron", iris, lin.Perceptron()),
        (CLASSIFIERS, "LinearDiscriminantAnalysis", iris, discriminant_analysis.LinearDiscriminantAnalysis()),
        (CLASSIFIERS, "DecisionTreeClassifier", species, tree.DecisionTreeClassifier(**seed)),
        (CLASSIFIERS, "RandomForestClassifier", species, ens.RandomForestClassifier(100, **seed)),
        (CLASSIFIERS, "ExtraTreesClassifier", iris, ens.ExtraTreesClassifier(100, **seed)),
        (CLASSIFIERS, "GradientBoostingClassifier", iris, ens.GradientBoostingClassifier(n_estimators=50, **seed)),
        (CLASSIFIERS, "HistGradientBoostingClassifier", species, ens.HistGradientBoostingClassifier(max_iter=50, **seed)),
        (CLASSIFIERS, "AdaBoostClassifier", iris, ens.AdaBoostClassifier(n_estimators=20, **seed)),
        (CLASSIFIERS, "BaggingClassifier", iris, ens.BaggingClassifier(**seed)),
        (CLASSIFIERS, "VotingClassifier", iris, ens.VotingClassifier([("lr", lin.LogisticRegression()), ("nb", naive_bayes.GaussianNB())], voting="soft")),
        (CLASSIFIERS, "StackingClassifier", iris, ens.StackingClassifier([("lr", lin.LogisticRegression()), ("tree", tree.DecisionTreeClassifier(max_depth=3, **seed))])),
        (CLASSIFIERS, "CalibratedClassifierCV", iris, calibration.CalibratedClassifierCV(svm.LinearSVC())),
        (CLASSIFIERS, "OneVsRestClassifier", iris, multiclass.OneVsRestClassifier(lin.LogisticRegression())),
        (CLASSIFIERS, "SVC (probability)", species, svm.SVC(probability=True, **seed)),
        (CLASSIFIERS, "SVC", iris, svm.SVC()),
        (CLASSIFIERS, "LinearSVC", iris, svm.LinearSVC()),
        (CLASSIFIERS, "KNeighborsClassifier", species, neighbors.KNeighborsClassifier()),
        (CLASSIFIERS, "GaussianNB", iris, naive_bayes.GaussianNB()),
        (CLASSIFIERS, "MultinomialNB", iris, naive_bayes.MultinomialNB()),
        (CLASSIFIERS, "BernoulliNB", iris, naive_bayes.BernoulliNB(binarize=2.0)),
        (CLASSIFIERS, "MLPClassifier", species, neural_network.MLPClassifier(**small)),
        (CLASSIFIERS, "GridSearchCV (random forest)", iris, model_selection.GridSearchCV(ens.RandomForestClassifier(20, **seed), {"max_depth": [2, 4]}, cv=2)),
        (CLASSIFIERS, "XGBClassifier", iris, xgboost.XGBClassifier(n_estimators=50)),
        (CLASSIFIERS, "LGBMClassifier", species, lightgbm.LGBMClassifier(**quiet)),
        (REGRESSORS, "LinearRegression", diabetes, lin.LinearRegression()),
        (REGRESSORS, "Ridge", diabetes, lin.Ridge()),
        (REGRESSORS, "Lasso", diabetes, lin.Lasso()),
        (REGRESSORS, "ElasticNet", diabetes, lin.ElasticNet()),
        (REGRESSORS, "SGDRegressor", diabetes, lin.SGDRegressor(**seed)),
        (REGRESSORS, "HuberRegressor", diabetes, lin.HuberRegressor(max_iter=500)),
        (REGRESSORS, "PoissonRegressor", diabetes, lin.PoissonRegressor()),
        (REGRESSORS, "BayesianRidge", diabetes, lin.BayesianRidge()),
        (REGRESSORS, "DecisionTreeRegressor", diabetes, tree.DecisionTreeRegressor(**seed)),
        (REGRESSORS, "RandomForestRegressor", diabetes, ens.RandomForestRegressor(100, **seed)),
        (REGRESSORS, "ExtraTreesRegressor", diabetes, ens.ExtraTreesRegressor(100, **seed)),
        (REGRESSORS, "GradientBoostingRegressor", diabetes, ens.GradientBoostingRegressor(**seed)),
        (REGRESSORS, "HistGradientBoostingRegressor", diabetes, ens.HistGradientBoostingRegressor(max_iter=50, **seed)),
        (REGRESSORS, "AdaBoostRegressor", diabetes, ens.AdaBoostRegressor(n_estimators=20, **seed)),
        (REGRESSORS, "BaggingRegressor", diabetes, ens.BaggingRegressor(**seed)),
        (REGRESSORS, "VotingRegressor", diabetes, ens.VotingRegressor([("r", lin.Ridge()), ("t", tree.DecisionTreeRegressor(max_depth=4, **seed))])),
        (REGRESSORS, "StackingRegressor", diabetes, ens.StackingRegressor([("r", lin.Ridge()), ("x", xgboost.XGBRegressor(n_estimators=20))])),
        (REGRESSORS, "SVR", diabetes, svm.SVR()),
        (REGRESSORS, "KNeighborsRegressor", diabetes, neighbors.KNeighborsRegressor()),
        (REGRESSORS, "MLPRegressor", diabetes, neural_network.MLPRegressor(**small)),
        (REGRESSORS, "XGBRegressor", diabetes, xgboost.XGBRegressor(n_estimators=50)),
        (REGRESSORS, "LGBMRegressor", diabetes, lightgbm.LGBMRegressor(**quiet)),
        (REGRESSORS, "GaussianProcessRegressor", diabetes, gaussian_process.GaussianProcessRegressor()),
        (PIPELINES, "StandardScaler, LogisticRegression", iris, scaled(lin.LogisticRegression())),
        (PIPELINES, "MinMaxScaler, SVC", iris, make_pipeline(pre.MinMaxScaler(), svm.SVC())),
        (PIPELINES, "RobustScaler, KNeighborsClassifier", iris, make_pipeline(pre.RobustScaler(), neighbors.KNeighborsClassifier())),
        (PIPELINES, "StandardScaler, PCA, RandomForestClassifier", iris, scaled(decomposition.PCA(3), ens.RandomForestClassifier(50, **seed))),
        (PIPELINES, "SimpleImputer, StandardScaler, XGBClassifier", iris, make_pipeline(impute.SimpleImputer(), pre.StandardScaler(), xgboost.XGBClassifier(n_estimators=50))),
        (PIPELINES, "PolynomialFeatures, Ridge", diabetes, make_pipeline(pre.PolynomialFeatures(2), lin.Ridge())),
        (PIPELINES, "SelectKBest, GradientBoostingClassifier", iris, make_pipeline(feature_selection.SelectKBest(k=2), ens.GradientBoostingClassifier(n_estimators=20, **seed))),
        (PIPELINES, "PowerTransformer, LinearRegression", diabetes, make_pipeline(pre.PowerTransformer(), lin.LinearRegression())),
        (PIPELINES, "columns (imputer, scaler; one-hot), LogisticRegression", people, make_pipeline(_columns(), lin.LogisticRegression(max_iter=500))),
        (PIPELINES, "columns (imputer, scaler; one-hot), RandomForestClassifier", people, make_pipeline(_columns(), ens.RandomForestClassifier(50, **seed))),
        (PIPELINES, "columns (imputer, scaler; one-hot), XGBClassifier", people_numbers, make_pipeline(_columns(), xgboost.XGBClassifier(n_estimators=50))),
        (PIPELINES, "columns (imputer, scaler; one-hot), LGBMClassifier", people, make_pipeline(_columns(), lightgbm.LGBMClassifier(**quiet))),
        (PIPELINES, "columns (ordinal), HistGradientBoostingClassifier", people, make_pipeline(_ordinal(), ens.HistGradientBoostingClassifier(max_iter=50, **seed))),
        (OTHERS, "KMeans", iris, cluster.KMeans(3, n_init=3, **seed)),
        (OTHERS, "MiniBatchKMeans", iris, cluster.MiniBatchKMeans(3, n_init=3, **seed)),
        (OTHERS, "GaussianMixture", iris, mixture.GaussianMixture(3, **seed)),
        (OTHERS, "IsolationForest", iris, ens.IsolationForest(n_estimators=50, **seed)),
        (OTHERS, "OneClassSVM", iris, svm.OneClassSVM()),
        (REFUSED, "KBinsDiscretizer, LogisticRegression", iris, make_pipeline(pre.KBinsDiscretizer(4, encode="onehot-dense"), lin.LogisticRegression(max_iter=500))),
        (REFUSED, "QuadraticDiscriminantAnalysis", iris, discriminant_analysis.QuadraticDiscriminantAnalysis()),
        (REFUSED, "TfidfVectorizer, LogisticRegression", reviews, make_pipeline(TfidfVectorizer(), lin.LogisticRegression())),
        (REFUSED, "FunctionTransformer, Ridge", diabetes, make_pipeline(pre.FunctionTransformer(abs), lin.Ridge())),
        (REFUSED, "DBSCAN", iris, cluster.DBSCAN()),
    )  # fmt: skip


def first_row(rows):
    """The first row in the form of the table it is of."""
    return rows[:1] if isinstance(rows, list) else rows.iloc[:1] if hasattr(rows, "iloc") else rows[:1]


def milliseconds(model, row):
    """What one row takes in Python: the best of many predictions, because others use the machine too."""
    if not hasattr(model, "predict"):
        return None
    method = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    times = []
    for _ in range(40):
        started = time.perf_counter()
        method(row)
        times.append(time.perf_counter() - started)
    return min(times) * 1000


def save(model, rows, folder):
    """As mlflow.sklearn.save_model writes it, with an example."""
    import sklearn

    os.makedirs(folder)
    with open(f"{folder}/model.pkl", "wb") as file:
        pickle.dump(model, file)
    flavor = {"pickled_model": "model.pkl", "serialization_format": "cloudpickle", "sklearn_version": sklearn.__version__}
    document = {"flavors": {"sklearn": flavor}}
    if hasattr(rows, "columns"):
        kinds = {"i": "long", "f": "double"}
        listed = [{"name": name, "type": kinds.get(rows[name].dtype.kind, "string")} for name in rows.columns]
        document["signature"] = {"inputs": json.dumps(listed)}
        split = rows.head(3).astype(object).where(rows.head(3).notna(), None)
        with open(f"{folder}/input_example.json", "w") as file:
            json.dump({"columns": list(rows.columns), "data": split.values.tolist()}, file)
        document["saved_input_example_info"] = {"artifact_path": "input_example.json"}
    with open(f"{folder}/MLmodel", "w") as file:
        json.dump(document, file)


def main(command, folder="", *names):
    """See above."""
    chosen = [one for one in models() if not names or one[1] in names]
    if command == "list":
        print(json.dumps([{"section": section, "name": name} for section, name, _, _ in chosen]))
        return
    for number, (section, name, data, model) in enumerate(chosen):
        rows, wanted = data()
        model.fit(rows, wanted)
        place = f"{folder}/{number:02d}"
        save(model, rows, place)
        python = milliseconds(model, first_row(rows))
        print(json.dumps({"section": section, "name": name, "folder": place, "python": python}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The trees of xgboost, lightgbm and histogram gradient boosting in one form, and what is done with their sum."""

import json
import math
from dataclasses import dataclass, field

from .outcome import FORMAT_NOT_SERVABLE, ConversionFailed


class NotConvertible(ConversionFailed):
    """A booster of a kind that has no ONNX form."""

    def __init__(self, what):
        cure = "train it without that, or serve it with an image of your own (spec.runtime)"
        super().__init__(FORMAT_NOT_SERVABLE, f"{what} is not converted; {cure}")


@dataclass
class Forest:
    """Trees by node, in the lists that ONNX has for them. A leaf has mode LEAF and its value in `weights`."""

    targets: int
    base: list[float]
    # identity, sigmoid, softmax, ova, exp or label (the number of the best class)
    link: str = "identity"
    sigmoid: float = 1.0
    scale: float = 1.0
    feature_count: int = 0
    feature_names: list[str] = field(default_factory=list)
    ranges: dict[int, tuple[float, float]] = field(default_factory=dict)
    tree: list[int] = field(default_factory=list)
    node: list[int] = field(default_factory=list)
    feature: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    mode: list[str] = field(default_factory=list)
    if_true: list[int] = field(default_factory=list)
    if_false: list[int] = field(default_factory=list)
    missing_is_true: list[int] = field(default_factory=list)
    leaf_tree: list[int] = field(default_factory=list)
    leaf_node: list[int] = field(default_factory=list)
    leaf_target: list[int] = field(default_factory=list)
    leaf_weight: list[float] = field(default_factory=list)

    def add_split(self, tree, node, feature, value, mode, if_true, if_false, missing_is_true):
        """One question."""
        for name, one in (
            ("tree", tree), ("node", node), ("feature", feature), ("value", value), ("mode", mode),
            ("if_true", if_true), ("if_false", if_false), ("missing_is_true", int(missing_is_true)),
        ):  # fmt: skip
            getattr(self, name).append(one)

    def add_leaf(self, tree, node, target, weight):
        """One answer."""
        self.add_split(tree, node, 0, 0.0, "LEAF", 0, 0, False)
        self.leaf_tree.append(tree)
        self.leaf_node.append(node)
        self.leaf_target.append(target)
        self.leaf_weight.append(weight)

    def thresholds(self):
        """Values by feature at which an answer may change."""
        found = {}
        for feature, value, mode in zip(self.feature, self.value, self.mode, strict=True):
            if mode != "LEAF":
                found.setdefault(feature, set()).add(value)
        return found


_XGBOOST_LINKS = {
    "binary:logistic": "sigmoid", "reg:logistic": "sigmoid", "multi:softprob": "softmax", "multi:softmax": "label",
    "count:poisson": "exp", "reg:gamma": "exp", "reg:tweedie": "exp",
    "reg:squarederror": "identity", "reg:linear": "identity", "reg:pseudohubererror": "identity",
    "reg:absoluteerror": "identity", "reg:quantileerror": "identity", "reg:squaredlogerror": "identity",
    "binary:logitraw": "identity",
    "rank:pairwise": "identity", "rank:ndcg": "identity", "rank:map": "identity",
}  # fmt: skip


def _margin(link, score):
    if link == "sigmoid":
        return math.log(score / (1 - score))
    return math.log(score) if link == "exp" else score


def _scores(text):
    """The base score, which newer versions write as a list."""
    return [float(part) for part in str(text).strip("[]").split(",") if part.strip()]


def _xgboost_tree(forest, number, tree, target, weight):
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise NotConvertible("an xgboost model with vectors in its leaves (multi_output_tree)")
    if any(tree.get("split_type", ())):
        raise NotConvertible("an xgboost model that splits by categories itself (enable_categorical)")
    conditions, lefts, rights = tree["split_conditions"], tree["left_children"], tree["right_children"]
    for node, (left, right) in enumerate(zip(lefts, rights, strict=True)):
        if left == -1:
            forest.add_leaf(number, node, target, conditions[node] * weight)
        else:
            missing_is_left = bool(tree["default_left"][node])
            forest.add_split(
                number, node, tree["split_indices"][node], conditions[node], "BRANCH_LT", left, right, missing_is_left
            )


def _rounds(learner, use_best):
    best = learner["attributes"].get("best_iteration")
    return int(best) + 1 if use_best and best is not None else None


def forest_of_xgboost(booster, use_best):
    """`use_best`: with early stopping, only the rounds up to the best, as the scikit-learn API does it."""
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    boosted = learner["gradient_booster"]
    drops = boosted.get("weight_drop")
    boosted = boosted.get("gbtree", boosted)
    if boosted.get("name") == "gblinear":
        raise NotConvertible("an xgboost model with booster gblinear")
    link = _XGBOOST_LINKS.get(learner["objective"]["name"])
    if link is None:
        raise NotConvertible(f"an xgboost model with objective {learner['objective']['name'][:60]}")
    parameters = learner["learner_model_param"]
    targets = max(int(parameters["num_class"]), int(parameters.get("num_target", 1)), 1)
    base = [_margin(link, score) for score in _scores(parameters["base_score"])]
    forest = Forest(targets, base * targets if len(base) == 1 else base, link)
    forest.feature_count = int(parameters["num_feature"])
    forest.feature_names = list(learner.get("feature_names") or [])
    model, rounds = boosted["model"], _rounds(learner, use_best)
    trees = model["trees"] if rounds is None else model["trees"][: model["iteration_indptr"][rounds]]
    for number, tree in enumerate(trees):
        _xgboost_tree(forest, number, tree, model["tree_info"][number], 1.0 if drops is None else drops[number])
    return forest


_LIGHTGBM_LINKS = {
    "binary": "sigmoid", "cross_entropy": "sigmoid", "xentropy": "sigmoid", "multiclass": "softmax", "softmax": "softmax",
    "multiclassova": "ova", "poisson": "exp", "gamma": "exp", "tweedie": "exp",
    "regression": "identity", "regression_l2": "identity", "regression_l1": "identity", "huber": "identity",
    "fair": "identity", "quantile": "identity", "mape": "identity", "lambdarank": "identity", "rank_xendcg": "identity",
}  # fmt: skip


class _LightGbmTree:
    """Writes one tree; what asks for one of several categories becomes a question for each."""

    def __init__(self, forest, number, target):
        self.forest, self.number, self.target = forest, number, target
        self.next = 0

    def _new(self):
        self.next += 1
        return self.next - 1

    def add(self, structure):
        """Adds what hangs on this node; gives its number. Without recursion: trees may be deep."""
        root = self._new()
        left = [(structure, root)]
        while left:
            part, node = left.pop()
            if "leaf_value" in part:
                self.forest.add_leaf(self.number, node, self.target, part["leaf_value"])
            elif part["decision_type"] == "<=":
                left += self._split(part, node)
            else:
                left += self._categories(part, node)
        return root

    def _split(self, part, node):
        missing = part.get("missing_type", "None")
        if missing == "Zero":
            raise NotConvertible("a lightgbm model that takes zeros for missing values (zero_as_missing)")
        # Without missing values in training NaN counts as 0.
        goes_left = part["default_left"] if missing == "NaN" else 0.0 <= part["threshold"]
        yes, no = self._new(), self._new()
        self.forest.add_split(
            self.number, node, part["split_feature"], part["threshold"], "BRANCH_LEQ", yes, no, goes_left
        )
        return [(part["left_child"], yes), (part["right_child"], no)]

    def _categories(self, part, node):
        added = []
        for category in str(part["threshold"]).split("||"):
            yes, no = self._new(), self._new()
            self.forest.add_split(
                self.number, node, part["split_feature"], float(category), "BRANCH_EQ", yes, no, False
            )
            added.append((part["left_child"], yes))
            node = no
        return [*added, (part["right_child"], node)]


def forest_of_lightgbm(booster):
    """All rounds, or those up to the best, as lightgbm itself predicts."""
    dump = booster.dump_model()
    if dump.get("pandas_categorical"):
        raise NotConvertible("a lightgbm model trained on pandas columns of type category")
    words = str(dump.get("objective") or "regression").split()
    link = _LIGHTGBM_LINKS.get(words[0])
    if link is None:
        raise NotConvertible(f"a lightgbm model with objective {words[0][:60]}")
    if "sqrt" in words:
        raise NotConvertible("a lightgbm model trained with reg_sqrt")
    targets = int(dump["num_tree_per_iteration"])
    forest = Forest(targets, [0.0] * targets, link)
    sigmoids = [float(word.split(":")[1]) for word in words if word.startswith("sigmoid:")]
    forest.sigmoid = sigmoids[0] if sigmoids else 1.0
    forest.feature_count = dump["max_feature_idx"] + 1
    forest.feature_names = list(dump["feature_names"])
    infos = dump.get("feature_infos", {})
    for index, name in enumerate(forest.feature_names):
        if "min_value" in infos.get(name, {}):
            forest.ranges[index] = (float(infos[name]["min_value"]), float(infos[name]["max_value"]))
    for number, tree in enumerate(dump["tree_info"]):
        _LightGbmTree(forest, number, number % targets).add(tree["tree_structure"])
    if dump.get("average_output"):
        forest.scale = targets / max(1, len(dump["tree_info"]))
    return forest


_HIST_LINKS = {
    "HalfBinomialLoss": "sigmoid", "HalfMultinomialLoss": "softmax", "HalfPoissonLoss": "exp", "HalfGammaLoss": "exp",
    "HalfSquaredError": "identity", "AbsoluteError": "identity", "PinballLoss": "identity",
}  # fmt: skip


def _hist_tree(forest, number, nodes, target):
    for index, node in enumerate(nodes):
        if node["is_leaf"]:
            forest.add_leaf(number, index, target, float(node["value"]))
            continue
        if "is_categorical" in nodes.dtype.names and node["is_categorical"]:
            raise NotConvertible("a histogram gradient boosting model that splits by categories itself (categorical_features)")
        sides = int(node["left"]), int(node["right"])
        forest.add_split(
            number, index, int(node["feature_idx"]), float(node["num_threshold"]), "BRANCH_LEQ", *sides,
            bool(node["missing_go_to_left"]),
        )  # fmt: skip


def forest_of_hist(model):
    """Of scikit-learn's histogram gradient boosting, whose thresholds are doubles and have to be rounded down."""
    link = _HIST_LINKS.get(type(model._loss).__name__)
    if link is None:
        raise NotConvertible(f"a histogram gradient boosting model with loss {type(model._loss).__name__}")
    targets = int(model.n_trees_per_iteration_)
    base = [float(value) for value in model._baseline_prediction.ravel()]
    forest = Forest(targets, base * targets if len(base) == 1 else base, link)
    forest.feature_count = int(model.n_features_in_)
    for round_number, trees in enumerate(model._predictors):
        for target, tree in enumerate(trees):
            _hist_tree(forest, round_number * targets + target, tree.nodes, target)
    return forest


def is_booster(model):
    """Whether this is a booster without scikit-learn's API."""
    kind = type(model)
    return (kind.__module__, kind.__name__) in (("xgboost.core", "Booster"), ("lightgbm.basic", "Booster"))


def forest_of(model):
    """The forest of a booster or of a model with scikit-learn's API; None when it is neither."""
    module = type(model).__module__.split(".")[0]
    if module == "xgboost":
        booster = model if is_booster(model) else model.get_booster()
        return forest_of_xgboost(booster, use_best=not is_booster(model))
    if module == "lightgbm":
        return forest_of_lightgbm(model if is_booster(model) else model.booster_)
    return forest_of_hist(model) if hasattr(model, "_bin_mapper") else None


class BoosterModel:
    """A booster as an estimator: `predict` gives what mlflow's pyfunc gives for it."""

    def __init__(self, booster):
        self.booster = booster
        self.forest = forest_of(booster)
        self.n_features_in_ = self.forest.feature_count

    def predict(self, rows):
        """Numbers, or a row of them for each row."""
        if type(self.booster).__module__.startswith("lightgbm"):
            return self.booster.predict(rows)
        import xgboost

        return self.booster.predict(xgboost.DMatrix(rows, feature_names=self.booster.feature_names))

"""What a fitted model tells of its inputs: where its answers change, what it was scaled by, which categories it knows."""

from dataclasses import dataclass, field

import numpy as np

from .boosters import BoosterModel, forest_of

_MOST_POINTS = 400


@dataclass
class Fact:
    """Of one input column."""

    points: list[float] = field(default_factory=list)
    low: float | None = None
    high: float | None = None
    categories: list | None = None
    words: list[str] | None = None

    def widen(self, low, high):
        """The column takes values from `low` to `high`."""
        if np.isfinite(low) and np.isfinite(high):
            self.low = float(low) if self.low is None else min(self.low, float(low))
            self.high = float(high) if self.high is None else max(self.high, float(high))

    def add(self, values):
        """Values at which an answer may change."""
        finite = [float(value) for value in values if np.isfinite(value)]
        room = _MOST_POINTS - len(self.points)
        if finite and room > 0:
            # Evenly from all, and not the first: those are the roots of the first trees.
            self.points += [finite[i] for i in np.unique(np.linspace(0, len(finite) - 1, min(room, len(finite))).astype(int))]
        if finite:
            self.widen(min(finite), max(finite))


@dataclass(frozen=True)
class Feature:
    """A value on its way through the model: the column it comes from and how to get back to it."""

    column: int
    undo: tuple = ()

    def back(self, values):
        """What the column held when the value was one of these."""
        array = np.asarray(values, dtype=float)
        for step in reversed(self.undo):
            array = step(array)
        return array


class _Walk:
    def __init__(self, facts):
        self.facts = facts

    def note(self, feature, values):
        """These values of a feature are worth asking for."""
        if feature is None or len(values) == 0:
            return
        try:
            self.facts[feature.column].add(feature.back(values))
        except (ValueError, TypeError):
            return

    def through(self, model, features):
        """Notes what the model knows; gives the features that come out of it, None where that is not known."""
        for attribute, handler in _HANDLERS:
            if hasattr(model, attribute):
                return handler(self, model, features)
        return None


def _steps(walk, model, features):
    for _, part in model.steps:
        if part in (None, "passthrough"):
            continue
        features = walk.through(part, features) if features is not None else None
        if features is None:
            # What comes later still may be looked at for its categories, but its features have no columns.
            return None
    return features


def _columns(walk, model, features):
    made = []
    places = getattr(model, "_transformer_to_input_indices", {})
    for name, part, _ in model.transformers_:
        taken = [features[i] for i in places.get(name, [])]
        if part == "drop" or not taken:
            continue
        width = model.output_indices_[name]
        count = width.stop - width.start
        out = taken if part == "passthrough" else walk.through(part, taken)
        made += out if out is not None and len(out) == count else [None] * count
    return made


def _union(walk, model, features):
    made = []
    for _, part in model.transformer_list:
        if part == "drop":
            continue
        out = features if part == "passthrough" else walk.through(part, features)
        if out is None:
            for _, other in model.transformer_list:
                if not isinstance(other, str):
                    walk.through(other, features)
            return None
        made += out
    return made


def _encoder(walk, model, features):
    for feature, known in zip(features, model.categories_, strict=False):
        if feature is None or feature.undo:
            continue
        listed = np.asarray(known).tolist()
        if all(isinstance(value, (int, float)) for value in listed):
            walk.note(feature, listed)
        walk.facts[feature.column].categories = listed
    try:
        return [None] * len(model.get_feature_names_out())
    except Exception:  # noqa: BLE001 - not every encoder can tell
        return None


def _undoing(model, index, width):
    def undo(values):
        rows = np.zeros((len(values), width))
        rows[:, index] = values
        return np.asarray(model.inverse_transform(rows))[:, index]

    return undo


def _center(model):
    for name in ("mean_", "center_", "data_min_"):
        if getattr(model, name, None) is not None:
            return np.asarray(getattr(model, name), dtype=float)
    return None


def _scaler(walk, model, features):
    width = len(features)
    middle = _center(model)
    middle = np.zeros(width) if middle is None else middle
    scale = getattr(model, "data_range_", None)
    if scale is None:
        scale = model.scale_ if getattr(model, "scale_", None) is not None else np.ones(width)
    for i, feature in enumerate(features):
        walk.note(feature, [middle[i] - 2 * scale[i], middle[i], middle[i] + 2 * scale[i]])
    return [None if f is None else Feature(f.column, (*f.undo, _undoing(model, i, width))) for i, f in enumerate(features)]


def _imputer(walk, model, features):
    kept = []
    for feature, value in zip(features, model.statistics_, strict=False):
        if isinstance(value, (int, float, np.number)) and np.isnan(value):
            continue
        if isinstance(value, (int, float, np.number)):
            walk.note(feature, [value])
        kept.append(feature)
    indicator = getattr(model, "indicator_", None)
    return kept if indicator is None else [*kept, *[None] * len(indicator.features_)]


def _edges(walk, model, features):
    for feature, edges in zip(features, model.bin_edges_, strict=False):
        walk.note(feature, edges)
    return None


def _quantiles(walk, model, features):
    for i, feature in enumerate(features):
        walk.note(feature, model.quantiles_[:, i][:: max(1, len(model.quantiles_) // 50)])
    return [None] * len(features)


def _powers(walk, model, features):
    for distance in (-2.0, 0.0, 2.0):
        values = model.inverse_transform(np.full((1, len(features)), distance))[0]
        for feature, value in zip(features, values, strict=False):
            walk.note(feature, [value])
    return [None] * len(features)


def _support(walk, model, features):
    mask = model.get_support()
    return [feature for feature, kept in zip(features, mask, strict=False) if kept]


def _tree(walk, model, features):
    tree = model.tree_
    inner = tree.children_left >= 0
    for index in np.unique(tree.feature[inner]):
        walk.note(features[index], tree.threshold[inner & (tree.feature == index)])
    return None


def _many(walk, models, features):
    models = list(models)
    # The knowledge of some tells enough; a forest has hundreds.
    for model in models[:: max(1, len(models) // 64)]:
        walk.through(model, features)


def _estimators(walk, model, features):
    listed = np.ravel(np.asarray(model.estimators_, dtype=object)).tolist()
    chosen = getattr(model, "estimators_features_", None)
    if chosen is None:
        _many(walk, [one for one in listed if not isinstance(one, str)], features)
        return None
    for one, taken in zip(listed, chosen, strict=False):
        walk.through(one, [features[i] for i in taken])
    return None


def _calibrated(walk, model, features):
    _many(walk, (one.estimator for one in model.calibrated_classifiers_), features)


def _booster(walk, model, features):
    forest = model.forest if isinstance(model, BoosterModel) else forest_of(model)
    for index, values in forest.thresholds().items():
        walk.note(features[index], sorted(values))
    for index, (low, high) in forest.ranges.items():
        walk.note(features[index], [low, high])


def _dense(values):
    return np.asarray(values.todense() if hasattr(values, "todense") else values, dtype=float)


def _rows_like(attribute, width=3.0):
    """A model that keeps rows of its training, or the middles of its classes."""

    def handler(walk, model, features):
        rows = np.atleast_2d(_dense(getattr(model, attribute)))
        for i, feature in enumerate(features[: rows.shape[1]]):
            column = rows[:, i]
            step = max(1, len(column) // 100)
            walk.note(feature, column[::step])
            walk.note(feature, [column.min(), column.max()])

    return handler


def _gaussian(walk, model, features):
    deviation = np.sqrt(np.asarray(model.var_))
    for i, feature in enumerate(features):
        walk.note(feature, [*(model.theta_[:, i] - 2 * deviation[:, i]), *(model.theta_[:, i] + 2 * deviation[:, i])])


def _components(walk, model, features):
    middle = getattr(model, "mean_", None)
    variance = getattr(model, "explained_variance_", None)
    if middle is not None and variance is not None:
        spread = np.sqrt(np.maximum(0, (np.asarray(model.components_) ** 2 * np.asarray(variance)[:, None]).sum(axis=0)))
        for i, feature in enumerate(features):
            walk.note(feature, [middle[i] - 2 * spread[i], middle[i], middle[i] + 2 * spread[i]])


def _vocabulary(walk, model, features):
    if features[0] is not None:
        words = sorted(str(word) for word in model.vocabulary_)
        walk.facts[features[0].column].words = words[:: max(1, len(words) // 2000)]


def _one(attribute):
    def handler(walk, model, features):
        return walk.through(getattr(model, attribute), features)

    return handler


def _unchanged(_, __, features):
    return list(features)


# The first attribute that a model has says what kind it is.
_HANDLERS = (
    ("best_estimator_", _one("best_estimator_")),
    ("steps", _steps),
    ("transformers_", _columns),
    ("transformer_list", _union),
    ("vocabulary_", _vocabulary),
    ("categories_", _encoder),
    ("statistics_", _imputer),
    ("bin_edges_", _edges),
    ("quantiles_", _quantiles),
    ("lambdas_", _powers),
    ("forest", _booster),
    ("get_booster", _booster),
    ("booster_", _booster),
    ("_bin_mapper", _booster),
    ("calibrated_classifiers_", _calibrated),
    ("tree_", _tree),
    ("estimators_", _estimators),
    ("estimator_", _one("estimator_")),
    ("get_support", _support),
    ("support_vectors_", _rows_like("support_vectors_")),
    ("_fit_X", _rows_like("_fit_X")),
    ("X_train_", _rows_like("X_train_")),
    ("cluster_centers_", _rows_like("cluster_centers_")),
    ("theta_", _gaussian),
    ("means_", _rows_like("means_")),
    ("components_", _components),
    ("data_min_", _scaler),
    ("center_", _scaler),
    ("scale_", _scaler),
    ("max_abs_", _scaler),
    ("n_features_in_", lambda *_: None),
)


def facts_of(model, columns):
    """A Fact for each of so many input columns."""
    facts = [Fact() for _ in range(columns)]
    try:
        _Walk(facts).through(model, [Feature(i) for i in range(columns)])
    except Exception:  # noqa: BLE001 - knowing less only makes the rows plainer
        return facts
    return facts

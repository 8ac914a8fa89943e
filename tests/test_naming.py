from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from steinhaus import naming
from steinhaus.errors import SteinhausError

TABLE = np.array([[3, 1, 0], [0, 0, 0], [2, 2, 0], [0, 0, 4], [0, 1, 5]])


def test_the_mapping_and_the_predictions_by_hand() -> None:
    mapping, predictions = naming.majority_mapping([4, 4, 9, 9, 9, 1], [0, 0, 0, 2, 2, 2])
    assert mapping == {0: 4, 1: None, 2: 9}
    assert predictions.tolist() == [4, 4, 4, 9, 9, 9]


def test_names_of_labels_may_be_text() -> None:
    mapping, predictions = naming.majority_mapping(["dog", "cat", "cat", "dog"], [0, 1, 1, 1])
    assert mapping == {0: "dog", 1: "cat"}
    assert predictions.tolist() == ["dog", "cat", "cat", "cat"]


def test_a_tie_goes_to_the_lowest_label_and_is_said() -> None:
    assert naming.majority_mapping([5, 3, 3, 5], [0, 0, 0, 0])[0] == {0: 3}
    assert naming.majorities(TABLE) == naming.Majority((0, None, 0, 2, 2), (2,))


@pytest.mark.parametrize(
    ("labels", "clusters"),
    [([], []), ([1, 2], [0]), ([[1]], [[0]]), ([1, 2], [0, -1]), ([1, 2], [0.0, 1.0])],
)
def test_what_cannot_be_mapped_is_refused(labels: list[int], clusters: list[int]) -> None:
    with pytest.raises(SteinhausError, match="clusters"):
        naming.majority_mapping(labels, clusters)


def test_a_cluster_without_label_counts_as_wrong() -> None:
    test = np.array([[4, 0, 0], [3, 3, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    assert naming.accuracy(test, naming.majorities(TABLE).mapping) == 4 / 10


def test_one_to_one_by_hand() -> None:
    mapping = naming.one_to_one(TABLE)
    assert mapping == (0, None, 1, None, 2)
    assert naming.accuracy(TABLE, mapping) == (3 + 2 + 5) / 18


def test_one_to_one_beats_every_permutation() -> None:
    import itertools

    table = np.random.default_rng(0).integers(0, 9, (4, 4))
    best = max(sum(table[i, p[i]] for i in range(4)) for p in itertools.permutations(range(4)))
    assert naming.accuracy(table, naming.one_to_one(table)) == best / table.sum()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=60))
def test_scores_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    labels, clusters = np.array(pairs).T
    table = naming.confusion(labels, clusters, 7, 5)
    assert table.tolist() == [[pairs.count((label, cluster)) for label in range(5)] for cluster in range(7)]
    assert naming.adjusted_rand(table) == pytest.approx(metrics.adjusted_rand_score(labels, clusters), abs=1e-12)
    found = naming.information(table)
    assert found.homogeneity == pytest.approx(metrics.homogeneity_score(labels, clusters), abs=1e-12)
    assert found.completeness == pytest.approx(metrics.completeness_score(labels, clusters), abs=1e-12)
    assert found.nmi == pytest.approx(metrics.normalized_mutual_info_score(labels, clusters), abs=1e-12)
    mapping, predictions = naming.majority_mapping(labels, clusters)
    assert naming.purity(table) == pytest.approx(metrics.accuracy_score(labels, predictions))
    assert naming.purity(table) == naming.accuracy(table, [mapping.get(cluster) for cluster in range(7)])


@given(st.permutations(range(6)))
def test_the_order_of_clusters_changes_no_bit(order: list[int]) -> None:
    table = np.random.default_rng(1).integers(0, 50, (6, 4))
    turned = table[list(order)]
    assert naming.information(turned) == naming.information(table)
    assert naming.adjusted_rand(turned) == naming.adjusted_rand(table)

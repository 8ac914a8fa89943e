"""Steps of features: products, principal components and chains, compared with slow arithmetic and each other."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from steinhaus.errors import PlanError
from steinhaus.features import Features, chain, exact, pca
from steinhaus.features.space import BLOCK


def rows(n: int, d: int, seed: int = 0, spread: float = 30.0) -> np.ndarray:
    """Points whose columns differ in size by `spread` powers of two."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) * np.exp2(rng.uniform(-spread / 2, spread / 2, d))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 40), st.integers(0, 10**6))
def test_products_are_near_the_exact_ones(n: int, m: int, d: int, seed: int) -> None:
    a, b = rows(n, d, seed), rows(m, d, seed + 1)
    found = exact.products(a, b)
    for i in range(n):
        for j in range(m):
            true = sum(Fraction(x) * Fraction(y) for x, y in zip(a[i].tolist(), b[j].tolist(), strict=True))
            bound = d * 2.0**-38 * np.abs(a[i]).max() * np.abs(b[j]).max()
            assert abs(Fraction(float(found[i, j])) - true) <= Fraction(float(bound))


def test_products_have_the_same_bits_in_any_blocks_and_on_any_threads() -> None:
    a, b = rows(700, 300), rows(40, 300, 1)
    whole = exact.products(a, b)
    for threads in (1, 2, 3):
        with threadpool_limits(threads, "blas"):
            assert np.array_equal(exact.products(a, b), whole)
    assert np.array_equal(np.concatenate([exact.products(a[i : i + 37], b) for i in range(0, 700, 37)]), whole)
    assert np.array_equal(exact.products(np.asfortranarray(a)[:, :], b), whole)
    assert np.array_equal(exact.products(b, a).T, whole)


def test_a_gram_matrix_is_that_of_products() -> None:
    columns = rows(60, 500)
    assert np.allclose(exact.gram(columns), exact.products(columns, columns), rtol=1e-12, atol=0)
    assert np.array_equal(exact.gram(columns), exact.gram(columns).T)


def test_products_of_zeros_and_of_whole_numbers_are_exact() -> None:
    whole = np.random.default_rng(0).integers(-255, 256, (50, 200)).astype(np.float64)
    whole[3] = 0
    assert np.array_equal(exact.products(whole, whole), (whole.astype(np.int64) @ whole.T.astype(np.int64)))


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64])
def test_components_are_those_of_the_covariance_matrix(kind: type) -> None:
    x = (np.random.default_rng(0).gamma(2, 20, (500, 12)) @ np.triu(np.ones((12, 12))) / 6).clip(0, 255).astype(kind)
    learnt = chain.fitted(("pca:4",), x).learnt[0]
    values, vectors = np.linalg.eigh(np.cov(x.T.astype(np.float64), bias=True))
    for mine, true in zip(learnt["components"], vectors.T[::-1], strict=False):
        assert mine[np.abs(mine).argmax()] > 0
        assert math.isclose(abs(mine @ true), 1.0, rel_tol=1e-9)
    assert np.allclose(learnt["mean"], x.mean(axis=0, dtype=np.float64))
    found = chain.fitted(("pca:4",), x).applied(x)
    assert np.allclose(found.var(axis=0, dtype=np.float64), values[::-1][:4], rtol=1e-5)


def test_the_covariance_of_bytes_is_exact() -> None:
    x = np.random.default_rng(0).integers(0, 256, (3000, 5), dtype=np.uint8)
    n = len(x)
    whole = x.astype(object)
    true = [[Fraction(int(n * (whole[:, i] @ whole[:, j]) - whole[:, i].sum() * whole[:, j].sum()), n * n)
             for j in range(5)] for i in range(5)]  # fmt: skip
    found = pca._covariance([x[:1000], x[1000:]], x.mean(axis=0), n)
    assert all(found[i, j] == float(true[i][j]) for i in range(5) for j in range(5))


def test_more_components_than_there_are_is_refused() -> None:
    with pytest.raises(PlanError, match="there are at most 3"):
        chain.fitted(("pca:4",), np.ones((9, 3)))
    with pytest.raises(PlanError, match="there are at most 2"):
        chain.fitted(("pca:3",), np.ones((2, 5)))


STEPS = ("normalise", "standardise", "pca:5")


def test_steps_do_what_they_say() -> None:
    x = rows(400, 20, spread=4).astype(np.float32)
    assert np.allclose(np.linalg.norm(chain.fitted(STEPS[:1], x).applied(x), axis=1), 1, atol=1e-6)
    standard = chain.fitted(STEPS[1:2], x).applied(x)
    assert np.allclose(standard.mean(axis=0, dtype=np.float64), 0, atol=1e-6)
    assert np.allclose(standard.std(axis=0, dtype=np.float64), 1, atol=1e-6)
    assert chain.fitted(STEPS, x).applied(x).shape == (400, 5)
    assert chain.fitted(STEPS, x).width(20) == 5
    assert chain.Chain().applied(x) is x


def test_a_row_is_the_same_alone_and_among_others() -> None:
    x = rows(BLOCK + 9, 33, spread=6).astype(np.float32)
    steps = chain.fitted(STEPS, x[:500])
    whole = steps.applied(x)
    assert whole.dtype == np.float32
    for row in (0, 7, BLOCK - 1, BLOCK, BLOCK + 8):
        assert np.array_equal(steps.applied(x[row : row + 1])[0], whole[row])


def test_constant_values_and_vectors_of_zeros_stay_finite() -> None:
    x = np.zeros((6, 4))
    x[:, 1], x[0] = 7.0, 0.0
    for steps in (STEPS[:1], STEPS[1:2], STEPS[:2], (*STEPS[:2], "pca:2")):
        assert np.isfinite(chain.fitted(steps, x).applied(x)).all()


def test_what_was_learnt_comes_back_from_its_arrays() -> None:
    x = rows(300, 10)
    steps = chain.fitted(STEPS, x)
    again = chain.of_arrays(steps.steps, steps.arrays)
    assert np.array_equal(again.applied(x), steps.applied(x))
    with pytest.raises(ValueError, match="components of the step pca:5 is missing"):
        chain.of_arrays(steps.steps, {name: array for name, array in steps.arrays.items() if "components" not in name})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"what": "pca"}, "needs a number"),
        ({"what": "pca:0"}, "at least 1"),
        ({"what": "pixels:3"}, "takes no number"),
        ({"what": " "}, "is empty"),
        ({"what": "hog", "pca": 0}, "at least 1"),
        ({"what": "hog", "pca": True}, "whole number"),
        ({"what": "hog", "model_input": "8x8"}, "is for a network"),
    ],
)
def test_features_that_cannot_be_are_refused(given: dict, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        Features(**given)


def test_features_tell_what_they_are() -> None:
    kinds = {"pixels": "pixels", "pca:3": "pixels", "hog:4": "hog", "color": "colour", "given": "given",
             "a.onnx": "model", "a.npy": "file", "./hog": "file"}  # fmt: skip
    assert {what: Features(what).kind for what in kinds} == kinds
    assert Features(np.ones((3, 2))).kind == "array"
    assert Features("hog:4").number == 4
    assert Features("pca:3", normalise=True, standardise=True, pca=2).steps == ("pca:3", *STEPS[:2], "pca:2")
    assert Features("d/a.onnx", pca=3, model_input="8x8").typed == {
        "features": "d/a.onnx",
        "pca": 3,
        "model_input": "8x8",
    }

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from garden.subspace.estimator import DeepSubspaceClustering

_SMALL = dict(n_clusters=3, pretrain_steps=3, random_state=0)


@parametrize_with_checks([
    DeepSubspaceClustering(**_SMALL),
    DeepSubspaceClustering(solver="gradient", finetune_steps=3, **_SMALL)])
def test_scikit_learn_accepts_it(estimator, check):
  check(estimator)

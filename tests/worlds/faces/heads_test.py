"""Tests of people as numbers and of their heads."""

import numpy as np
import pytest

from garden.worlds.faces import heads


def test_a_person_is_the_same_whatever_is_drawn_with_it():
  many, one = heads.sample(5, seed=3), heads.sample(1, seed=3, first=4)
  for name, value in one.arrays().items():
    np.testing.assert_array_equal(many.arrays()[name][4], value[0])
  assert not np.array_equal(many.shape[3], many.shape[4])
  assert not np.array_equal(heads.sample(1, seed=4).shape, many.shape[:1])


def test_measures_are_drawn_around_their_means():
  drawn = heads.sample(400, seed=0).shape
  mean, spread = np.array(list(heads.SHAPE.values())).T
  assert (np.abs(drawn.mean(axis=0) - mean) < 0.2 * spread).all()
  assert (np.abs(drawn - mean) <= 2.5 * spread + 1e-12).all()


@pytest.mark.parametrize("arguments, name", [
    ((0, 0), "n"), ((1, -1), "seed"), ((1, 0, -2), "first")])
def test_wrong_numbers_are_refused(arguments, name):
  with pytest.raises(ValueError, match=f"{name} is"):
    heads.sample(*arguments)


def test_a_head_is_closed_but_for_its_poles_and_its_normals_point_out():
  made = heads.surface(heads.average())
  head = made.is_head > 0.5
  out = (made.mesh.normals * made.base)[head].sum(axis=1)
  assert (out > 0).mean() > 0.97
  assert np.isfinite(made.mesh.vertices).all()


def test_the_nose_is_what_stands_out_most_and_ears_are_widest():
  person = heads.average()
  m, made = person.measures(0), heads.surface(person)
  points = made.mesh.vertices[made.is_head > 0.5]
  tip = points[points[:, 2].argmax()]
  assert abs(tip[0]) < 0.05 and abs(tip[1] - m["nose_y"]) < 0.06
  assert tip[2] > m["depth"] + 0.8 * m["nose_length"]
  ear = points[points[:, 0].argmax()]
  assert abs(ear[1] - 0.05) < 0.2 and abs(ear[2]) < 0.4


def test_the_average_head_is_the_same_on_both_sides():
  made = heads.surface(heads.average())
  points = made.mesh.vertices[:72 * 96].reshape(72, 96, 3)
  # Column k has the azimuth -pi + 2 pi k / 96; its mirror image is column 96 - k.
  mirrored = np.roll(points[:, ::-1], 1, axis=1) * [-1, 1, 1]
  np.testing.assert_allclose(points[:, 1:], mirrored[:, 1:], atol=1e-12)


@pytest.mark.parametrize("name, grows", [
    ("nose_length", lambda p: p[:, 2].max()), ("ear", lambda p: p[:, 0].max()),
    ("height", lambda p: p[:, 1].max())])
def test_a_measure_changes_what_it_names(name, grows):
  person = heads.average()
  greater = person.shape.copy()
  greater[0, list(heads.SHAPE).index(name)] *= 1.2
  before, after = (heads.surface(p).mesh.vertices[:72 * 96]
                   for p in (person, person.replace(shape=greater)))
  assert grows(after) > grows(before) + 1e-3


def test_hair_is_on_top_and_not_on_the_face():
  m = heads.average().measures(0)
  azimuth = np.array([0.0, 0.0, np.pi])
  base = heads.place(m, azimuth, np.array([1.3, 0.0, 0.2]))
  np.testing.assert_allclose(heads.hair_share(m, azimuth, base), [1, 0, 1])

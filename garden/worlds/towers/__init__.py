"""Towers of blocks: drawn at random, let fall in MuJoCo, seen by a camera.

`scene` holds towers as plain arrays, `physics` moves them, `support` says by the centre of mass
whether they stand (`soft_support` does with gradients), `renderer` sees them: a ray-caster in
TensorFlow.
"""

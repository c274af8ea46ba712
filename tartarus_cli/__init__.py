"""Deep-learning experiments on audio and text."""

import os

# JAX unless the user chose: the environment counts, ~/.keras/keras.json does not, because Keras
# writes that file itself, with tensorflow in it, at its first import.
os.environ.setdefault("KERAS_BACKEND", "jax")

"""What networks minimise, computed with the operations of Keras; import it inside functions."""

from __future__ import annotations

from typing import Any

from keras import ops

MIN_SQUARED_NORM = 1e-12
"""A vector whose squared norm is below this counts as a zero vector."""


def unit_norm(vectors: Any) -> Any:
    """Divide vectors by their L2 norm; a zero vector stays zero and has a zero gradient.

    Keras' own ``UnitNormalization`` and ``ops.normalize`` have NaN gradients there.
    """
    # PyTorch multiplies no arrays of NumPy by its tensors.
    vectors = ops.convert_to_tensor(vectors)
    squared = ops.sum(vectors * vectors, axis=-1, keepdims=True)
    inverse = ops.rsqrt(ops.maximum(squared, MIN_SQUARED_NORM))
    return vectors * ops.where(squared > MIN_SQUARED_NORM, inverse, ops.zeros_like(inverse))


def cosine_loss(targets: Any, outputs: Any) -> Any:
    """Cosine distance of each row, ``(1 - y·p / (‖y‖ ‖p‖)) / 2``, within 0 and 1.

    A zero vector on either side costs 0.5 and has a zero gradient.
    """
    cosine = ops.sum(unit_norm(targets) * unit_norm(outputs), axis=-1)
    return ops.clip((1 - cosine) / 2, 0, 1)


def cosine_and_norm_loss(targets: Any, outputs: Any) -> Any:
    """Cosine loss of all columns but the last, plus the squared error of the last: a log norm."""
    error = ops.square(targets[:, -1] - outputs[:, -1])
    return cosine_loss(targets[:, :-1], outputs[:, :-1]) + error


def softmax_loss(positives: Any, scores: Any) -> Any:
    """Softmax of each user over the items of a step, its logarithm averaged over the positives.

    ``-Σ_u Σ_i p_ui (s_ui - log Σ_j exp s_uj) / Σ_u Σ_i p_ui``; users without a positive, and steps
    without any, cost nothing.

    Parameters
    ----------
    positives
        ``(users, items)``: 1 where the user played the item, else 0.
    scores
        ``(users, items)``.

    Returns
    -------
    One number.
    """
    positives = ops.cast(positives, scores.dtype)
    normalisers = ops.logsumexp(scores, axis=-1)
    each = ops.sum(positives, axis=-1) * normalisers - ops.sum(positives * scores, axis=-1)
    return ops.sum(each) / ops.maximum(ops.sum(positives), 1)


def contrastive_loss(rows: Any, presence: Any, temperature: float) -> Any:
    """InfoNCE, both ways, between the rows of two settings of an item; the mean over all pairs.

    Of items ``i`` that have both settings ``s`` and ``t``: the mean of
    ``-log (exp(c_ii / τ) / Σ_j exp(c_ij / τ))``, where ``c_ij`` is the cosine of the row of ``i``
    in ``s`` and that of ``j`` in ``t``, over all ``j`` of the batch that have both. Pairs that no
    item has cost nothing.

    Parameters
    ----------
    rows
        ``(items, settings, width)``.
    presence
        ``(items, settings)``: 1 where an item has a setting, else 0.
    temperature
        The ``τ``: the smaller, the more the nearest of the other items count.

    Returns
    -------
    One number; 0 if there is one setting.
    """
    settings, total, count = rows.shape[1], 0.0, 0.0
    normed = unit_norm(rows)
    for first in range(settings):
        for second in range(first + 1, settings):
            both = presence[:, first] * presence[:, second]
            cosines = ops.matmul(normed[:, first], ops.transpose(normed[:, second])) / temperature
            held = both[:, None] * both[None, :] > 0
            own = ops.diagonal(cosines)
            for axis in (0, 1):
                normalisers = ops.logsumexp(ops.where(held, cosines, -1e4), axis=axis)
                each = ops.where(both > 0, normalisers - own, 0.0)
                total = total + ops.sum(each) / ops.maximum(ops.sum(both), 1.0) / 2
            count = count + ops.cast(ops.any(both > 0), rows.dtype)
    return total / ops.maximum(count, 1.0)


def weighted_crossentropy(loss: str, weights: Any) -> Any:
    """Return a crossentropy in which classes have weights, ``(targets, outputs)`` to a row each.

    Parameters
    ----------
    loss
        ``categorical_crossentropy`` or ``binary_crossentropy``.
    weights
        ``(2, classes)``: of an item that has the class, and of one that does not; the latter counts
        for ``binary_crossentropy`` alone.
    """
    epsilon = 1e-7

    def crossentropy(targets: Any, outputs: Any) -> Any:
        own, others = ops.convert_to_tensor(weights, outputs.dtype)
        outputs = ops.clip(outputs, epsilon, 1 - epsilon)
        each = own * targets * ops.log(outputs)
        if loss == "categorical_crossentropy":
            return -ops.sum(each, axis=-1)
        return -ops.mean(each + others * (1 - targets) * ops.log(1 - outputs), axis=-1)

    return crossentropy


LOSSES: dict[str, Any] = {
    "cosine": cosine_loss,
    "cosine_and_norm": cosine_and_norm_loss,
    "binary_crossentropy": "binary_crossentropy",
    "categorical_crossentropy": "categorical_crossentropy",
    "mean_squared_error": "mean_squared_error",
    "softmax": softmax_loss,
}

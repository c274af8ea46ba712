"""Compiled loops over scores: ranks by counting, first items, random orders.

In every ranking, equal scores keep the order of the items.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tartarus_cli.compiled import compiled

CHUNK = 4096  # scores that stay in the first cache while they are compared
MANY = 4000  # relevant items of 65,764 from which on a search among them beats comparing with each
LONG = 2500  # first items of as many from which on sorting all beats inserting one by one


@compiled
def _above(scores: Any, own: Any) -> Any:  # pragma: no cover
    count = np.int32(0)  # of 32 bits, and by index, so that the loop works on whole vectors
    for item in range(scores.size):
        count = np.int32(count + np.int32(scores[item] > own))
    return count


@compiled
def _not_below(scores: Any, own: Any) -> Any:  # pragma: no cover
    count = np.int32(0)
    for item in range(scores.size):
        count = np.int32(count + np.int32(scores[item] >= own))
    return count


@compiled
def _count_each(row: Any, items: Any, ranks: Any) -> None:  # pragma: no cover
    """Count, for each relevant item, those above it: before it, equal scores count as well."""
    ranks[:] = 1
    for first in range(0, row.size, CHUNK):
        part = row[first : first + CHUNK]
        for entry in range(items.size):
            item, own = items[entry], row[items[entry]]
            if item >= first + part.size:
                ranks[entry] += _not_below(part, own)
            elif item < first:
                ranks[entry] += _above(part, own)
            else:
                ranks[entry] += _not_below(part[: item - first], own)
                ranks[entry] += _above(part[item - first + 1 :], own)


@compiled
def _search(row: Any, items: Any, ranks: Any) -> None:  # pragma: no cover
    """Find, for each item, the first of the relevant ones in their order that it is above of."""
    order = np.argsort(-row[items], kind="mergesort")
    below = np.zeros(items.size + 1, np.int64)
    for item in range(row.size):
        score, low, high = row[item], 0, items.size
        while low < high:
            middle = (low + high) // 2
            other = items[order[middle]]
            if score > row[other] or (score == row[other] and item < other):
                high = middle
            else:
                low = middle + 1
        below[low] += 1
    above = 1
    for place in range(items.size):
        above += below[place]
        ranks[order[place]] = above


@compiled
def _insert(row: Any, first: Any, best: Any) -> None:  # pragma: no cover
    """Keep the best items seen so far in order; most stretches hold none and are skipped."""
    k, there = first.size, 0
    if k == 0:
        return
    for start in range(0, row.size, 64):
        stretch = row[start : start + 64]
        if there == k and _above(stretch, best[k - 1]) == 0:
            continue
        for offset in range(stretch.size):
            score = stretch[offset]
            if there == k and not score > best[k - 1]:
                continue
            place = min(there, k - 1)
            while place > 0 and best[place - 1] < score:
                best[place], first[place] = best[place - 1], first[place - 1]
                place -= 1
            best[place], first[place] = score, start + offset
            there = min(there + 1, k)


@compiled
def _rank(row: Any, items: Any, ranks: Any) -> None:  # pragma: no cover
    if items.size > MANY:
        _search(row, items, ranks)
    else:
        _count_each(row, items, ranks)


@compiled
def _head(row: Any, first: Any, best: Any) -> None:  # pragma: no cover
    if first.size > LONG:
        first[:] = np.argsort(-row, kind="mergesort")[: first.size]
    else:
        _insert(row, first, best)


@compiled
def order_by_scores(
    scores: Any, starts: Any, items: Any, ranks: Any, first: Any
) -> None:  # pragma: no cover
    """Write the rank of each relevant item, and the items that stand first.

    Parameters
    ----------
    scores
        ``(users, items)``, without NaN.
    starts, items
        User u has the items ``items[starts[u]:starts[u + 1]]``, in ascending order.
    ranks
        As long as ``items``; 1 is the best.
    first
        The items of the ranks from 1 on, ``(users, k)``, k up to the number of items.
    """
    best = np.empty(first.shape[1], scores.dtype)
    for user in range(scores.shape[0]):
        begin, end = starts[user], starts[user + 1]
        _rank(scores[user], items[begin:end], ranks[begin:end])
        _head(scores[user], first[user], best)


@compiled
def _mixed(state: Any) -> Any:  # pragma: no cover
    """Scramble 64 bits: the output function of SplitMix64 (Steele et al., OOPSLA 2014)."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@compiled
def _draw(state: Any, below: Any) -> Any:  # pragma: no cover
    """Draw a number from 0 on, below another one, and move the state on."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    return np.int64(((_mixed(state[0]) >> np.uint64(32)) * np.uint64(below)) >> np.uint64(32))


@compiled
def _deal(deck: Any, dealt: Any, state: Any) -> Any:  # pragma: no cover
    """Draw the next of the numbers that were not dealt yet."""
    other = dealt + _draw(state, deck.size - dealt)
    deck[dealt], deck[other] = deck[other], deck[dealt]
    return deck[dealt]


@compiled
def _restore(deck: Any, dealt: int) -> None:  # pragma: no cover
    """Put a deck into order again, at the cost of what was dealt."""
    for place in range(dealt):
        while deck[place] != place:
            other = deck[place]
            deck[place], deck[other] = deck[other], deck[place]


@compiled
def rank_at_random(
    starts: Any, items: Any, ranks: Any, first: Any, seeds: Any, count: int
) -> None:  # pragma: no cover
    """Draw a random order of ``count`` items for each user, as far as anybody looks at it.

    The work is that of the relevant and the first items alone, not of all items.

    Parameters
    ----------
    starts, items, ranks
        As of :func:`order_by_scores`.
    first
        As of :func:`order_by_scores`.
    seeds
        A number for each user, ``(users,)`` of 64 bits; ranks depend on nothing else.
    count
        Number of items.
    """
    places, deck = np.arange(count), np.arange(count)
    owner = np.full(count, -1)  # of the first ranks: which item stands there
    relevant = np.zeros(count, np.bool_)
    state = np.empty(1, np.uint64)
    for user in range(seeds.size):
        state[0] = _mixed(seeds[user])
        begin, end = starts[user], starts[user + 1]
        for entry in range(begin, end):
            place = _deal(places, entry - begin, state)
            ranks[entry], owner[place] = place + 1, items[entry]
            relevant[items[entry]] = True
        dealt = 0
        for place in range(first.shape[1]):
            item = owner[place]
            while item < 0:
                drawn = _deal(deck, dealt, state)
                dealt += 1
                if not relevant[drawn]:
                    item = drawn
            first[user, place] = item
        for entry in range(begin, end):
            owner[ranks[entry] - 1] = -1
            relevant[items[entry]] = False
        _restore(places, end - begin)
        _restore(deck, dealt)

"""Compiled loops over scores: ranks by counting, top items, random orders.

In every ranking, equal scores keep the order of the items.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tartarus_cli.compiled import compiled

CHUNK = 4096
"""Scores that are compared at a time: they stay in the first cache."""

# Measured with 65,764 items.
SEARCH_FROM = 4000
"""Relevant items of a user from which on a binary search is faster than comparing with each."""

SORT_FROM = 2500
"""Length of the list of top items from which on sorting is faster than inserting one by one."""


@compiled
def _count_above(scores: Any, score: Any) -> Any:  # pragma: no cover
    # Of 32 bits, and by index, so that the loop works on whole vectors.
    count = np.int32(0)
    for item in range(scores.size):
        count = np.int32(count + np.int32(scores[item] > score))
    return count


@compiled
def _count_both(scores: Any, score: Any) -> Any:  # pragma: no cover
    """Count the scores above one, and those that are not below it."""
    above, not_below = np.int32(0), np.int32(0)
    for item in range(scores.size):
        above = np.int32(above + np.int32(scores[item] > score))
        not_below = np.int32(not_below + np.int32(scores[item] >= score))
    return above, not_below


@compiled
def _count_equal(scores: Any, score: Any) -> Any:  # pragma: no cover
    count = np.int32(0)
    for item in range(scores.size):
        count = np.int32(count + np.int32(scores[item] == score))
    return count


@compiled
def _rank_by_counting(row: Any, items: Any, ranks: Any) -> None:  # pragma: no cover
    """Count the items above each relevant item, and those that are not below it."""
    ranks[1], ranks[2] = 1, 0
    for start in range(0, row.size, CHUNK):
        chunk = row[start : start + CHUNK]
        for entry in range(items.size):
            above, not_below = _count_both(chunk, row[items[entry]])
            ranks[1, entry] += above
            ranks[2, entry] += not_below
    for entry in range(items.size):
        ranks[0, entry] = ranks[1, entry]
        if ranks[2, entry] > ranks[1, entry]:  # of the items of the same score, those before it
            ranks[0, entry] += _count_equal(row[: items[entry]], row[items[entry]])


@compiled
def _find_level(levels: Any, score: Any) -> Any:  # pragma: no cover
    """Return the place of the first of falling scores that is not above a score."""
    low, high = 0, levels.size
    while low < high:
        middle = (low + high) // 2
        if levels[middle] <= score:
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def _rank_by_search(row: Any, items: Any, ranks: Any) -> None:  # pragma: no cover
    """Sort the scores of the relevant items, and find each item's place among them."""
    levels = np.sort(row[items])[::-1]  # of equal ones, only the first is counted for
    equal, above = np.zeros(items.size + 1, np.int32), np.zeros(items.size + 1, np.int32)
    entry = 0
    for item in range(row.size):
        level = _find_level(levels, row[item])
        if level < items.size and levels[level] == row[item]:
            equal[level] += 1
        else:
            above[level] += 1
        if entry < items.size and items[entry] == item:
            ranks[0, entry], ranks[1, entry] = equal[level], level
            entry += 1
    for level in range(1, items.size):
        above[level] += above[level - 1] + equal[level - 1]
    for number in range(items.size):
        level = ranks[1, number]
        ranks[0, number] += above[level]
        ranks[1, number], ranks[2, number] = above[level] + 1, above[level] + equal[level]


@compiled
def _insert_top(row: Any, top: Any, best: Any) -> None:  # pragma: no cover
    """Keep the best items so far in order; most stretches of the row hold none and are skipped."""
    k, size = top.size, 0
    if k == 0:
        return
    for start in range(0, row.size, 64):
        stretch = row[start : start + 64]
        if size == k and _count_above(stretch, best[k - 1]) == 0:
            continue
        for offset in range(stretch.size):
            score = stretch[offset]
            if size == k and not score > best[k - 1]:
                continue
            position = min(size, k - 1)
            while position > 0 and best[position - 1] < score:
                best[position], top[position] = best[position - 1], top[position - 1]
                position -= 1
            best[position], top[position] = score, start + offset
            size = min(size + 1, k)


@compiled
def _rank_relevant(row: Any, items: Any, ranks: Any) -> None:  # pragma: no cover
    if items.size > SEARCH_FROM:
        _rank_by_search(row, items, ranks)
    else:
        _rank_by_counting(row, items, ranks)


@compiled
def _find_top(row: Any, top: Any, best: Any) -> None:  # pragma: no cover
    if top.size > SORT_FROM:
        top[:] = np.argsort(-row, kind="mergesort")[: top.size]
    else:
        _insert_top(row, top, best)


@compiled
def order_by_scores(
    scores: Any, starts: Any, items: Any, ranks: Any, top: Any
) -> None:  # pragma: no cover
    """Write the ranks of each relevant item, and the top items.

    Parameters
    ----------
    scores
        ``(users, items)``, without NaN.
    starts, items
        User ``u`` has the items ``items[starts[u]:starts[u + 1]]``, in ascending order.
    ranks
        Written: ``(3, relevant)``: the rank of each of ``items``, from 1 on, and the best and the
        worst rank of the items of the same score.
    top
        Written: the items of the ranks from 1 on, ``(users, k)``, k up to the number of items.
    """
    top_scores = np.empty(top.shape[1], scores.dtype)
    for user in range(scores.shape[0]):
        own = slice(starts[user], starts[user + 1])
        _rank_relevant(scores[user], items[own], ranks[:, own])
        _find_top(scores[user], top[user], top_scores)


@compiled
def _mix(state: Any) -> Any:  # pragma: no cover
    """Scramble 64 bits: the output function of SplitMix64 (Steele et al., OOPSLA 2014)."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@compiled
def _draw_below(state: Any, limit: Any) -> Any:  # pragma: no cover
    """Draw a whole number from 0 to below the limit, and move the state on."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    return np.int64(((_mix(state[0]) >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32))


@compiled
def _draw_next(deck: Any, count: Any, state: Any) -> Any:  # pragma: no cover
    """Draw one of the numbers after the first ``count``, which are drawn already."""
    other = count + _draw_below(state, deck.size - count)
    deck[count], deck[other] = deck[other], deck[count]
    return deck[count]


@compiled
def _sort_again(deck: Any, count: int) -> None:  # pragma: no cover
    """Put a deck into order again, at the cost of the ``count`` numbers that were drawn."""
    for position in range(count):
        while deck[position] != position:
            other = deck[position]
            deck[position], deck[other] = deck[other], deck[position]


@compiled
def rank_at_random(
    starts: Any, items: Any, ranks: Any, top: Any, seeds: Any, count: int
) -> None:  # pragma: no cover
    """Draw a random order of ``count`` items for each user, as far as it is needed.

    The work is that of the relevant and the top items alone, not of all items.

    Parameters
    ----------
    starts, items, top
        As of :func:`order_by_scores`.
    ranks
        Written: the rank of each of ``items``.
    seeds
        A number for each user, ``(users,)`` of 64 bits; the order depends on nothing else.
    count
        Number of items.
    """
    positions, deck = np.arange(count), np.arange(count)
    owner = np.full(count, -1)  # the relevant item at each position; -1 where there is none
    relevant = np.zeros(count, np.bool_)
    state = np.empty(1, np.uint64)
    for user in range(seeds.size):
        state[0] = _mix(seeds[user])
        begin, end = starts[user], starts[user + 1]
        for entry in range(begin, end):
            position = _draw_next(positions, entry - begin, state)
            ranks[entry], owner[position] = position + 1, items[entry]
            relevant[items[entry]] = True
        drawn = 0
        for position in range(top.shape[1]):
            item = owner[position]
            while item < 0:
                other = _draw_next(deck, drawn, state)
                drawn += 1
                if not relevant[other]:
                    item = other
            top[user, position] = item
        for entry in range(begin, end):
            owner[ranks[entry] - 1] = -1
            relevant[items[entry]] = False
        _sort_again(positions, end - begin)
        _sort_again(deck, drawn)

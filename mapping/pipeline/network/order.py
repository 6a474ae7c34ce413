"""Populations in the order of a pipeline: groups that need one another, their levels, and how far behind each is."""

from __future__ import annotations

from dataclasses import dataclass

from neuromorph.errors import MappingError


@dataclass(frozen=True, slots=True)
class Link:
    """A projection as far as order goes: events of ``pre`` reach ``post`` ``delay`` steps later at the earliest."""

    pre: int
    post: int
    delay: int


@dataclass(frozen=True)
class Order:
    """Who runs when.

    A population that is ``lag`` steps behind works on step t + lag of the network when others begin step t, on events
    that have just come: so a feed-forward delay needs no memory, and what remains of a link's delay is
    :meth:`kept`.

    Attributes
    ----------
    groups : tuple of tuple of int
        Populations that reach one another, each group after those that it gets events from.
    group_of : tuple of int
        The group of each population.
    level : tuple of int
        Longest way to each group, in groups.
    lag : tuple of int
        Steps that each population is ahead in the network's time when it works on the same item as the inputs.
    """

    groups: tuple[tuple[int, ...], ...]
    group_of: tuple[int, ...]
    level: tuple[int, ...]
    lag: tuple[int, ...]

    def kept(self, link: Link) -> int:
        """Items that wait between the two ends of a link: 0 if its events are used as they come."""
        return link.delay + self.lag[link.pre] - self.lag[link.post]

    def ahead(self, link: Link) -> int:
        """Levels that a link leads ahead, 0 inside a group."""
        return self.level[self.group_of[link.post]] - self.level[self.group_of[link.pre]]

    @property
    def depth(self) -> int:
        """Levels of the whole network, at least 1 of any that has populations."""
        return max(self.level, default=-1) + 1


def order_of(populations: int, links: tuple[Link, ...]) -> Order:
    """Groups, levels and lags of a network.

    The lags are as large as the delays allow, the shortest way from any input in steps, so that as few steps of events
    as can be are kept.

    Raises
    ------
    MappingError
        A delay of less than a step.
    """
    for link in links:
        if link.delay < 1:
            raise MappingError(f"a link of populations {link.pre} and {link.post} has delay {link.delay}; at least 1")
    after: list[list[int]] = [[] for _ in range(populations)]
    for link in links:
        after[link.pre].append(link.post)
    groups = _groups(after)
    group_of = [0] * populations
    for number, group in enumerate(groups):
        for member in group:
            group_of[member] = number
    level = [0] * len(groups)
    for number, group in enumerate(groups):
        for member in group:
            for post in after[member]:
                if group_of[post] != number:
                    level[group_of[post]] = max(level[group_of[post]], level[number] + 1)
    return Order(groups, tuple(group_of), tuple(level), _lags(populations, links))


def _groups(after: list[list[int]]) -> tuple[tuple[int, ...], ...]:
    """Strongly connected components in topological order (R. E. Tarjan, 1972), without recursion."""
    number = [-1] * len(after)
    low = [0] * len(after)
    on: list[bool] = [False] * len(after)
    stack: list[int] = []
    found: list[tuple[int, ...]] = []
    count = 0
    for root in range(len(after)):
        if number[root] >= 0:
            continue
        number[root] = low[root] = count
        count += 1
        stack.append(root)
        on[root] = True
        todo = [(root, 0)]
        while todo:
            node, next_ = todo.pop()
            if next_ < len(after[node]):
                todo.append((node, next_ + 1))
                target = after[node][next_]
                if number[target] < 0:
                    number[target] = low[target] = count
                    count += 1
                    stack.append(target)
                    on[target] = True
                    todo.append((target, 0))
                elif on[target]:
                    low[node] = min(low[node], number[target])
                continue
            if low[node] == number[node]:
                members: list[int] = []
                while not members or members[-1] != node:
                    members.append(stack.pop())
                    on[members[-1]] = False
                found.append(tuple(sorted(members)))
            if todo:
                low[todo[-1][0]] = min(low[todo[-1][0]], low[node])
    return tuple(reversed(found))


def _lags(populations: int, links: tuple[Link, ...]) -> tuple[int, ...]:
    """Shortest ways in steps from populations without inputs; where there are none, from the first one of a group."""
    lag: list[int | None] = [None] * populations
    fed = {link.post for link in links if link.post != link.pre}
    starts = [k for k in range(populations) if k not in fed]
    for start in [*starts, *range(populations)]:
        if lag[start] is not None:
            continue
        lag[start] = 0
        changed = True
        while changed:
            changed = False
            for link in links:
                pre, post = lag[link.pre], lag[link.post]
                if pre is not None and (post is None or post > pre + link.delay):
                    lag[link.post] = pre + link.delay
                    changed = True
    return tuple(each or 0 for each in lag)

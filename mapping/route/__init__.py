"""Keys, multicast trees, routing tables and their independent checker."""

from .check import RouteCheck, check_routes
from .fanout import Fanout, fanout
from .fit import Routing, route_network, route_parts
from .keys import Groups, Keys, assign_keys, exact_groups, merge_groups, one_group_per_part
from .tables import Table, build_tables, lookup, minimise
from .trees import Routes, link_loads, link_steps, paths, presence, route

__all__ = [
    "Fanout",
    "Groups",
    "Keys",
    "RouteCheck",
    "Routes",
    "Routing",
    "Table",
    "assign_keys",
    "build_tables",
    "check_routes",
    "exact_groups",
    "fanout",
    "link_loads",
    "link_steps",
    "lookup",
    "merge_groups",
    "minimise",
    "one_group_per_part",
    "paths",
    "presence",
    "route",
    "route_network",
    "route_parts",
]

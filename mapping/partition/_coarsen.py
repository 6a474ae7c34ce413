"""Compiled contraction of a hypergraph by a clustering of its vertices (imported late)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any


@njit(cache=True, error_model="numpy")
def mix(x: Any) -> Any:
    """A well mixed 64-bit hash of an integer (the finaliser of splitmix64)."""
    z = np.uint64(x) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, error_model="numpy")
def signatures(nets: Any, layer: Array, label: Array) -> Array:
    """Hash of what each vertex listens to: its layer and the labels of its sources (of its targets, if it has none)."""
    n = len(layer)
    out = np.empty(n, np.uint64)
    for v in range(n):
        h = np.uint64(0)
        for j in range(nets.in_ptr[v], nets.in_ptr[v + 1]):
            s = nets.net_source[nets.in_nets[j]]
            h += mix(label[s] if s >= 0 else -1 - nets.in_nets[j])
        if nets.in_ptr[v] == nets.in_ptr[v + 1]:
            for j in range(nets.out_ptr[v], nets.out_ptr[v + 1]):
                e = nets.out_nets[j]
                for i in range(nets.net_ptr[e], nets.net_ptr[e + 1]):
                    h += mix(label[nets.net_pins[i]])
            if h == 0:
                h = mix(v)
        out[v] = mix(h ^ mix(layer[v] + 7))
    return out


@njit(cache=True, error_model="numpy")
def chunk(sorted_by: Array, signature: Array, need: Array, count: Array, max_need: float, max_count: float) -> Any:
    """Cut runs of equal signatures, in the given order, into even clusters of limited size; (cluster, clusters)."""
    n = len(signature)
    cluster = np.empty(n, np.int32)
    made = 0
    low = 0
    while low < n:
        high = low
        run_need = 0.0
        run_count = 0.0
        while high < n and signature[sorted_by[high]] == signature[sorted_by[low]]:
            run_need += need[sorted_by[high]]
            run_count += count[sorted_by[high]]
            high += 1
        pieces = max(1, int(np.ceil(max(run_need / max_need, run_count / max_count))))
        pieces = min(pieces, high - low)
        for i in range(low, high):
            cluster[sorted_by[i]] = made + (i - low) * pieces // (high - low)
        made += pieces
        low = high
    return cluster, made


@njit(cache=True, error_model="numpy")
def contract_nets(net_ptr: Array, net_pins: Array, net_source: Array, cluster: Array, clusters: int) -> Any:
    """Pins and sources of every net in terms of clusters, without repetition, in no order; and a hash of each net."""
    m = len(net_source)
    ptr = np.zeros(m + 1, np.int64)
    pins = np.empty(len(net_pins), np.int32)
    source = np.full(m, -1, np.int32)
    code = np.empty(m, np.uint64)
    seen = np.full(clusters, -1, np.int64)
    at = 0
    for e in range(m):
        first = at
        for i in range(net_ptr[e], net_ptr[e + 1]):
            c = cluster[net_pins[i]]
            if seen[c] != e:
                seen[c] = e
                pins[at] = c
                at += 1
        if net_source[e] >= 0:
            source[e] = cluster[net_source[e]]
        h = mix(source[e])
        for i in range(first, at):
            h += mix(pins[i])
        code[e] = mix(h)
        ptr[e + 1] = at
    return ptr, pins[:at].copy(), source, code


@njit(cache=True, error_model="numpy")
def merge_nets(ptr: Array, pins: Array, source: Array, weight: Array, size: Array, code: Array, by_code: Array) -> Any:
    """Nets with the same source and pins become one; their weights and bytes add."""
    m = len(source)
    keep = np.empty(m, np.int64)
    kept = 0
    new_weight = np.zeros(m, np.float64)
    new_size = np.zeros(m, np.int64)
    total = 0
    for i in range(m):
        e = by_code[i]
        length = ptr[e + 1] - ptr[e]
        same = False
        if i > 0 and code[e] == code[by_code[i - 1]]:
            f = keep[kept - 1]
            same = source[e] == source[f] and length == ptr[f + 1] - ptr[f]
            if same:
                for j in range(length):
                    if pins[ptr[e] + j] != pins[ptr[f] + j]:
                        same = False
                        break
        if not same:
            keep[kept] = e
            kept += 1
            total += length
        new_weight[kept - 1] += weight[e]
        new_size[kept - 1] += size[e]
    out_ptr = np.zeros(kept + 1, np.int64)
    out_pins = np.empty(total, np.int32)
    out_source = np.empty(kept, np.int32)
    for k in range(kept):
        e = keep[k]
        length = ptr[e + 1] - ptr[e]
        out_ptr[k + 1] = out_ptr[k] + length
        for j in range(length):
            out_pins[out_ptr[k] + j] = pins[ptr[e] + j]
        out_source[k] = source[e]
    return out_ptr, out_pins, out_source, new_weight[:kept].copy(), new_size[:kept].copy()

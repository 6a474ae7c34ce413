"""What a configuration records, and what it says of the run."""

from __future__ import annotations

from neuromorph.errors import NetworkError
from neuromorph.interchange.sonata.circuit import Circuit
from neuromorph.interchange.sonata.groups import NodeGroup
from neuromorph.interchange.sonata.inputs import members
from neuromorph.units import Quantity, ms

MEMBRANE = ("membrane_report", "multimeter_report", "compartment")

RUN = ("tstop", "duration", "dt", "random_seed")
"""What is taken from the section ``run``."""

RUN_ELSEWHERE = (
    "dL",
    "spike_threshold",
    "nsteps_block",
    "block_run",
    "block_size",
    "calc_ecp",
    "save_cell_vars",
    "connect_internal",
    "connect_external",
    "overwrite_output_dir",
    "print_time",
    "n_thread",
    "precise_times",
    "allow_offgrid_spikes",
    "integration_method",
    "stimulus_seed",
    "ionchannel_seed",
    "minis_seed",
    "synapse_seed",
    "electrodes_file",
)
"""Settings of morphologies or of a simulator's own machinery, which mean nothing to a network of point neurons."""


def run_problems(circuit: Circuit, ignored: frozenset[str]) -> list[str]:
    """What the section ``run`` asks for and cannot have."""
    problems = []
    for name, value in circuit.run.items():
        if name in RUN or name in RUN_ELSEWHERE or f"run/{name}" in ignored:
            continue
        if (name == "tstart" and float(value) == 0) or (name == "n_runs" and int(value) == 1):
            continue
        problems.append(f"run/{name} = {value!r} has no equivalent; leave it out with ignore={{'run/{name}'}}")
    return problems


def recordings(
    circuit: Circuit, groups: list[NodeGroup], dt: Quantity | None, ignored: frozenset[str], problems: list[str]
) -> list[tuple[str, str, int]]:
    """States to record: population, variable, steps between samples.

    All neurons of a population are recorded, also where a report is of some of them. What cannot be recorded is added
    to ``problems``.
    """
    wanted: list[tuple[str, str, int]] = []
    for label, given in circuit.reports.items():
        subject = f"reports/{label}"
        hint = f"leave it out with ignore={{{subject!r}}}"
        if subject in ignored or given.get("enabled") is False:
            continue
        module = given.get("module", given.get("type"))
        if module == "spikes_report":
            continue  # spikes are always in the trace
        if module not in MEMBRANE:
            problems.append(f"{subject}: module {module!r} has no equivalent; {hint}")
            continue
        every = 1
        if "dt" in given:
            if dt is None:
                problems.append(f"{subject}: has a dt, but run has none to count it in; give from_sonata(dt=...)")
                continue
            ratio = float(given["dt"] * ms / dt)
            every = max(round(ratio), 1)
            if abs(ratio - every) > 1e-6 * every:
                problems.append(f"{subject}: dt {given['dt']} ms is no multiple of the step, {dt}; {hint}")
                continue
        try:
            chosen = members(circuit, given.get("cells", "all"), subject)
        except NetworkError as error:
            problems.append(str(error))
            continue
        named = given.get("variable_name", "v")
        for variable in named if isinstance(named, list) else [named]:
            found = [g for g in groups if g.nodes in chosen and g.neuron is not None]
            for group in found:
                assert group.neuron is not None
                have = [*(s.name for s in group.neuron.states), *(item[0] for item in group.neuron.named)]
                if variable in have:
                    wanted.append((group.name, variable, every))
                else:
                    problems.append(
                        f"{subject}: {group.name} ({group.neuron.name}) has no {variable!r}; it has {', '.join(have)}; "
                        f"{hint}"
                    )
    return wanted

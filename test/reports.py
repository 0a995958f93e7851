"""Read what a state run reports."""

from typing import Any


def failed(states: Any) -> list[str]:
    """List the states that failed, with what they say; the compiler's errors count as well."""
    if not isinstance(states, dict):
        return [str(states)]
    return [
        f"{state['__id__']}: {state['comment']}"
        for state in states.values()
        if state["result"] is False
    ]


def failures(answers: dict[str, Any]) -> dict[str, list[str]]:
    """Return host to the states that failed there, without the hosts on which none did."""
    return {host: found for host, states in answers.items() if (found := failed(states))}


def changed(states: dict[str, Any]) -> list[str]:
    """List the states that report changes, or would make some."""
    return [
        f"{state['__id__']}: {state['changes']}"
        for state in states.values()
        if state["changes"] or state["result"] is None
    ]


def state(states: dict[str, Any], state_id: str) -> dict[str, Any]:
    """Find the one state of a run that has this ID."""
    (found,) = (state for state in states.values() if state["__id__"] == state_id)
    return found

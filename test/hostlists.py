"""Random hostlists, for the property-based tests."""

from hypothesis import strategies as st

NUMBERS = st.integers(min_value=0, max_value=1200)
RANGES = st.tuples(NUMBERS, st.integers(0, 12), st.integers(1, 4), st.booleans()).map(
    lambda t: f"{t[0]:0{t[2]}d}-{t[0] + t[1]}" if t[3] else f"{t[0]:0{t[2]}d}"
)
LISTS = st.lists(RANGES, min_size=1, max_size=3).map(lambda parts: f"[{','.join(parts)}]")
WORDS = st.sampled_from(["n", "rack", "a-b", "c0", "x.y-", "N7z"])
TERMS = st.lists(st.tuples(WORDS, LISTS), min_size=1, max_size=3).map(
    lambda parts: "".join(word + numbers for word, numbers in parts)
)
EXPRESSIONS = st.lists(TERMS | WORDS, min_size=1, max_size=4).map(",".join)
NAMES = st.lists(
    st.lists(st.tuples(WORDS, st.integers(0, 30), st.integers(1, 3)), min_size=1, max_size=3).map(
        lambda parts: "".join(f"{word}{number:0{width}d}" for word, number, width in parts)
    )
    | WORDS,
    max_size=40,
)

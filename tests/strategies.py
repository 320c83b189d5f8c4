"""What hypothesis draws for the domain: readings, alone and in requests."""

from hypothesis import strategies as st

from weir.readings import Reading

NOW_MS = 1_767_225_600_000

device_ids = st.from_regex(r"[A-Za-z0-9._:-]{1,128}", fullmatch=True)
names = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20
).filter(str.isprintable)
values = st.floats(allow_nan=False, allow_infinity=False)
metrics = st.dictionaries(names, values, min_size=1, max_size=5)
tags = st.none() | st.dictionaries(names, st.text("abc xyz", max_size=8), min_size=1, max_size=3)
times = st.integers(NOW_MS - 3 * 3_600_000, NOW_MS)

readings = st.builds(
    Reading, device_id=st.sampled_from(["a", "b", "pump-7"]), ts=times, metrics=metrics, tags=tags
)
requests = st.lists(readings, max_size=40)

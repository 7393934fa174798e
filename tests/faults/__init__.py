"""Seeded faults: does the suite convict every wrong kernel, wrong constant and wrong theorem?

`patch` puts faults into a copy of the sources, `code` and `constants` are the catalogue,
`columns` the tests that are asked, `table` what came of it, `alarms` the false alarms of the
correct code.
"""

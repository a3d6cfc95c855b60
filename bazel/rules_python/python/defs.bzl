"""Stands in for rules_python where Bazel has no MODULE.bazel (before 6): its native rules."""

py_binary = native.py_binary
py_library = native.py_library
py_test = native.py_test

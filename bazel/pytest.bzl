"""A py_test whose file holds pytest functions: it is handed to pytest, not run as a script."""

load("@rules_python//python:defs.bzl", _py_test = "py_test")

def py_test(name, srcs, **kwargs):
    _py_test(
        name = name,
        srcs = srcs + ["//bazel:pytest_main.py"],
        args = ["$(location %s)" % src for src in srcs],
        main = "//bazel:pytest_main.py",
        **kwargs
    )

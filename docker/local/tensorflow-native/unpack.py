"""Owns taking libtensorflow and its headers out of TensorFlow's wheel. Arguments: wheel, target folder."""

import sys
import zipfile

LIBRARIES = ("tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow_framework.so.2")
HEADERS = tuple(
    "tensorflow/include/" + folder
    for folder in (
        "tensorflow/c/",
        "tensorflow/core/platform/",
        "tensorflow/tsl/",
        "tsl/",
        "xla/tsl/",
        "tensorflow/compiler/xla/tsl/",
    )
)

wheel, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        is_header = name.endswith(".h") and name.startswith(HEADERS)
        is_licence = name.endswith(("LICENSE", "THIRD_PARTY_NOTICES.txt")) and name.count("/") <= 2
        if name in LIBRARIES or is_header or is_licence:
            archive.extract(name, target)

"""SavedModels as a server has them: loaded and run by TensorFlow's C API, without Python's loader.

`build` makes `saved_model_client.c` where there is a C compiler; `InProcess` does the same calls by
ctypes where there is none.
"""

import ctypes
import os
import pathlib
import shutil
import struct
import subprocess

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

_SOURCE = pathlib.Path(__file__).with_suffix(".c")
_TENSORFLOW = pathlib.Path(tf.__file__).parent
_LIBRARIES = [_TENSORFLOW / f"libtensorflow_{name}.so.2" for name in ("cc", "framework")]
_STRING = tf.string.as_datatype_enum


class Refused(Exception):
  """The C API's message."""


def client(folder):
  """A C program in a folder, or ctypes; both have `run(saved_model, requests, fetches)`."""
  compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
  return Program(compiler, folder) if compiler else InProcess()


def call(runner, path, requests):
  """Runs signatures of a SavedModel.

  Args:
    runner: a `Program` or an `InProcess`.
    path: folder of the SavedModel.
    requests: list of (signature, {input: array}).

  Returns:
    List of {output: array}.

  Raises:
    Refused: TensorFlow's message.
  """
  proto = saved_model_pb2.SavedModel.FromString(
      pathlib.Path(path, "saved_model.pb").read_bytes())
  signatures = proto.meta_graphs[0].signature_def
  runs = []
  for name, inputs in requests:
    signature = signatures[name]
    runs.append(({_place(signature.inputs[key]): np.asarray(value)
                  for key, value in inputs.items()},
                 {key: _place(info) for key, info in signature.outputs.items()}))
  return runner.run(str(path), runs)


def _place(info):
  """(operation, index) of a tensor's name."""
  operation, index = info.name.split(":")
  return operation, int(index)


class Program:
  """The C program, a process for each SavedModel.

  Args:
    compiler: path of a C compiler.
    folder: where the program and the tensors go.
  """

  def __init__(self, compiler, folder):
    self.folder = pathlib.Path(folder)
    self.path = self.folder / "saved_model_client"
    subprocess.run(
        [compiler, "-O1", "-Wall", "-Werror", _SOURCE, f"-I{_TENSORFLOW / 'include'}",
         *_LIBRARIES, f"-Wl,-rpath,{_TENSORFLOW}", "-o", self.path], check=True)

  def run(self, path, runs):
    """Runs [({(operation, index): array}, {name: (operation, index)})]."""
    arguments, results = [], []
    for number, (feeds, fetches) in enumerate(runs):
      for place, value in feeds.items():
        file = self.folder / f"{number}_{len(arguments)}.in"
        _write(file, value)
        arguments += ["feed", place[0], str(place[1]), file]
      results.append({name: self.folder / f"{number}_{name}.out" for name in fetches})
      for name, (operation, index) in fetches.items():
        arguments += ["fetch", operation, str(index), results[-1][name]]
      arguments.append("run")
    done = subprocess.run([self.path, path, *arguments], capture_output=True,
                          env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}, timeout=120)
    if done.returncode:
      raise Refused(done.stderr.decode(errors="replace"))
    return [{name: _read(file) for name, file in files.items()} for files in results]


def _write(path, array):
  """The format that the C program reads."""
  kind = tf.as_dtype(array.dtype if array.dtype.kind not in "SO" else tf.string)
  head = struct.pack(f"<2i{array.ndim}q", kind.as_datatype_enum, array.ndim, *array.shape)
  if kind == tf.string:
    body = b"".join(struct.pack("<q", len(value)) + value for value in array.ravel().tolist())
  else:
    body = array.tobytes()
  path.write_bytes(head + body)


def _read(path):
  """The tensor that the C program wrote."""
  data = path.read_bytes()
  kind, rank = struct.unpack_from("<2i", data)
  shape = struct.unpack_from(f"<{rank}q", data, 8)
  start = 8 + 8 * rank
  if kind != _STRING:
    return np.frombuffer(data, tf.as_dtype(kind).as_numpy_dtype, offset=start).reshape(shape)
  found = np.empty(int(np.prod(shape)), object)
  for i in range(found.size):
    (length,) = struct.unpack_from("<q", data, start)
    found[i] = data[start + 8 : start + 8 + length]
    start += 8 + length
  return found.reshape(shape)


class _Output(ctypes.Structure):
  """TF_Output."""
  _fields_ = [("oper", ctypes.c_void_p), ("index", ctypes.c_int)]


_STRING_BYTES = 24  # sizeof(TF_TString)


class InProcess:
  """The same calls by ctypes, in this process."""

  def __init__(self):
    self._api = ctypes.CDLL(str(_LIBRARIES[0]))
    for name in ("NewStatus", "NewGraph", "NewSessionOptions", "LoadSessionFromSavedModel",
                 "GraphOperationByName", "AllocateTensor", "TensorData", "StringGetDataPointer"):
      getattr(self._api, f"TF_{name}").restype = ctypes.c_void_p
    for name in ("TensorByteSize", "StringGetSize"):
      getattr(self._api, f"TF_{name}").restype = ctypes.c_size_t
    self._api.TF_Dim.restype = ctypes.c_int64
    self._api.TF_Message.restype = ctypes.c_char_p

  def run(self, path, runs):
    """Runs [({(operation, index): array}, {name: (operation, index)})]."""
    api, status = self._api, ctypes.c_void_p(self._api.TF_NewStatus())
    graph = ctypes.c_void_p(api.TF_NewGraph())
    session = ctypes.c_void_p(api.TF_LoadSessionFromSavedModel(
        ctypes.c_void_p(api.TF_NewSessionOptions()), None, path.encode(),
        (ctypes.c_char_p * 1)(b"serve"), 1, graph, None, status))
    self._check(status)

    def output(place):
      operation = api.TF_GraphOperationByName(graph, place[0].encode())
      return _Output(operation, place[1])

    results = []
    for feeds, fetches in runs:
      found = (ctypes.c_void_p * len(fetches))()
      api.TF_SessionRun(
          session, None,
          (_Output * len(feeds))(*map(output, feeds)),
          (ctypes.c_void_p * len(feeds))(*map(self._tensor, feeds.values())), len(feeds),
          (_Output * len(fetches))(*map(output, fetches.values())), found, len(fetches),
          None, 0, None, status)
      self._check(status)
      results.append({name: self._array(ctypes.c_void_p(tensor))
                      for name, tensor in zip(fetches, found)})
    api.TF_CloseSession(session, status)
    api.TF_DeleteSession(session, status)
    return results

  def _check(self, status):
    if self._api.TF_GetCode(status):
      raise Refused(self._api.TF_Message(status).decode(errors="replace"))

  def _tensor(self, array):
    """A TF_Tensor of an array."""
    api, strings = self._api, array.dtype.kind in "SO"
    kind = tf.string if strings else tf.as_dtype(array.dtype)
    size = array.size * _STRING_BYTES if strings else array.nbytes
    tensor = api.TF_AllocateTensor(kind.as_datatype_enum, (ctypes.c_int64 * array.ndim)(
        *array.shape), array.ndim, ctypes.c_size_t(size))
    data = api.TF_TensorData(ctypes.c_void_p(tensor))
    if not strings:
      ctypes.memmove(data, array.tobytes(), size)
      return tensor
    for i, value in enumerate(array.ravel().tolist()):
      place = ctypes.c_void_p(data + i * _STRING_BYTES)
      api.TF_StringInit(place)
      api.TF_StringCopy(place, value, ctypes.c_size_t(len(value)))
    return tensor

  def _array(self, tensor):
    """The array of a TF_Tensor."""
    api = self._api
    shape = [api.TF_Dim(tensor, i) for i in range(api.TF_NumDims(tensor))]
    data = api.TF_TensorData(tensor)
    kind = api.TF_TensorType(tensor)
    if kind != _STRING:
      raw = ctypes.string_at(data, api.TF_TensorByteSize(tensor))
      return np.frombuffer(raw, tf.as_dtype(kind).as_numpy_dtype).reshape(shape)
    found = np.empty(int(np.prod(shape)), object)
    for i in range(found.size):
      place = ctypes.c_void_p(data + i * _STRING_BYTES)
      found[i] = ctypes.string_at(api.TF_StringGetDataPointer(place), api.TF_StringGetSize(place))
    return found.reshape(shape)

/* Runs signatures of a SavedModel through TensorFlow's C API, as a server does: no Python.

     saved_model_client SAVED_MODEL [feed OPERATION INDEX FILE]... [fetch OPERATION INDEX FILE]... run ...

   Each `run` feeds and fetches what was said since the one before. A file holds one tensor: its
   TF_DataType and rank (int32), its sizes (int64), then its numbers, or for each of its strings
   the length (int64) and the bytes. An error is one line on standard error, and exit code 1. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

#define MOST 32

static void fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static void check(const TF_Status *status, const char *what) {
  if (TF_GetCode(status) != TF_OK) fail(what, TF_Message(status));
}

static void read_all(FILE *file, void *data, size_t size) {
  if (fread(data, 1, size, file) != size) fail("feed", "the file is too short");
}

static TF_Tensor *read_tensor(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) fail(path, "cannot be read");
  int32_t head[2];
  int64_t sizes[8];
  read_all(file, head, sizeof(head));
  if (head[1] > 8) fail(path, "more than 8 dimensions");
  read_all(file, sizes, head[1] * sizeof(int64_t));
  TF_DataType type = (TF_DataType)head[0];
  size_t count = 1;
  for (int i = 0; i < head[1]; i++) count *= sizes[i];
  size_t width = type == TF_STRING ? sizeof(TF_TString) : TF_DataTypeSize(type);
  TF_Tensor *tensor = TF_AllocateTensor(type, sizes, head[1], count * width);
  if (type != TF_STRING) {
    read_all(file, TF_TensorData(tensor), count * width);
  } else {
    TF_TString *strings = TF_TensorData(tensor);
    for (size_t i = 0; i < count; i++) {
      int64_t length;
      read_all(file, &length, sizeof(length));
      char *bytes = malloc(length ? length : 1);
      read_all(file, bytes, length);
      TF_StringInit(&strings[i]);
      TF_StringCopy(&strings[i], bytes, length);
      free(bytes);
    }
  }
  fclose(file);
  return tensor;
}

static void write_tensor(const char *path, const TF_Tensor *tensor) {
  FILE *file = fopen(path, "wb");
  if (!file) fail(path, "cannot be written");
  int32_t head[2] = {TF_TensorType(tensor), TF_NumDims(tensor)};
  fwrite(head, sizeof(head), 1, file);
  for (int i = 0; i < head[1]; i++) {
    int64_t size = TF_Dim(tensor, i);
    fwrite(&size, sizeof(size), 1, file);
  }
  if (head[0] != TF_STRING) {
    fwrite(TF_TensorData(tensor), 1, TF_TensorByteSize(tensor), file);
  } else {
    const TF_TString *strings = TF_TensorData(tensor);
    for (int64_t i = 0; i < TF_TensorElementCount(tensor); i++) {
      int64_t length = TF_StringGetSize(&strings[i]);
      fwrite(&length, sizeof(length), 1, file);
      fwrite(TF_StringGetDataPointer(&strings[i]), 1, length, file);
    }
  }
  if (fclose(file)) fail(path, "cannot be written");
}

int main(int argc, char **argv) {
  if (argc < 2) fail("usage", "saved_model_client SAVED_MODEL [feed|fetch OPERATION INDEX FILE|run]...");
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  const char *tags[] = {"serve"};
  TF_Session *session = TF_LoadSessionFromSavedModel(
      options, NULL, argv[1], tags, 1, graph, NULL, status);
  check(status, "load");

  TF_Output feeds[MOST], fetches[MOST];
  TF_Tensor *given[MOST], *found[MOST];
  const char *paths[MOST];
  int n_feeds = 0, n_fetches = 0;
  for (int i = 2; i < argc; i++) {
    if (!strcmp(argv[i], "run")) {
      TF_SessionRun(session, NULL, feeds, given, n_feeds, fetches, found, n_fetches, NULL, 0,
                    NULL, status);
      check(status, "run");
      for (int k = 0; k < n_feeds; k++) TF_DeleteTensor(given[k]);
      for (int k = 0; k < n_fetches; k++) {
        write_tensor(paths[k], found[k]);
        TF_DeleteTensor(found[k]);
      }
      n_feeds = n_fetches = 0;
      continue;
    }
    if (i + 3 >= argc || n_feeds == MOST || n_fetches == MOST) fail(argv[i], "too few or too many");
    TF_Output output = {TF_GraphOperationByName(graph, argv[i + 1]), atoi(argv[i + 2])};
    if (!output.oper) fail(argv[i + 1], "no such operation");
    if (!strcmp(argv[i], "feed")) {
      feeds[n_feeds] = output;
      given[n_feeds++] = read_tensor(argv[i + 3]);
    } else {
      fetches[n_fetches] = output;
      paths[n_fetches++] = argv[i + 3];
    }
    i += 3;
  }

  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}

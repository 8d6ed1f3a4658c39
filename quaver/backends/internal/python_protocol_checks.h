// What holds for any bytes from a Python process. For its fuzzer and the test
// of its corpus.
#pragma once

#include <string_view>

#include "quaver/backends/internal/python_protocol.h"
#include "quaver/base/check.h"

namespace quaver {

// Answers that can be read are written as the same bytes.
inline void CheckPythonAnswer(std::string_view payload) {
  PythonReader reader(payload);
  const absl::StatusOr<Tensors> answer = reader.Answer();
  if (!reader.Finish().ok() || !answer.ok()) return;
  PythonWriter writer;
  writer.Answer(answer);
  QUAVER_CHECK(writer.payload() == payload);
}

}  // namespace quaver

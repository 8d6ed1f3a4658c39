// See request_key.h.
#include "quaver/sched/request_key.h"

#include <cstdint>

#include "quaver/sched/tensors.h"

namespace quaver {
namespace {

void AppendNumber(uint64_t number, std::string& key) {
  key.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

// With its length before it, so that no two lists of texts are the same bytes.
void AppendBytes(std::string_view bytes, std::string& key) {
  AppendNumber(bytes.size(), key);
  key.append(bytes);
}

void AppendTensor(const Tensor& tensor, std::string& key) {
  AppendBytes(tensor.name, key);
  AppendNumber(static_cast<uint64_t>(tensor.datatype), key);
  AppendNumber(tensor.shape.size(), key);
  for (const int64_t dimension : tensor.shape) {
    AppendNumber(static_cast<uint64_t>(dimension), key);
  }
  AppendNumber(tensor.strings.size(), key);
  for (const std::string& text : tensor.strings) AppendBytes(text, key);
  AppendBytes(
      {reinterpret_cast<const char*>(tensor.raw.data()), tensor.raw.size()},
      key);
}

}  // namespace

std::string RequestKey(std::string_view scope, const Tensors& request,
                       const CallOptions& options) {
  std::string key;
  AppendBytes(scope, key);
  AppendBytes(options.parameters, key);
  AppendNumber(options.outputs.size(), key);
  for (const std::string& name : options.outputs) AppendBytes(name, key);
  for (const Tensor* tensor : ByName(request)) AppendTensor(*tensor, key);
  return key;
}

}  // namespace quaver

// See embedder.h.
#include "quaver/ingest/embedder.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <span>

#include "quaver/base/mutex.h"
#include "quaver/base/workers.h"

namespace quaver {
namespace {

constexpr size_t kTextsPerCall = 64;

absl::Status EmbedSome(Servable& encoder, const std::vector<std::string>& texts,
                       std::span<const uint32_t> which,
                       std::vector<std::vector<float>>& embeddings) {
  Tensor input{.name = "TEXT",
               .datatype = Datatype::kBytes,
               .shape = {static_cast<int64_t>(which.size())},
               .strings = {},
               .raw = {}};
  for (const uint32_t i : which) input.strings.push_back(texts[i]);
  ASSIGN_OR_RETURN(const Tensors outputs, encoder.Infer({input}));
  const std::vector<std::byte>& raw = outputs.at(0).raw;
  const size_t bytes = raw.size() / which.size();
  for (size_t k = 0; k < which.size(); ++k) {
    std::vector<float>& embedding = embeddings[which[k]];
    embedding.resize(bytes / sizeof(float));
    std::memcpy(embedding.data(), raw.data() + k * bytes, bytes);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::vector<float>>> EmbedAll(
    Servable& encoder, const std::vector<std::string>& texts, int num_threads,
    const std::function<void(size_t done)>& progress) {
  // Longest first: the last chunks, which one thread may do alone, are short.
  std::vector<uint32_t> order(texts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return texts[a].size() > texts[b].size();
  });
  std::vector<std::vector<float>> embeddings(texts.size());
  Mutex mutex;
  absl::Status status;
  size_t done = 0;
  ParallelFor(
      texts.size(), kTextsPerCall, num_threads, [&](size_t begin, size_t end) {
        {
          MutexLock lock(&mutex);
          if (!status.ok()) return;
        }
        const absl::Status result =
            EmbedSome(encoder, texts,
                      std::span(order).subspan(begin, end - begin), embeddings);
        MutexLock lock(&mutex);
        if (!result.ok()) status = result;
        done += end - begin;
        if (progress) progress(done);
      });
  RETURN_IF_ERROR(status);
  return embeddings;
}

}  // namespace quaver

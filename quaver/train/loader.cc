// See loader.h.
#include "quaver/train/loader.h"

#include <map>
#include <thread>
#include <vector>

#include "quaver/base/check.h"
#include "quaver/base/hash.h"
#include "quaver/base/mutex.h"

namespace quaver {
namespace {

constexpr uint64_t kDropoutSeed = 0x6270652D64726F70;

}  // namespace

PairEncoder::PairEncoder(const Bpe& tokenizer, const BartShape& shape,
                         int64_t max_tokens)
    : tokenizer_(tokenizer),
      start_(shape.decoder_start_id),
      forced_bos_(shape.forced_bos),
      max_tokens_(static_cast<int>(max_tokens)) {}

void PairEncoder::Add(const Pair& pair, Batch* batch,
                      const BpeDropout& dropout) const {
  const std::vector<int32_t> source =
      tokenizer_.Encode(pair.typed, max_tokens_, dropout);
  std::vector<int32_t> target = tokenizer_.Encode(pair.meant, max_tokens_);
  // Without a forced <s> the answer begins with its first word.
  const size_t before = tokenizer_.spec().before.size();
  if (!forced_bos_) {
    target.erase(target.begin(),
                 target.begin() + static_cast<std::ptrdiff_t>(before));
  }
  AddPair(source, target, start_, batch);
}

struct Loader::Impl {
  Impl(const PairMaker& maker_, const PairEncoder& encoder_,
       const LoaderConfig& config_)
      : maker(maker_),
        encoder(encoder_),
        config(config_),
        next_to_make(config_.first_step),
        next_to_give(config_.first_step) {}

  bool MayMake() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return stopping || next_to_make < next_to_give + config.ahead;
  }
  bool MayGive() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return made.contains(next_to_give);
  }
  Batch Make(int64_t step) const;
  void Work();

  const PairMaker& maker;
  const PairEncoder& encoder;
  const LoaderConfig config;

  Mutex mutex;
  std::map<int64_t, Batch> made ABSL_GUARDED_BY(mutex);
  int64_t next_to_make ABSL_GUARDED_BY(mutex);
  int64_t next_to_give ABSL_GUARDED_BY(mutex);
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  std::vector<std::thread> threads;
};

Batch Loader::Impl::Make(int64_t step) const {
  Batch batch;
  const int64_t first = (step - 1) * config.batch_pairs;
  for (int64_t i = config.rank; i < config.batch_pairs; i += config.world) {
    const auto number = static_cast<uint64_t>(first + i);
    Random random(kDropoutSeed, number);
    encoder.Add(maker.Make(number), &batch, {config.bpe_dropout, &random});
  }
  return batch;
}

void Loader::Impl::Work() {
  while (true) {
    int64_t step = 0;
    {
      const MutexLock lock(&mutex);
      mutex.Await(this, &Impl::MayMake);
      if (stopping) return;
      step = next_to_make++;
    }
    Batch batch = Make(step);
    const MutexLock lock(&mutex);
    made.emplace(step, std::move(batch));
  }
}

Loader::Loader(const PairMaker& maker, const PairEncoder& encoder,
               const LoaderConfig& config)
    : impl_(std::make_unique<Impl>(maker, encoder, config)) {
  QUAVER_CHECK(config.threads >= 1 && config.ahead >= 1);
  QUAVER_CHECK(config.rank >= 0 && config.rank < config.world);
  for (int i = 0; i < config.threads; ++i) {
    impl_->threads.emplace_back([this] { impl_->Work(); });
  }
}

Loader::~Loader() {
  {
    const MutexLock lock(&impl_->mutex);
    impl_->stopping = true;
  }
  for (std::thread& thread : impl_->threads) thread.join();
}

Batch Loader::Next() {
  const MutexLock lock(&impl_->mutex);
  impl_->mutex.Await(impl_.get(), &Impl::MayGive);
  auto node = impl_->made.extract(impl_->next_to_give++);
  return std::move(node.mapped());
}

}  // namespace quaver

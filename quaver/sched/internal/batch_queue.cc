// See batch_queue.h.
#include "quaver/sched/internal/batch_queue.h"

#include <algorithm>
#include <utility>

#include "quaver/base/check.h"

namespace quaver {
namespace {

// A timer on a busy machine fires as much too late.
constexpr int64_t kTimerSlackUs = 1000;

// More are looked at when those are gone, lest a queue of nothing but kinds be
// gone through for each of them.
constexpr size_t kMaxKinds = 16;

}  // namespace

BatchQueue::BatchQueue(const BatcherConfig& config) : config_(config) {
  QUAVER_CHECK(CheckBatcherConfig(config).ok());
  const DynamicBatching& batching = config_.batching;
  for (int level = 1; level <= std::max(1, batching.priority_levels); ++level) {
    const auto own = batching.priority_queue_policies.find(level);
    policies_.push_back(own == batching.priority_queue_policies.end()
                            ? batching.default_queue_policy
                            : own->second);
  }
  lines_.resize(2 * policies_.size());
}

QueuedItem* BatchQueue::front() const {
  for (const Line& line : lines_) {
    if (!line.empty()) return line.front();
  }
  return nullptr;
}

size_t BatchQueue::LineOf(const BatchItem& item) const {
  int level = item.options.priority;
  if (level < 1 || level > config_.batching.priority_levels) {
    level = std::max(1, config_.batching.default_priority_level);
  }
  return 2 * static_cast<size_t>(level - 1);
}

size_t BatchQueue::NumOfLevel(size_t line) const {
  const size_t first = line / 2 * 2;
  return lines_[first].size() + lines_[first + 1].size();
}

absl::Status BatchQueue::Add(QueuedItem& queued, int64_t now_us) {
  const BatchItem& item = *queued.item;
  QUAVER_CHECK(!queued.queued && item.size > 0 && item.tokens >= 0);
  const auto exceeds = [](int64_t value, int64_t limit) {
    return limit > 0 && value > limit;
  };
  if (exceeds(item.size, config_.max_batch_size) ||
      exceeds(item.tokens, config_.max_batch_tokens)) {
    return absl::InvalidArgumentError(fmt::format(
        "a request of {} rows and {} tokens; a batch has at most {} and {}",
        item.size, item.tokens, config_.max_batch_size,
        config_.max_batch_tokens));
  }
  queued.line = LineOf(item);
  const QueuePolicy& policy = PolicyOf(queued.line);
  int64_t timeout_us = policy.default_timeout_us;
  if (policy.allow_timeout_override && item.options.timeout_us > 0 &&
      (timeout_us == 0 || item.options.timeout_us < timeout_us)) {
    timeout_us = item.options.timeout_us;
  }
  queued.timeout_us = timeout_us == 0 || timeout_us > kNever - now_us
                          ? kNever
                          : now_us + timeout_us;
  if (const auto late = Expired(queued, now_us)) return *late;
  if (policy.max_queue_size > 0 &&
      NumOfLevel(queued.line) >= static_cast<size_t>(policy.max_queue_size)) {
    return absl::ResourceExhaustedError(
        fmt::format("Exceeds maximum queue size of {}; try again later",
                    policy.max_queue_size));
  }
  queued.queued = true;
  queued.arrival_us = now_us;
  lines_[queued.line].push_back(&queued);
  ++size_;
  load_.Arrived(now_us, item.tokens);
  return absl::OkStatus();
}

int64_t BatchQueue::ExpiryUs(const QueuedItem& queued) const {
  const bool rejects = PolicyOf(queued.line).timeout_action ==
                       QueuePolicy::TimeoutAction::kReject;
  return std::min(queued.item->options.deadline_us,
                  rejects ? queued.timeout_us : kNever);
}

std::optional<absl::Status> BatchQueue::Expired(const QueuedItem& queued,
                                                int64_t now_us) const {
  absl::Status wanted =
      CheckWanted({.deadline_us = ExpiryUs(queued),
                   .cancelled = queued.item->options.cancelled},
                  now_us);
  if (wanted.ok()) return std::nullopt;
  return wanted;
}

void BatchQueue::Remove(QueuedItem& queued) {
  Line& line = lines_[queued.line];
  line.erase(std::find(line.begin(), line.end(), &queued));
  queued.queued = false;
  --size_;
}

void BatchQueue::Drop(QueuedItem& queued, absl::Status status,
                      std::vector<QueuedItem*>& dropped) {
  Remove(queued);
  queued.item->status = std::move(status);
  dropped.push_back(&queued);
}

std::vector<QueuedItem*> BatchQueue::Sweep(int64_t now_us) {
  std::vector<QueuedItem*> dropped;
  for (size_t i = 0; i < lines_.size(); ++i) {
    for (size_t place = 0; place < lines_[i].size();) {
      QueuedItem& queued = *lines_[i][place];
      if (auto late = Expired(queued, now_us)) {
        Drop(queued, *std::move(late), dropped);
      } else if (now_us >= queued.timeout_us) {
        lines_[i].erase(lines_[i].begin() + static_cast<ptrdiff_t>(place));
        lines_[i + 1].push_back(&queued);
        queued.line = i + 1;
        queued.timeout_us = kNever;
      } else {
        ++place;
      }
    }
  }
  return dropped;
}

std::vector<std::string_view> BatchQueue::Kinds() const {
  const size_t max_kinds = config_.batching.preserve_ordering ? 1 : kMaxKinds;
  std::vector<std::string_view> kinds;
  for (const Line& line : lines_) {
    for (const QueuedItem* queued : line) {
      const std::string_view kind = queued->item->kind;
      if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) continue;
      kinds.push_back(kind);
      if (kinds.size() == max_kinds) return kinds;
    }
  }
  return kinds;
}

BatchQueue::Prefix BatchQueue::Gather(std::string_view kind) const {
  const int max_size = config_.max_batch_size;
  const int64_t max_tokens = config_.max_batch_tokens;
  Prefix prefix;
  for (const Line& line : lines_) {
    for (QueuedItem* queued : line) {
      const BatchItem& item = *queued->item;
      if (item.kind != kind) {
        if (!config_.batching.preserve_ordering) continue;
        prefix.limit = CloseReason::kOtherKind;
        return prefix;
      }
      if (max_size > 0 && prefix.size + item.size > max_size) {
        prefix.limit = CloseReason::kFull;
        return prefix;
      }
      if (max_tokens > 0 && prefix.tokens + item.tokens > max_tokens) {
        prefix.limit = CloseReason::kTokenBudget;
        return prefix;
      }
      prefix.items.push_back(queued);
      prefix.size += item.size;
      prefix.tokens += item.tokens;
    }
  }
  if (max_size > 0 && prefix.size == max_size) {
    prefix.limit = CloseReason::kFull;
  } else if (max_tokens > 0 && prefix.tokens == max_tokens) {
    prefix.limit = CloseReason::kTokenBudget;
  }
  return prefix;
}

// A full queue serves its items just before they expire. To begin with those
// would be work for nobody.
std::vector<QueuedItem*> BatchQueue::LateOf(const Prefix& prefix,
                                            int64_t done_us) const {
  std::vector<QueuedItem*> late;
  for (QueuedItem* queued : prefix.items) {
    if (queued->item->options.deadline_us < done_us) late.push_back(queued);
  }
  // An estimate that nothing refutes would stand for ever.
  if (late.size() == size_ && !late.empty()) late.pop_back();
  return late;
}

int64_t BatchQueue::TokensInTime(std::string_view kind, int64_t now_us) const {
  std::vector<const BatchItem*> items;
  for (const Line& line : lines_) {
    for (const QueuedItem* queued : line) {
      if (queued->item->kind == kind) items.push_back(queued->item);
    }
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const BatchItem* a, const BatchItem* b) {
                     return a->options.deadline_us > b->options.deadline_us;
                   });
  int size = 0;
  int64_t tokens = 0;
  for (const BatchItem* item : items) {
    const bool fits = (config_.max_batch_size == 0 ||
                       size + item->size <= config_.max_batch_size) &&
                      (config_.max_batch_tokens == 0 ||
                       tokens + item->tokens <= config_.max_batch_tokens) &&
                      load_.SafeCostUs(tokens + item->tokens) <=
                          item->options.deadline_us - now_us;
    if (!fits) continue;
    size += item->size;
    tokens += item->tokens;
  }
  return tokens;
}

bool BatchQueue::CutToPreferredSize(Prefix& prefix) const {
  const std::vector<int>& sizes = config_.batching.preferred_batch_sizes;
  if (sizes.empty()) return false;
  int size = prefix.size;
  for (size_t count = prefix.items.size(); count > 0; --count) {
    if (std::find(sizes.begin(), sizes.end(), size) != sizes.end()) {
      prefix.items.resize(count);
      return true;
    }
    size -= prefix.items[count - 1]->item->size;
  }
  return prefix.size > *std::max_element(sizes.begin(), sizes.end());
}

// The moment to begin, lest an item be late.
int64_t BatchQueue::HurryUs(const Prefix& prefix) const {
  int64_t first_us = kNever;
  for (const QueuedItem* queued : prefix.items) {
    first_us = std::min(
        {first_us, queued->item->options.deadline_us, queued->timeout_us});
  }
  if (first_us == kNever) return kNever;
  return first_us - 2 * load_.CostUs(prefix.tokens) - kTimerSlackUs;
}

int64_t BatchQueue::PatienceEndsUs(const Prefix& prefix, int num_idle) const {
  if (!config_.batching.adaptive) return kNever;
  const bool fits = config_.max_batch_tokens == 0 ||
                    static_cast<double>(prefix.tokens) + load_.mean_tokens() <=
                        static_cast<double>(config_.max_batch_tokens);
  const bool may_gain = fits && num_idle == 1;
  int64_t newest_us = 0;
  for (const QueuedItem* queued : prefix.items) {
    newest_us = std::max(newest_us, queued->arrival_us);
  }
  return newest_us + (may_gain ? load_.WorthWaitingUs(prefix.items.size()) : 0);
}

std::optional<CloseReason> BatchQueue::Close(Prefix& prefix, int64_t now_us,
                                             int num_idle,
                                             int64_t& ask_again_us) const {
  const DynamicBatching& batching = config_.batching;
  int64_t oldest_us = kNever;
  for (const QueuedItem* queued : prefix.items) {
    oldest_us = std::min(oldest_us, queued->arrival_us);
  }
  const int64_t delay_us =
      std::min(batching.max_queue_delay_us, kNever - oldest_us);
  const int64_t due_us = oldest_us + delay_us;
  if ((delay_us == 0 || now_us < due_us) && CutToPreferredSize(prefix)) {
    return CloseReason::kPreferredSize;
  }
  if (prefix.limit) return prefix.limit;
  if (stopping_) return CloseReason::kShutdown;
  if (now_us >= due_us) return CloseReason::kDelay;
  const int64_t hurry_us = HurryUs(prefix);
  if (now_us >= hurry_us) return CloseReason::kDeadline;
  const int64_t patience_ends_us = PatienceEndsUs(prefix, num_idle);
  if (now_us >= patience_ends_us) return CloseReason::kAdaptive;
  ask_again_us = std::min({due_us, hurry_us, patience_ends_us});
  return std::nullopt;
}

BatchQueue::Prefix BatchQueue::GatherInTime(std::string_view kind,
                                            int64_t now_us,
                                            std::vector<QueuedItem*>& dropped) {
  Prefix prefix = Gather(kind);
  if (LateOf(prefix, now_us + load_.SafeCostUs(prefix.tokens)).empty()) {
    return prefix;
  }
  const int64_t tokens = TokensInTime(kind, now_us);
  const int64_t done_us =
      tokens == 0 ? kNever : now_us + load_.SafeCostUs(tokens);
  for (auto late = LateOf(prefix, done_us); !late.empty();
       late = LateOf(prefix, done_us)) {
    for (QueuedItem* queued : late) {
      Drop(*queued,
           absl::DeadlineExceededError("the answer would come too late"),
           dropped);
    }
    prefix = Gather(kind);
  }
  while (prefix.tokens > tokens && prefix.items.size() > 1) {
    prefix.size -= prefix.items.back()->item->size;
    prefix.tokens -= prefix.items.back()->item->tokens;
    prefix.items.pop_back();
    prefix.limit = CloseReason::kDeadline;
  }
  return prefix;
}

Decision BatchQueue::Next(int64_t now_us, int num_idle) {
  Decision next;
  next.dropped = Sweep(now_us);
  for (const std::string_view kind : Kinds()) {
    Prefix prefix = GatherInTime(kind, now_us, next.dropped);
    if (prefix.items.empty()) continue;
    int64_t ask_again_us = kNever;
    const auto reason = Close(prefix, now_us, num_idle, ask_again_us);
    if (!reason) {
      next.ask_again_us = std::min(next.ask_again_us, ask_again_us);
      continue;
    }
    next.reason = *reason;
    for (QueuedItem* queued : prefix.items) Remove(*queued);
    next.batch = std::move(prefix.items);
    return next;
  }
  return next;
}

void BatchQueue::Computed(int64_t tokens, int64_t compute_us) {
  load_.Computed(tokens, compute_us);
}

}  // namespace quaver

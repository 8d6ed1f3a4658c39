// See team.h.
#include "quaver/engine/team.h"

#include <algorithm>
#include <chrono>

#include "quaver/base/check.h"
#include "quaver/base/log.h"
#include "quaver/base/workers.h"

namespace quaver {
namespace {

// Longer than the serial work between two products, much shorter than what
// others could use the core for.
constexpr std::chrono::microseconds kSpin{50};
constexpr int kPausesBetweenLooks = 32;  // at the clock: some microseconds

// A ticket is 32 bits of the call's number, 16 of its parts, 16 of the next.
constexpr int kPartBits = 16;
constexpr uint64_t kPartMask = (uint64_t{1} << kPartBits) - 1;
constexpr uint64_t kStop = ~uint64_t{0};  // has no part
static_assert(Team::kMaxParts < kPartMask);

uint64_t NextPart(uint64_t ticket) { return ticket & kPartMask; }
uint64_t NumParts(uint64_t ticket) { return ticket >> kPartBits & kPartMask; }
bool HasPart(uint64_t ticket) { return NextPart(ticket) < NumParts(ticket); }

// Waits while `value` is `old`: a while awake, then asleep.
template <typename T>
void WaitWhile(const std::atomic<T>& value, T old) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kPausesBetweenLooks; ++i) {
      if (value.load(std::memory_order_relaxed) != old) return;
      __builtin_ia32_pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  value.wait(old, std::memory_order_relaxed);
}

int Limit(const TeamConfig& config) {
  return config.limit > 0 ? config.limit : AvailableCores();
}

}  // namespace

int TeamSize(const TeamConfig& config) {
  return std::clamp(config.threads, 1, Limit(config));
}

int NumInstances(int wanted, int threads_per_instance) {
  if (wanted != 0) return wanted;
  return std::max(1, AvailableCores() / std::max(1, threads_per_instance));
}

TeamConfig InstanceTeam(int instance, int num_instances,
                        int threads_per_instance,
                        const std::vector<int>& cores) {
  TeamConfig config;
  config.threads = threads_per_instance;
  config.limit = std::max(1, AvailableCores() / num_instances);
  for (int i = 0; !cores.empty() && i < threads_per_instance; ++i) {
    const int place = instance * threads_per_instance + i;
    config.cores.push_back(cores[static_cast<size_t>(place) % cores.size()]);
  }
  return config;
}

Team::Team(const TeamConfig& config) : least_shared_(config.least_shared) {
  const int size = TeamSize(config);
  if (size < config.threads) {
    LogWarning("{} threads for an instance are more than there may be: {}",
               config.threads, size);
  }
  for (int i = 1; i < size; ++i) {
    const auto member = static_cast<size_t>(i);
    const int core =
        config.cores.empty() ? -1 : config.cores[member % config.cores.size()];
    helpers_.emplace_back([this, member, core] {
      if (core >= 0) PinThisThread(core);
      Help(member);
    });
  }
}

Team::~Team() {
  ticket_.store(kStop, std::memory_order_release);
  ticket_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void Team::Run(size_t num_parts, Function function, const void* body) {
  QUAVER_CHECK(num_parts <= kMaxParts);
  if (helpers_.empty() || num_parts < 2) {
    for (size_t part = 0; part < num_parts; ++part) function(body, part, 0);
    return;
  }
  function_.store(function, std::memory_order_relaxed);
  body_.store(body, std::memory_order_relaxed);
  num_done_.store(0, std::memory_order_relaxed);
  const uint64_t last = ticket_.load(std::memory_order_relaxed);
  const auto number = static_cast<uint32_t>(last >> 2 * kPartBits) + 1;
  ticket_.store(uint64_t{number} << 2 * kPartBits | num_parts << kPartBits,
                std::memory_order_release);
  ticket_.notify_all();
  Work(0);
  uint32_t num_done = num_done_.load(std::memory_order_acquire);
  while (num_done < num_parts) {
    WaitWhile(num_done_, num_done);
    num_done = num_done_.load(std::memory_order_acquire);
  }
}

// A part that is taken keeps its call under way, so `function_` and `body_` are
// that call's until it is counted.
void Team::Work(size_t member) {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (HasPart(ticket)) {
    if (!ticket_.compare_exchange_weak(ticket, ticket + 1,
                                       std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
      continue;
    }
    const uint64_t num_parts = NumParts(ticket);
    function_.load(std::memory_order_relaxed)(
        body_.load(std::memory_order_relaxed), NextPart(ticket), member);
    if (num_done_.fetch_add(1, std::memory_order_acq_rel) + 1 == num_parts) {
      num_done_.notify_one();
    }
    ticket = ticket_.load(std::memory_order_acquire);
  }
}

void Team::Help(size_t member) {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (ticket != kStop) {
    if (HasPart(ticket)) {
      Work(member);
    } else {
      WaitWhile(ticket_, ticket);
    }
    ticket = ticket_.load(std::memory_order_acquire);
  }
}

}  // namespace quaver

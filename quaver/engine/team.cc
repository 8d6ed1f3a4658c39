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
constexpr uint32_t kOver = 1;  // calls are numbered evenly
static_assert(Team::kMaxParts < kPartMask);

uint64_t NextPart(uint64_t ticket) { return ticket & kPartMask; }
uint64_t NumParts(uint64_t ticket) { return ticket >> kPartBits & kPartMask; }
bool HasPart(uint64_t ticket) { return NextPart(ticket) < NumParts(ticket); }

// Whether `ended` became true soon; looks at it until then.
template <typename Ended>
bool Spin(const Ended& ended) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kPausesBetweenLooks; ++i) {
      if (ended()) return true;
      __builtin_ia32_pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
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

Team::Team(const TeamConfig& config)
    : budget_(config.budget == nullptr ? CoreBudget::OfProcess()
                                       : *config.budget),
      least_shared_(config.least_shared) {
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
  call_.store(kOver, std::memory_order_release);
  call_.notify_all();
  ticket_.fetch_add(uint64_t{1} << 2 * kPartBits, std::memory_order_release);
  ticket_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

Team::Call::Call(Team& team)
    : team_(team),
      own_(team.budget_),
      num_others_(
          team.helpers_.empty()
              ? 0
              : team.budget_.TakeIdle(static_cast<int>(team.helpers_.size()))) {
  if (num_others_ == 0) return;
  team_.num_present_.store(1 + static_cast<size_t>(num_others_),
                           std::memory_order_relaxed);
  team_.call_.fetch_add(2, std::memory_order_release);
  team_.call_.notify_all();
}

Team::Call::~Call() {
  if (num_others_ == 0) return;
  team_.num_present_.store(1, std::memory_order_relaxed);
  team_.call_.fetch_add(2, std::memory_order_release);  // none stays awake
  team_.budget_.Give(num_others_);
}

void Team::Run(size_t num_parts, Function function, const void* body) {
  QUAVER_CHECK(num_parts <= kMaxParts);
  if (num_present() == 1 || num_parts < 2) {
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
    const auto has_changed = [&] {
      return num_done_.load(std::memory_order_relaxed) != num_done;
    };
    if (!Spin(has_changed)) {
      num_done_.wait(num_done, std::memory_order_relaxed);
    }
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

void Team::AwaitPart(uint64_t ticket, uint32_t call) const {
  const auto is_over = [&] {
    return ticket_.load(std::memory_order_relaxed) != ticket ||
           call_.load(std::memory_order_relaxed) != call;
  };
  if (!Spin(is_over)) ticket_.wait(ticket, std::memory_order_relaxed);
}

void Team::Help(size_t member) {
  uint32_t call = call_.load(std::memory_order_acquire);
  while (call != kOver) {
    const uint64_t ticket = ticket_.load(std::memory_order_acquire);
    if (member >= num_present()) {
      call_.wait(call, std::memory_order_relaxed);
    } else if (HasPart(ticket)) {
      Work(member);
    } else {
      AwaitPart(ticket, call);
    }
    call = call_.load(std::memory_order_acquire);
  }
}

}  // namespace quaver

// See generation.h.
#include "quaver/engine/generation.h"

#include <algorithm>
#include <limits>
#include <list>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/engine/internal/draft_tree.h"
#include "quaver/engine/internal/token_rules.h"

namespace quaver {
namespace {

// The token after `tokens`: the greatest logit, of equal ones the first. Adds
// the logarithm of its probability to `score`.
int32_t Choose(const BartConfig& config, const GenerationOptions& options,
               std::span<const int32_t> tokens, std::span<float> logits,
               double* score) {
  const auto forced = ForcedToken(config, options, tokens);
  if (forced) return *forced;
  BanTokens(config, options, tokens, logits.data());
  const auto best = std::max_element(logits.begin(), logits.end());
  *score += *best - LogSumExp(logits);
  return static_cast<int32_t>(best - logits.begin());
}

// A request on its way, with a range of the cache of its own.
struct Active {
  GenerationRequest request;
  uint32_t source_first = 0;    // row of the cache
  std::vector<int32_t> tokens;  // confirmed, the decoder's start first
  std::vector<uint32_t> slots;  // of all tokens but the last
  std::vector<uint32_t> free;   // slots that hold nothing
  double score = 0;
  int passes = 0;
  bool encoded = false;
  size_t place = 0;  // of the ranges

  std::vector<DraftNode> tree;       // of this pass
  std::vector<uint32_t> tree_slots;  // of the last token, then of each node
  size_t first_row = 0;              // of this pass
};

// One call's rows, in vectors that keep their memory.
struct RowBuffers {
  std::vector<int32_t> tokens;
  std::vector<uint32_t> positions, slots, seen, seen_offsets, source_begin,
      source_end;

  void Clear() {
    tokens.clear();
    positions.clear();
    slots.clear();
    seen.clear();
    seen_offsets.assign(1, 0);
    source_begin.clear();
    source_end.clear();
  }
  void Add(int32_t token, uint32_t source_first, size_t source_tokens) {
    tokens.push_back(token);
    positions.push_back(
        static_cast<uint32_t>(seen.size() - seen_offsets.back()) - 1);
    slots.push_back(seen.back());
    seen_offsets.push_back(static_cast<uint32_t>(seen.size()));
    source_begin.push_back(source_first);
    source_end.push_back(source_first + static_cast<uint32_t>(source_tokens));
  }
  DecoderRows View() const {
    return {tokens,       positions,    slots,     seen,
            seen_offsets, source_begin, source_end};
  }
};

}  // namespace

struct Generator::Impl {
  Impl(const BartModel& model_, const GeneratorLimits& limits_);

  void EncodeNew();
  void MakeTree(Active* active, size_t max_nodes) const;
  void AddRows(Active* active);
  // Confirms what the pass showed; whether the answer is whole.
  bool Advance(Active* active);

  const BartModel& model;
  const GeneratorLimits limits;
  size_t slots_a_request;
  BartCache cache;
  BartWorkspace workspace;
  std::list<Active> active;
  std::vector<size_t> free_places;
  RowBuffers rows;
  std::vector<float> logits;
};

Generator::Impl::Impl(const BartModel& model_, const GeneratorLimits& limits_)
    : model(model_),
      limits(limits_),
      slots_a_request(static_cast<size_t>(limits.max_target_tokens) +
                      static_cast<size_t>(limits.max_draft_tokens)),
      cache(model,
            {static_cast<size_t>(limits.max_requests) *
                 static_cast<size_t>(limits.max_source_tokens),
             static_cast<size_t>(limits.max_requests) * slots_a_request}),
      workspace(model, static_cast<size_t>(std::max(
                           limits.max_rows, limits.max_source_tokens))) {
  QUAVER_CHECK(limits.max_requests > 0 && limits.max_draft_tokens >= 0);
  QUAVER_CHECK(limits.max_rows >= limits.max_requests);
  const int positions = model.config().max_positions;
  QUAVER_CHECK(limits.max_source_tokens > 0 &&
               limits.max_source_tokens <= positions);
  QUAVER_CHECK(limits.max_target_tokens > 1 &&
               limits.max_target_tokens <= positions);
  for (size_t i = static_cast<size_t>(limits.max_requests); i-- > 0;) {
    free_places.push_back(i);
  }
  logits.resize(static_cast<size_t>(limits.max_rows) *
                static_cast<size_t>(model.config().vocab_size));
}

// Sources of new requests, one by one.
void Generator::Impl::EncodeNew() {
  for (Active& one : active) {
    if (one.encoded) continue;
    const uint32_t offsets[] = {
        0, static_cast<uint32_t>(one.request.source.size())};
    model.Encode({one.request.source, offsets}, one.source_first, workspace,
                 cache);
    one.encoded = true;
  }
}

void Generator::Impl::MakeTree(Active* one, size_t max_nodes) const {
  one->tree.clear();
  const auto& options = one->request.options;
  // Tokens that may still be confirmed, less the one that every pass gives.
  const int room =
      options.max_new_tokens - static_cast<int>(one->tokens.size());
  if (room <= 0 || max_nodes == 0) return;
  one->tree = MakeDraftTree(
      std::span(one->tokens).subspan(1), one->request.drafts,
      std::min(max_nodes, static_cast<size_t>(limits.max_draft_tokens)),
      static_cast<size_t>(room));
}

void Generator::Impl::AddRows(Active* one) {
  one->first_row = rows.tokens.size();
  one->tree_slots.clear();
  const size_t source_tokens = one->request.source.size();
  const auto take = [&] {
    const uint32_t slot = one->free.back();
    one->free.pop_back();
    one->tree_slots.push_back(slot);
    return slot;
  };
  rows.seen.insert(rows.seen.end(), one->slots.begin(), one->slots.end());
  rows.seen.push_back(take());
  rows.Add(one->tokens.back(), one->source_first, source_tokens);
  for (const DraftNode& node : one->tree) {
    // What its parent sees, and itself.
    const size_t parent = one->first_row + static_cast<size_t>(node.parent + 1);
    const uint32_t begin = rows.seen_offsets[parent];
    const uint32_t end = rows.seen_offsets[parent + 1];
    for (uint32_t i = begin; i < end; ++i) rows.seen.push_back(rows.seen[i]);
    rows.seen.push_back(take());
    rows.Add(node.token, one->source_first, source_tokens);
  }
}

bool Generator::Impl::Advance(Active* one) {
  const BartConfig& config = model.config();
  const GenerationOptions& options = one->request.options;
  ++one->passes;
  std::vector<bool> kept(one->tree_slots.size());
  bool whole = false;
  for (int32_t at = -1;;) {  // a node, or the last confirmed token
    const auto row = static_cast<size_t>(at + 1);
    kept[row] = true;
    one->slots.push_back(one->tree_slots[row]);
    const auto V = static_cast<size_t>(config.vocab_size);
    const auto own = std::span(logits).subspan((one->first_row + row) * V, V);
    const int32_t token =
        Choose(config, options, one->tokens, own, &one->score);
    one->tokens.push_back(token);
    whole = token == config.eos_id ||
            static_cast<int>(one->tokens.size()) > options.max_new_tokens;
    if (whole) break;
    const auto child = std::find_if(
        one->tree.begin(), one->tree.end(), [&](const DraftNode& node) {
          return node.parent == at && node.token == token;
        });
    if (child == one->tree.end()) break;
    at = static_cast<int32_t>(child - one->tree.begin());
  }
  for (size_t i = 0; i < kept.size(); ++i) {
    if (!kept[i]) one->free.push_back(one->tree_slots[i]);
  }
  return whole;
}

Generator::Generator(const BartModel& model, const GeneratorLimits& limits)
    : impl_(std::make_unique<Impl>(model, limits)) {}
Generator::~Generator() = default;

absl::Status Generator::Add(GenerationRequest request) {
  const BartConfig& config = impl_->model.config();
  const GeneratorLimits& limits = impl_->limits;
  RETURN_IF_ERROR(CheckTokens("the source", request.source,
                              static_cast<size_t>(limits.max_source_tokens),
                              config.vocab_size));
  ASSIGN_OR_RETURN(request.options,
                   CheckOptions(request.options, limits.max_target_tokens));
  if (impl_->free_places.empty()) {
    return absl::ResourceExhaustedError(
        fmt::format("{} requests are being answered", limits.max_requests));
  }
  // A draft is what comes after the decoder's start: without a forced <s> it
  // begins with the text.
  for (std::vector<int32_t>& draft : request.drafts) {
    RETURN_IF_ERROR(CheckTokens("a draft", draft,
                                std::numeric_limits<int32_t>::max(),
                                config.vocab_size));
    if (!config.forced_bos_id && draft.front() == config.bos_id) {
      draft.erase(draft.begin());
    }
  }
  Active one;
  one.place = impl_->free_places.back();
  impl_->free_places.pop_back();
  one.source_first = static_cast<uint32_t>(
      one.place * static_cast<size_t>(limits.max_source_tokens));
  for (size_t i = impl_->slots_a_request; i-- > 0;) {
    one.free.push_back(
        static_cast<uint32_t>(one.place * impl_->slots_a_request + i));
  }
  one.tokens = {config.decoder_start_id};
  one.request = std::move(request);
  impl_->active.push_back(std::move(one));
  return absl::OkStatus();
}

bool Generator::Cancel(uint64_t id) {
  const auto found =
      std::find_if(impl_->active.begin(), impl_->active.end(),
                   [&](const Active& one) { return one.request.id == id; });
  if (found == impl_->active.end()) return false;
  impl_->free_places.push_back(found->place);
  impl_->active.erase(found);
  return true;
}

void Generator::Step(std::vector<Generated>* done) {
  Impl& impl = *impl_;
  if (impl.active.empty()) return;
  impl.EncodeNew();
  // Every request has a row; what is left goes to the drafts of those that came
  // first.
  size_t left = static_cast<size_t>(impl.limits.max_rows) - impl.active.size();
  impl.rows.Clear();
  for (Active& one : impl.active) {
    impl.MakeTree(&one, left);
    left -= one.tree.size();
    impl.AddRows(&one);
  }
  const size_t M = impl.rows.tokens.size();
  const auto V = static_cast<size_t>(impl.model.config().vocab_size);
  impl.model.Decode(impl.rows.View(), impl.workspace, impl.cache,
                    std::span(impl.logits).first(M * V));
  for (auto one = impl.active.begin(); one != impl.active.end();) {
    if (!impl.Advance(&*one)) {
      ++one;
      continue;
    }
    done->push_back(
        {one->request.id, std::move(one->tokens), one->score, one->passes});
    impl.free_places.push_back(one->place);
    one = impl.active.erase(one);
  }
}

bool Generator::idle() const { return impl_->active.empty(); }
size_t Generator::num_active() const { return impl_->active.size(); }

}  // namespace quaver

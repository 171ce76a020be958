#include "api/operator/refused_tokens.h"

#include "base/deadline.h"
#include "journal/journal.h"

namespace andromede::api {
namespace {

constexpr const char* kTheOthers = "others";
constexpr std::chrono::seconds kCommitTimeout{30};

}  // namespace

RefusedTokens::Peer& RefusedTokens::find(const std::string& peer, SteadyTime now) {
  const auto found = peers_.find(peer);
  if (found != peers_.end()) return found->second;
  if (peers_.size() >= kMaxPeers) {
    std::erase_if(peers_, [now](const auto& entry) { return now - entry.second.window_began >= kWindow; });
  }
  return peers_[peers_.size() >= kMaxPeers ? kTheOthers : peer];
}

RefusedTokens::Verdict RefusedTokens::count(const std::string& peer, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  Peer& known = find(peer, now);
  const bool fresh = known.in_window == 0 || now - known.window_began >= kWindow;
  if (fresh) {
    known.window_began = now;
    known.in_window = 0;
  }
  ++known.in_window;
  ++known.unjournaled;
  Verdict verdict;
  verdict.too_many = known.in_window > kMaxPerWindow;
  if (fresh) verdict.to_journal = std::exchange(known.unjournaled, 0);
  return verdict;
}

void RefusedTokens::give_back(const std::string& peer, std::uint64_t refusals, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  find(peer, now).unjournaled += refusals;
}

Status journal_refusals(meta::Store& store, const Clock& clock, const std::string& peer, std::uint64_t count) {
  journal::Event event;
  event.source = "operator.andromede";
  event.name = "RefuseOperator";
  event.source_address = peer;
  event.parameters.emplace_back("refused", std::to_string(count));
  meta::Commit change;
  change.partition = meta::kCloudPartition;
  change.event = journal::render(event, clock.now());
  const auto committed = sync_wait(store.commit(std::move(change), Deadline::after(clock, kCommitTimeout)));
  if (!committed) return fail(committed.error());
  return {};
}

}  // namespace andromede::api

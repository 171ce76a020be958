// RefusedTokens: how many wrong tokens each peer has sent of late, in bounded memory: whom to tell to wait, and what is
// worth a journal entry. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "meta/store.h"

namespace andromede::api {

class RefusedTokens {
 public:
  static constexpr std::size_t kMaxPeers = 64;  // beyond, peers are counted together
  static constexpr std::chrono::minutes kWindow{1};
  static constexpr std::uint64_t kMaxPerWindow = 10;

  struct Verdict {
    bool too_many = false;         // this peer has to wait
    std::uint64_t to_journal = 0;  // refusals since this peer's last entry, when one is due: one a window at most
  };
  // One more wrong token of `peer` (net::RequestHead::peer).
  Verdict count(const std::string& peer, SteadyTime now);
  // The entry could not be written: its refusals are told with the peer's next one.
  void give_back(const std::string& peer, std::uint64_t refusals, SteadyTime now);

 private:
  struct Peer {
    SteadyTime window_began;
    std::uint64_t in_window = 0;
    std::uint64_t unjournaled = 0;
  };
  Peer& find(const std::string& peer, SteadyTime now);

  std::mutex mutex_;
  std::map<std::string, Peer> peers_;
};

// RefuseOperator, with how many there were. Blocks.
Status journal_refusals(meta::Store& store, const Clock& clock, const std::string& peer, std::uint64_t count);

}  // namespace andromede::api

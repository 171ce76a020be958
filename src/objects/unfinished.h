// Bodies on their way into blobs, by account and by peer: none of these holds more of the drives, by what it has
// announced or sent and not finished, than these bounds.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/ids.h"
#include "base/result.h"

namespace andromede::objects {

// Who sends a body: the account that it is stored for, and the peer that it comes from (identity::Context::peer).
struct Sender {
  AccountId account;
  std::string peer;
};

// A new body is refused while as much of its account's, or of its peer's, is under way. A proxy is one peer for many.
// Of an account's share one peer gets the half: whoever was given a presigned URL does not shut its owner out.
struct UnfinishedLimits {
  std::uint64_t bodies_of_account = 512;
  std::uint64_t bytes_of_account = 64ULL << 30;
  std::uint64_t bodies_of_peer = 1024;
  std::uint64_t bytes_of_peer = 128ULL << 30;
};
// What a body counts for before it arrives: engines reserve about so much at once.
inline constexpr std::uint64_t kReservedAheadBytes = 32ULL << 20;

// Thread-safe.
class Unfinished {
 public:
  explicit Unfinished(UnfinishedLimits limits) : limits_(limits) {}

  // One body, while it lives. The Unfinished outlives it.
  class Entry {
   public:
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry();
    // So many bytes of the body are there by now.
    void arrived(std::uint64_t bytes);

   private:
    friend class Unfinished;
    Entry(Unfinished& all, Sender sender, std::uint64_t bytes) : all_(all), sender_(std::move(sender)), bytes_(bytes) {}

    Unfinished& all_;
    const Sender sender_;
    std::uint64_t bytes_;
  };

  // Of a body of unknown size `announced_bytes` is what it is taken for. kOverloaded, with the bound that is reached:
  // it must wait.
  Result<std::unique_ptr<Entry>> begin(Sender sender, std::uint64_t announced_bytes);

 private:
  struct Held {
    std::uint64_t bodies = 0;
    std::uint64_t bytes = 0;
  };
  using ByName = std::unordered_map<std::string, Held>;
  // The three shares that a sender takes of.
  struct Share {
    ByName& all;
    std::string name;
    const char* what;
    std::uint64_t most_bodies;
    std::uint64_t most_bytes;
  };
  std::array<Share, 3> shares_of(const Sender& sender);
  static Status check(const Share& share);
  static void leave(ByName& all, const std::string& name, std::uint64_t bytes);

  const UnfinishedLimits limits_;
  std::mutex mutex_;
  ByName accounts_;
  ByName peers_;
  ByName peers_of_accounts_;
};

}  // namespace andromede::objects

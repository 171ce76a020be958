// The journal: entries without a gap, each linked to the one before by its hash (docs/formats/journal.md). Tiles,
// checkpoints, proofs and witnesses (DESIGN §7) will stand on these entries.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task.h"
#include "crypto/digest.h"
#include "meta/store.h"

namespace andromede::journal {

// Who acts when no operator with a token does. No operator has such a name (identity::Operators).
inline constexpr const char* kFleetItself = "fleet";     // the cloud, unasked
inline constexpr const char* kKeyHolder = "key-holder";  // whoever has the cloud's folder in hand, while nothing serves

// One event, in CloudTrail's terms (CloudTrail record contents reference, eventVersion 1.08).
struct Event {
  std::string source;     // "s3.andromede", "operator.andromede", "identity.andromede", "keys.andromede"
  std::string name;       // "PutObject"
  std::string account;    // who acted; empty for the operator
  std::string principal;  // access key id, or the operator's name as authenticated
  std::string request_id;
  std::string source_address;
  std::string user_agent;
  // requestParameters, flat: {"bucketName", "b"}, {"key", "k"} …
  std::vector<std::pair<std::string, std::string>> parameters;
};

inline constexpr std::size_t kMaxEventBytes = 1 << 20;
// Longer texts and more parameters are cut (docs/formats/journal.md), so that an event always fits kMaxEventBytes.
inline constexpr std::size_t kMaxUserAgentBytes = 1024;
inline constexpr std::size_t kMaxParameterBytes = 4096;
inline constexpr std::size_t kMaxNameBytes = 128;  // of parameters, sources, operations and accounts
inline constexpr std::size_t kMaxParameters = 32;

// The event as CloudTrail's JSON, with eventTime.
std::string render(const Event& event, Timestamp time);

struct Entry {
  std::uint64_t sequence = 0;
  crypto::Sha256Digest previous{};  // hash of the entry before; zeros for the first
  std::string event;                // JSON
  crypto::Sha256Digest hash{};      // over sequence, previous and event
};

// Computes the hash anew; at most kMaxEventBytes of event.
std::string encode(const Entry& entry);
// kCorrupt unless the entry's own hash is right.
Result<Entry> decode_entry(ByteView bytes);

// Links events for the metadata engine's committer.
class Sealer final : public meta::LogSealer {
 public:
  Status restore(std::uint64_t last_sequence, ByteView last_entry) override;
  std::string seal(std::uint64_t sequence, std::string_view event) override;

 private:
  crypto::Sha256Digest last_{};
};

// Entries [first, first + limit), in order, each link verified: kCorrupt names the sequence that does not fit. At most
// one less than a scan answers at most; fewer when the journal ends, and none past its end.
Task<Result<std::vector<Entry>>> read_entries(meta::Store& store, std::uint64_t first, std::size_t limit);

struct Verified {
  std::uint64_t entries = 0;
  crypto::Sha256Digest head{};
};
// Walks the whole journal: no gap, every link right, and the last durable entry there. Cost grows with its length: for
// an auditor and for tests. kCancelled soon after `stop` asks for it.
Task<Result<Verified>> verify_all(meta::Store& store, std::stop_token stop = {});

}  // namespace andromede::journal

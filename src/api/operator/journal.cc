// The journal.
#include "journal/journal.h"

#include <algorithm>

#include "api/operator/operations.h"
#include "api/operator/render.h"

namespace andromede::api {
namespace {

constexpr std::uint64_t kMaxEntriesPerPage = 1000;

using nlohmann::json;

// Sets it back on every way out, an exception too.
class Reset {
 public:
  explicit Reset(std::atomic<bool>& flag) : flag_(flag) {}
  Reset(const Reset&) = delete;
  Reset& operator=(const Reset&) = delete;
  ~Reset() { flag_ = false; }

 private:
  std::atomic<bool>& flag_;
};

}  // namespace

Result<OperatorAnswer> read_journal(const OperatorCall& call) {
  std::uint64_t limit = 100;
  if (const auto given = call.query.find("limit"); given != call.query.end()) {
    TRY(limit, parse_number(given->second, "limit"));
    limit = std::clamp<std::uint64_t>(limit, 1, kMaxEntriesPerPage);
  }
  const std::uint64_t last = call.services.store.last_sequence();
  // Without `first`: the latest ones.
  std::uint64_t first = last >= limit ? last - limit + 1 : 1;
  if (const auto given = call.query.find("first"); given != call.query.end()) {
    TRY(first, parse_number(given->second, "first"));
    first = std::max<std::uint64_t>(first, 1);
  }
  json rendered = to_json(std::vector<journal::Entry>{});
  if (first <= last) {
    TRY(const auto entries, sync_wait(journal::read_entries(call.services.store, first, limit)));
    rendered = to_json(entries);
  }
  rendered["last_sequence"] = last;
  return OperatorAnswer{200, dump(rendered)};
}

Result<OperatorAnswer> verify_journal(const OperatorCall& call) {
  // It reads the whole journal: a second one at a time would only make both slower.
  if (call.verifying.exchange(true))
    return fail(Errc::kConflict, "the journal is being verified already: wait for its end");
  const Reset reset(call.verifying);
  const auto verified = sync_wait(journal::verify_all(call.services.store, call.context.stop));
  if (!verified) {
    // A broken journal is an answer, not a failure to answer.
    if (verified.error() == Errc::kCorrupt) {
      return OperatorAnswer{200, dump({{"ok", false}, {"entries", 0}, {"message", verified.error().message()}})};
    }
    return fail(verified.error());
  }
  return OperatorAnswer{200, dump({{"ok", true}, {"entries", verified->entries}, {"head", to_hex(verified->head)}})};
}

}  // namespace andromede::api

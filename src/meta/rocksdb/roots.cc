#include "meta/rocksdb/roots.h"

#include <utility>

#include "meta/record_seal.h"

namespace andromede::meta {
namespace {

Commit change_of(RootId root) {
  Commit change;
  change.partition.root = root;
  return change;
}

Key key_of(std::string bytes) { return {Space::kRecords, std::move(bytes)}; }

Error no_root() { return {make_error_code(Errc::kNotFound), "there is no such root, or it has ended"}; }

std::int64_t counter_of(const std::optional<std::string>& raw) {
  return raw ? static_cast<std::int64_t>(ByteReader(as_bytes(*raw)).u64()) : 0;
}

}  // namespace

Expectation Roots::is_open(RootId root) {
  static const std::string open = encode(RootRecord{});
  return {root_state_key(root), open};
}

Task<Result<std::optional<std::string>>> Roots::read(RootId root, Deadline deadline) {
  return reader_.get(key_of(root_state_key(root)), deadline);
}

Task<Status> Roots::commit(Commit change, Deadline deadline) {
  CO_TRY(const CommitInfo done, co_await committer_.commit(std::move(change), deadline));
  static_cast<void>(done);
  co_return Status{};
}

Task<Status> Roots::create(RootId root, Deadline deadline) {
  Commit change = change_of(root);
  change.expect = {{root_state_key(root), std::nullopt}, {ended_root_key(root), std::nullopt}};
  change.put.push_back({key_of(root_state_key(root)), encode(RootRecord{})});
  change.unwitnessed = "a root is nothing before what names it is there, which is journaled";
  co_return co_await commit(std::move(change), deadline);
}

Task<Result<std::optional<RootState>>> Roots::state(RootId root, Deadline deadline) {
  CO_TRY(const auto raw, co_await read(root, deadline));
  if (!raw) co_return std::nullopt;
  CO_TRY(const RootRecord record, decode_root(as_bytes(*raw)));
  co_return record.state;
}

Task<Status> Roots::close(RootId root, ClosingMark mark, Deadline deadline) {
  CO_TRY(auto raw, co_await read(root, deadline));
  if (!raw) co_return fail(no_root());
  Commit change = change_of(root);
  change.expect.push_back({root_state_key(root), std::move(raw)});
  change.put.push_back({key_of(root_state_key(root)), encode(RootRecord{RootState::kClosing, mark})});
  change.gives_back = true;
  change.unwitnessed = "a root is closed to what adds to it before its end, which is journaled";
  co_return co_await commit(std::move(change), deadline);
}

Task<Status> Roots::open(RootId root, Deadline deadline) {
  CO_TRY(auto raw, co_await read(root, deadline));
  if (!raw) co_return fail(no_root());
  CO_TRY(const RootRecord record, decode_root(as_bytes(*raw)));
  if (record.state == RootState::kOpen) co_return Status{};
  Commit change = change_of(root);
  change.expect.push_back({root_state_key(root), std::move(raw)});
  change.put.push_back({key_of(root_state_key(root)), encode(RootRecord{})});
  change.gives_back = true;
  change.unwitnessed = "a root is opened again that has not ended";
  co_return co_await commit(std::move(change), deadline);
}

Task<Result<CommitInfo>> Roots::end(RootId root, RootEnd end, Deadline deadline) {
  Commit change = change_of(root);
  change.expect.push_back({root_state_key(root), encode(RootRecord{RootState::kClosing, end.mark})});
  change.erase = {
      key_of(root_state_key(root)), {kCounterSpace, object_count_key(root)}, {kCounterSpace, byte_count_key(root)}};
  change.put.push_back({key_of(ended_root_key(root)), std::move(end.left)});
  change.gives_back = true;
  change.event = std::move(end.event);
  co_return co_await committer_.commit(std::move(change), deadline);
}

Task<Result<std::vector<EndedRoot>>> Roots::ended(RootId from, std::size_t limit, Deadline deadline) {
  Scan scan;
  scan.begin = ended_root_key(from);
  scan.end = kEndedRoots;
  ++scan.end.back();
  scan.limit = limit;
  scan.patience.deadline = deadline;
  CO_TRY(auto items, co_await reader_.scan(std::move(scan)));
  std::vector<EndedRoot> ended;
  ended.reserve(items.size());
  for (Item& item : items) {
    const ByteView id = as_bytes(item.key).subspan(kEndedRoots.size());
    if (id.size() != RootId::kSize) co_return fail(Errc::kCorrupt, "the key of an ended root is not a root's id");
    ended.push_back({RootId::from_bytes(id), std::move(item.value)});
  }
  co_return ended;
}

Task<Status> Roots::forget(RootId root, Deadline deadline) {
  Commit change = change_of(root);
  change.erase = {key_of(root_state_key(root)), key_of(ended_root_key(root))};
  change.unwitnessed = "of a root that never got its name, or whose end is in the journal already";
  co_return co_await commit(std::move(change), deadline);
}

Task<Result<Usage>> Roots::usage(RootId root, Deadline deadline) {
  CO_TRY(const auto objects, co_await reader_.get({kCounterSpace, object_count_key(root)}, deadline));
  CO_TRY(const auto bytes, co_await reader_.get({kCounterSpace, byte_count_key(root)}, deadline));
  co_return Usage{counter_of(objects), counter_of(bytes)};
}

}  // namespace andromede::meta
